"""The work of floors.py, done by pytest_vft.lint() with all rules.

python benchmarks/linting.py header FILE
python benchmarks/linting.py full FILE
python benchmarks/linting.py full FILE cache     with the .vft_cache of the current folder
"""

from __future__ import annotations

import sys
from typing import cast

from measuring import measured

from pytest_vft.model import Depth
from pytest_vft.runs.lint import lint


def images(path: str, depth: Depth, *cache: str) -> int:
    """Lint the file at *path* and return the number of its images."""
    report = lint(path, depth=depth, cache=bool(cache), offline=True)
    return sum(file.images for file in report.files)


if __name__ == "__main__":
    depth, path, *cache = sys.argv[1:]
    measured(lambda: images(path, cast("Depth", depth), *cache))
