"""The work of linting.py, done by pytest_vft.compare_providers().

python benchmarks/comparing.py full FILE
python benchmarks/comparing.py full FILE trl     for these providers only
"""

from __future__ import annotations

import sys
from typing import cast

from measuring import measured

from pytest_vft.model import Depth
from pytest_vft.runs.compare import compare_providers


def images(path: str, depth: Depth, *providers: str) -> int:
    """Compare *providers*, by default all, for the file at *path* and return the number of its images."""
    comparison = compare_providers(path, providers=providers, depth=depth, cache=False, offline=True)
    return sum(file.images for file in comparison.files)


if __name__ == "__main__":
    depth, path, *providers = sys.argv[1:]
    measured(lambda: images(path, cast("Depth", depth), *providers))
