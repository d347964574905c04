"""Convert a file, and print the figures of measuring.py; the result is the number of images.

    python benchmarks/converting.py FILE         data URLs to files and lines with their names, one process

The result is not checked, as `vft convert` does.
"""

from __future__ import annotations

import sys
from tempfile import TemporaryDirectory

from measuring import measured

from pytest_vft.runs.conversion import convert_files
from pytest_vft.runs.conversion_request import read_request


def convert(path: str) -> int:
    """Convert the file at *path* for LLaMA-Factory; return the number of images."""
    with TemporaryDirectory(dir=".") as folder:
        options = {"to": "llamafactory", "out": f"{folder}/out", "jobs": 1, "offline": True}
        return convert_files(read_request(options, [path])).changes["written to files"]


if __name__ == "__main__":
    measured(lambda: convert(sys.argv[1]))
