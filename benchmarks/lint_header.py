"""The same as floor_header.py, by pytest_vft.lint at header depth with every rule."""

from __future__ import annotations

import sys

from measuring import measured

from pytest_vft.api import lint


def pictures(path: str) -> int:
    """Return the number of pictures in the file at *path*, each linted."""
    return sum(file.images for file in lint(path, depth="header").files)


if __name__ == "__main__":
    measured(lambda: pictures(sys.argv[1]))
