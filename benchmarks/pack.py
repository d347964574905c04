"""Compress a file, to FILE.gz as gzip -1 does, or to FILE.zst as zstd does, and print its lines as JSON.

python benchmarks/pack.py FILE gz|zst
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path


def main(path: str, end: str) -> None:
    """Write *path* with the compression of *end*."""
    lines = 0
    with _writer(path, end) as packed, Path(path).open("rb") as plain:
        for line in plain:
            packed.write(line)
            lines += 1
    print(json.dumps({"seconds": 0, "result": lines}))


def _writer(path: str, end: str) -> gzip.GzipFile:
    if end == "gz":
        return gzip.GzipFile(f"{path}.gz", "wb", compresslevel=1)
    from backports import zstd  # noqa: PLC0415 - an extra

    return zstd.open(f"{path}.zst", "wb")  # type: ignore[return-value]


if __name__ == "__main__":
    main(*sys.argv[1:])
