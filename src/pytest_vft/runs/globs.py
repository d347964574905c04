"""Files by a glob, in folders that links may join to a circle."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from heapq import heapify, heappop, heappush
from pathlib import Path

ANY_DEPTH = "**"
_MAGIC = frozenset("*?[")


def find_files(pattern: str) -> Iterator[str]:
    """Yield the files that *pattern* matches, as glob.glob() does, but search each folder once at each step.

    A folder that several paths lead to is the folder with the shortest path.
    """
    start = Path(pattern).anchor
    *steps, last = pattern[len(start) :].replace(os.sep, "/").split("/")
    if last == ANY_DEPTH:
        steps, last = [*steps, last], "*"
    folders = [start]
    for step in steps:
        any_depth = step == ANY_DEPTH
        folders = list(_walk(folders if any_depth else _matching(folders, step), any_depth=any_depth))
    yield from filter(os.path.isfile, _matching(folders, last))


def by_length(path: str) -> tuple[int, str]:
    """Return a key that sorts paths by the number of their folders, then by name."""
    return path.count(os.sep), path


def _walk(folders: Iterable[str], *, any_depth: bool) -> Iterator[str]:
    """Yield *folders* and, at *any_depth*, all folders below them, shortest paths first, each folder once."""
    seen: set[tuple[int, int]] = set()
    pending = [by_length(folder) for folder in folders]
    heapify(pending)
    while pending:
        _, folder = heappop(pending)
        try:
            found = Path(folder).stat()
        except (OSError, ValueError):  # a broken link, or NUL in a name
            continue
        if (found.st_dev, found.st_ino) in seen:
            continue
        seen.add((found.st_dev, found.st_ino))
        yield folder
        for path in _matching([folder], "*") if any_depth else ():
            if os.path.isdir(path):  # noqa: PTH112 - paths are text
                heappush(pending, by_length(path))


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
