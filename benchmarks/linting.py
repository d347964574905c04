"""The work of floors.py, done by pytest_vft.lint() with all rules.

python benchmarks/linting.py header FILE
python benchmarks/linting.py full FILE
python benchmarks/linting.py full FILE cache     with the .vft_cache of the current folder
python benchmarks/linting.py full FILE looks     with rules on likeness and quality
"""

from __future__ import annotations

import sys
from typing import cast

from measuring import measured

from pytest_vft.model import Depth
from pytest_vft.runs.lint import lint

LOOKS = ("dataset/near-duplicate", "image/dark", "image/bright", "image/low-information")


def images(path: str, depth: Depth, *how: str) -> int:
    """Lint the file at *path* and return the number of its images."""
    looks = LOOKS if "looks" in how else ()
    report = lint(path, depth=depth, cache="cache" in how, offline=True, extend_select=looks)
    return sum(file.images for file in report.files)


if __name__ == "__main__":
    depth, path, *how = sys.argv[1:]
    measured(lambda: images(path, cast("Depth", depth), *how))
