"""Build examples of a table of paths, and print the figures of measuring.py; the result is their number.

python benchmarks/building.py FILE rows    write rows.csv and photos/ from the examples in FILE
python benchmarks/building.py FILE loop    the least work: encode each image of rows.csv, and write the lines
python benchmarks/building.py FILE 1       build_dataset() with one process, its check included
python benchmarks/building.py FILE 2       the same with two processes
"""

from __future__ import annotations

import csv
import json
import shutil
import sys
from base64 import b64decode
from pathlib import Path
from tempfile import TemporaryDirectory

from measuring import measured

from pytest_vft import build_dataset, build_example, write_jsonl
from pytest_vft.reading.sqlite import FOLDER

ROWS = Path("rows.csv")


def make_rows(path: str) -> int:
    """Write rows.csv with a row for each image in the file at *path*, and the images; return their number."""
    number = 0
    Path("photos").mkdir(exist_ok=True)
    with ROWS.open("w", newline="", encoding="utf-8") as file, Path(path).open("rb") as examples:
        table = csv.writer(file)
        table.writerow(["id", "question", "answer", "image"])
        for number, line in enumerate(examples, 1):
            text = json.dumps(json.loads(line))
            payload = text.partition(";base64,")[2].partition('"')[0]
            Path(f"photos/{number}.jpg").write_bytes(b64decode(payload))
            table.writerow([number, f"Which is it, {number}?", "A square.", f"photos/{number}.jpg"])
    return number


def loop() -> int:
    """Encode each image and write the examples; return their number."""
    with TemporaryDirectory(dir=".") as folder, ROWS.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        examples = (build_example(row["question"], row["answer"], row["image"]) for row in rows)
        return write_jsonl(f"{folder}/train.jsonl", examples)


def build(jobs: int) -> int:
    """Build the examples in splits, with their check and without a cache; return their number."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    with TemporaryDirectory(dir=".") as folder:
        out = f"{folder}/out"
        result = build_dataset(str(ROWS), out=out, split="80/10/10", exact=True, jobs=jobs, offline=True)
        return sum(one.examples for one in result.splits)


if __name__ == "__main__":
    path, how = sys.argv[1:]
    measured({"rows": lambda: make_rows(path), "loop": loop}.get(how, lambda: build(int(how))))
