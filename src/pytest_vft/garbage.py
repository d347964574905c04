"""Fewer searches for garbage in cycles, of which many small records have none."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_OBJECTS = 10_000  # new ones between searches; 700 by default


@contextmanager
def gc_paused() -> Iterator[None]:
    """Pause the collector; https://docs.python.org/3/library/gc.html#gc.disable."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def search_seldom() -> None:
    """Let the collector search less often; https://docs.python.org/3/library/gc.html#gc.set_threshold."""
    new, *others = gc.get_threshold()
    if 0 < new < _OBJECTS:  # 0 means never
        gc.set_threshold(_OBJECTS, *others)


@contextmanager
def gc_seldom() -> Iterator[None]:
    """Like search_seldom(), until the end of the context."""
    before = gc.get_threshold()
    search_seldom()
    try:
        yield
    finally:
        gc.set_threshold(*before)
