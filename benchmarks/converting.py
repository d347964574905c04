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


def convert(path: str, out: str, *, jobs: int = 1, check: bool = False) -> int:
    """Convert the file at *path* for LLaMA-Factory into *out*, and *check* the result.

    Return the number of images.
    """
    run = run_conversion if check else convert_files
    options = {"to": "llamafactory", "out": out, "jobs": jobs, "offline": True}
    return run(read_request(options, [path])).changes["written to files"]


if __name__ == "__main__":
    path, *how = sys.argv[1:]
    jobs = 2 if how == ["2"] else 1
    with TemporaryDirectory(dir=".") as folder:  # removed after the measurement
        measured(lambda: convert(path, f"{folder}/out", jobs=jobs, check=how == ["check"]))
