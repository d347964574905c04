"""Files by a glob with **, in folders that links may join to a circle."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path

ANY_DEPTH = "**"
_MAGIC = frozenset("*?[")


def find_files(pattern: str) -> Iterator[str]:
    """Yield the files that *pattern* matches, as glob.glob() does, but search each folder once.

    A folder that links lead to as well is the folder with the shortest path.
    """
    start = Path(pattern).anchor
    *steps, last = pattern[len(start) :].replace(os.sep, "/").split("/")
    if last == ANY_DEPTH:
        steps, last = [*steps, last], "*"
    folders = [start]
    for step in steps:
        folders = list(_all_below(folders) if step == ANY_DEPTH else _matching(folders, step))
    yield from filter(os.path.isfile, _matching(folders, last))


def _all_below(folders: Iterable[str]) -> Iterator[str]:
    """Yield *folders* and all folders below them, shortest paths first, each folder once."""
    seen: set[tuple[int, int]] = set()
    level = list(folders)
    while level:
        fresh = []
        for folder in level:
            try:
                found = Path(folder).stat()
            except OSError:  # a broken link
                continue
            if (found.st_dev, found.st_ino) not in seen:
                seen.add((found.st_dev, found.st_ino))
                fresh.append(folder)
        yield from fresh
        level = [path for path in _matching(fresh, "*") if os.path.isdir(path)]  # noqa: PTH112 - paths are text


def _matching(folders: Iterable[str], part: str) -> Iterator[str]:
    """Yield the paths in *folders* whose names match *part*; hidden ones only if *part* starts with a dot."""
    for folder in folders:
        names = [part]
        if not _MAGIC.isdisjoint(part):
            try:
                listed = sorted(os.listdir(folder or os.curdir))  # noqa: PTH208 - as above
            except OSError:  # not a folder, or not ours to read
                continue
            hidden = part.startswith(".")
            names = [name for name in listed if fnmatch(name, part) and (hidden or not name.startswith("."))]
        yield from (os.path.join(folder, name) for name in names)  # noqa: PTH118 - as above
