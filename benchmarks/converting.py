"""Convert a file, and print the figures of measuring.py; the result is the number of images.

python benchmarks/converting.py FILE         data URLs to files and lines with their names, one process
python benchmarks/converting.py FILE 2       the same with two processes
python benchmarks/converting.py FILE check   one process, and the result is checked, as by `vft convert`
"""

from __future__ import annotations

import sys
from tempfile import TemporaryDirectory

from measuring import measured

from pytest_vft.runs.conversion import convert_files
from pytest_vft.runs.conversion_request import read_request
from pytest_vft.runs.convert import run_conversion


def convert(path: str, *, jobs: int = 1, check: bool = False) -> int:
    """Convert the file at *path* for LLaMA-Factory, and *check* the result; return the number of images."""
    run = run_conversion if check else convert_files
    with TemporaryDirectory(dir=".") as folder:
        options = {"to": "llamafactory", "out": f"{folder}/out", "jobs": jobs, "offline": True}
        return run(read_request(options, [path])).changes["written to files"]


if __name__ == "__main__":
    path, *how = sys.argv[1:]
    measured(lambda: convert(path, jobs=2 if how == ["2"] else 1, check=how == ["check"]))
