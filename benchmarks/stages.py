"""Count the instructions of each stage of linting an example, and print a Markdown table.

    python benchmarks/stages.py

Needs valgrind. Each stage is run with the stages before it, on files of two sizes; the difference is divided
by the number of examples. Unlike seconds, instructions are the same in every run, but an instruction of a
decoder or parser takes less time than one of the interpreter.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import pybase64
from xxhash import xxh3_128_intdigest

from pytest_vft.facts.example import measure_example
from pytest_vft.facts.line import line_facts
from pytest_vft.formats.registry import load_format
from pytest_vft.reading.context import FetchContext
from pytest_vft.reading.image_store import ImageStore
from pytest_vft.reading.lines import lift, parse_line
from pytest_vft.reading.shards import LongLine, Shard, read_batches
from pytest_vft.runs.config import Config
from pytest_vft.runs.lint import lint
from pytest_vft.runs.settings import Settings

SIZES = (50, 250)

# Each stage with the stage before it, and what it does.
STAGES = {
    "read": (None, "the line is read"),
    "hash": ("read", "payloads are found, hashed and taken out of the line"),
    "base64": ("hash", "payloads are decoded"),
    "header": ("base64", "header depth: the size and mode of an ordinary JPEG are read"),
    "full": ("base64", "full depth instead: the JPEG is decoded at an eighth of its size"),
    "parse": ("header", "the rest of the line is parsed, and searched for repeated keys"),
    "facts": ("parse", "facts are measured: structure, tokens, keys of turns"),
    "lint": ("facts", "rules are checked, verdicts counted, turns kept"),
}


def work(path: str, last: str) -> None:
    """Run the stages up to *last* on each line of the file at *path*."""
    if last == "lint":
        lint(path, depth="header", offline=True, config=Config())
        return
    store = ImageStore(full=last == "full")
    measure = measuring(last)
    for batch in read_batches(Shard(path, "train", 0, Path(path).stat().st_size)):
        raws = [raw for raw in batch if not isinstance(raw, LongLine)]
        if last in {"hash", "base64"}:
            for raw in raws:
                lift(raw, decode if last == "base64" else token)
        elif last != "read":
            lifted = store.lift(raws)
            if last in {"parse", "facts"}:
                for pair in zip(raws, lifted, strict=True):
                    measure(store, *pair)


def token(payload: memoryview) -> bytes:
    """Return the token that replaces *payload* in its line."""
    return b"#%032x" % xxh3_128_intdigest(payload)


def decode(payload: memoryview) -> bytes:
    """Decode *payload*, and return its token."""
    pybase64.b64decode(payload, validate=True)
    return token(payload)


def measuring(last: str) -> Callable[[ImageStore, bytes, bytes | None], None]:
    """Return a function that parses a line and, if *last* is "facts", measures the facts of its example."""
    settings = Settings(config=Config())
    read = load_format("openai").read
    count_image = lru_cache(settings.provider.describe(settings.model).image_tokens.count)
    context = FetchContext({})

    def measure(store: ImageStore, raw: bytes, lifted: bytes | None) -> None:
        line = parse_line(raw, lifted)
        if last == "facts":
            line_facts(line, "train")
            measure_example(read(line.value), "train", store, context, count_image)

    return measure


def instructions(path: str, last: str) -> int:
    """Return the number of instructions of work(), counted by callgrind."""
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", sys.executable, __file__]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    done = subprocess.run([*command, path, last], env=environment, capture_output=True, text=True, check=True)
    found = re.search(r"Collected : (\d+)", done.stderr)
    assert found
    return int(found[1])


def main() -> None:
    """Print the instructions that each stage adds to the stage before it."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [f"{folder}/{size}.jsonl" for size in SIZES]
        for path, size in zip(paths, SIZES, strict=True):
            script = Path(__file__).with_name("make_data.py")
            subprocess.run([sys.executable, script, "unique", str(size), path], check=True)
        upto: dict[str, float] = {}
        for stage in STAGES:
            less, more = (instructions(path, stage) for path in paths)
            upto[stage] = (more - less) / (SIZES[1] - SIZES[0]) / 1000
        print("| stage | instructions per example |\n| --- | --- |")
        for stage, (before, title) in STAGES.items():
            print(f"| {title} | {upto[stage] - (upto[before] if before else 0):,.0f} k |")


if __name__ == "__main__":
    if sys.argv[1:]:
        work(*sys.argv[1:])
    else:
        main()
