"""Where values are written in a JSON text, as offsets in bytes."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

import orjson

from pytest_vft.formats.base import KeyPath

_SPACE = re.compile(rb"[ \t\r\n]*")
_MARK = re.compile(rb'["{}\[\]]')
_SCALAR = re.compile(rb"[^ \t\r\n,\]}]+")
_QUOTE, _BACKSLASH, _COMMA, _OBJECT, _ARRAY = b'"\\,{['
_CLOSING = b"}]"


class Span(NamedTuple):
    """The bytes from *start* to *end* of a text."""

    start: int
    end: int


def find_values(raw: bytes, paths: Collection[KeyPath]) -> dict[KeyPath, Span]:
    """Return where the values at *paths* are written in *raw*, a valid JSON text without repeated keys.

    Values that do not exist are left out. Only objects and arrays on the way to a value are opened.
    """
    found: dict[KeyPath, Span] = {}
    _walk(raw, _skip_space(raw, 0), (), paths, found)
    return found


def _walk(
    raw: bytes, start: int, here: KeyPath, paths: Collection[KeyPath], found: dict[KeyPath, Span]
) -> int:
    """Add the values at those *paths* that lead through *here*, the value at *start*; return its end."""
    depth = len(here)
    inner = [path for path in paths if len(path) > depth]
    if inner and raw[start] in (_OBJECT, _ARRAY):
        end = start + 1
        for key, at in _members(raw, start):
            through = [path for path in inner if path[depth] == key and type(path[depth]) is type(key)]
            end = _walk(raw, at, (*here, key), through, found) if through else skip_value(raw, at)
    end = skip_value(raw, start)
    if here in paths:
        found[here] = Span(start, end)
    return end


def _members(raw: bytes, start: int) -> Iterator[tuple[str | int, int]]:
    """Yield key or index, and start, of each value of the object or array at *start*."""
    is_object = raw[start] == _OBJECT
    at = _skip_space(raw, start + 1)
    index = 0
    while raw[at] not in _CLOSING:
        key: str | int = index
        if is_object:
            end = skip_value(raw, at)
            key = orjson.loads(raw[at:end])
            at = _skip_space(raw, _skip_space(raw, end) + 1)  # past the colon
        yield key, at
        at = _skip_space(raw, skip_value(raw, at))
        if raw[at] == _COMMA:
            at = _skip_space(raw, at + 1)
        index += 1


def skip_value(raw: bytes, at: int) -> int:
    """Return the end of the value that starts at *at*."""
    first = raw[at]
    if first == _QUOTE:
        return _skip_string(raw, at)
    if first not in (_OBJECT, _ARRAY):
        scalar = _SCALAR.match(raw, at)
        return scalar.end() if scalar else at
    depth = 0
    while mark := _MARK.search(raw, at):
        sign = raw[mark.start()]
        at = _skip_string(raw, mark.start()) if sign == _QUOTE else mark.end()
        if sign != _QUOTE:
            depth += -1 if sign in _CLOSING else 1
            if depth == 0:
                break
    return at


def _skip_string(raw: bytes, at: int) -> int:
    end = raw.find(b'"', at + 1)
    while end >= 0:
        before = end
        while raw[before - 1] == _BACKSLASH:
            before -= 1
        if (end - before) % 2 == 0:
            return end + 1
        end = raw.find(b'"', end + 1)
    return len(raw)


def _skip_space(raw: bytes, at: int) -> int:
    space = _SPACE.match(raw, at)
    return space.end() if space else at
