"""Run `vft` as `python -m pytest_vft`."""

from pytest_vft.cli import main

raise SystemExit(main())
