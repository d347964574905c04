"""`python -m pytest_vft`, the same as `vft`."""

from pytest_vft.cli import main

raise SystemExit(main())
