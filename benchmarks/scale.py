"""Measure how CPU time and memory grow with examples, files and keys, and print a Markdown table.

    python benchmarks/scale.py
    python benchmarks/scale.py --examples=1000 --files=100 --keys=100000

Each row is a new process. Memory is its peak, minus that after the imports. Examples are short texts in one
file, files have one example each, and keys are those of repeated content, of which each thousandth occurs
twice; "Counter" counts them without a sort.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from measuring import measured

from pytest_vft import build_example
from pytest_vft.checking import key_columns
from pytest_vft.report.text import render_text
from pytest_vft.runs.lint import lint

_PIECE = 1_000_000
_TWICE = 1_000


def check(path: str) -> int:
    """Check the file or folder at *path* at header depth, make the text report and return its length."""
    return len(render_text(lint(path, depth="header", cache=False, offline=True)))


def make_keys(number: int) -> array[int]:
    """Return *number* random keys, each thousandth of them twice."""
    keys = array("Q")
    while len(keys) < number:
        keys.frombytes(os.urandom(8 * min(_PIECE, number - len(keys))))
    for at in range(_TWICE, number, _TWICE):
        keys[at] = keys[at - 1]
    return keys


def count_keys(keys: array[int]) -> int:
    """Return how many of *keys* occur more than once."""
    return sum(times > 1 for times in Counter(keys).values())


def find_keys(keys: array[int], *, numpy: bool = True) -> int:
    """Like count_keys(), as the linter does it, with or without numpy."""
    if not numpy:
        key_columns.find_numpy = lambda: None
    return len(key_columns.repeated([keys]))


KEYS: dict[str, Callable[[array[int]], int]] = {
    "Counter": count_keys,
    "with numpy": find_keys,
    "without numpy": lambda keys: find_keys(keys, numpy=False),
}


def write(folder: Path, examples: int, files: int) -> Iterator[tuple[str, int, str]]:
    """Write the data below *folder*; yield title, number and path of each dataset."""
    whole = folder / "examples.jsonl"
    with whole.open("wb") as file:
        file.writelines(line(number) for number in range(examples))
    yield "examples in one file", examples, str(whole)
    several = folder / "files"
    several.mkdir()
    for number in range(files):
        (several / f"{number:06}.jsonl").write_bytes(line(number))
    yield "files of one example", files, str(several)


def line(number: int) -> bytes:
    """Return a line of about 180 bytes."""
    example = build_example(f"What colour has object {number} in the row?", f"Object {number} is blue.")
    return json.dumps(example).encode() + b"\n"


def run(title: str, number: int, *command: str) -> None:
    """Run *command* in a new process and print the row of its figures."""
    done = subprocess.run([sys.executable, __file__, *command], check=True, capture_output=True, text=True)
    figures = json.loads(done.stdout)
    memory = figures["peak"] - figures["imports"]
    print(f"| {title} | {number:,} | {figures['seconds']:.3g} s | {memory:,} MB |", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Measure how CPU time and memory grow.")
    parser.add_argument("--examples", type=int, default=1_000_000, metavar="N")
    parser.add_argument("--files", type=int, default=100_000, metavar="N")
    parser.add_argument("--keys", type=int, default=10_000_000, metavar="N")
    parser.add_argument("--work", nargs=2, help=argparse.SUPPRESS)  # of one row
    arguments = parser.parse_args()
    if arguments.work:
        name, value = arguments.work
        if name == "check":
            measured(lambda: check(value))
        else:
            keys = make_keys(int(value))
            measured(lambda: KEYS[name](keys))
        return
    print("| what | number | CPU | memory |\n| --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for title, number, path in write(Path(folder), arguments.examples, arguments.files):
            run(title, number, "--work", "check", path)
    for name in KEYS:
        run(f"keys, {name}", arguments.keys, "--work", name, str(arguments.keys))


if __name__ == "__main__":
    main()
