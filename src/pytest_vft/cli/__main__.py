"""`python -m pytest_vft.cli`."""

from pytest_vft.cli import main

raise SystemExit(main())
