"""One line of JSONL: payloads of data URLs lifted out, the rest parsed."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import orjson

from pytest_vft.model import from_tuple
from pytest_vft.reading.shards import LongLine

# Shorter payloads are not worth a look-up; the tokens that replace payloads are shorter still.
SHORTEST_LIFTED = 64
_MARK = b";base64,"
_HEAD = re.compile(rb'"url"\s*:\s*"data:[^"\\]*\Z')
_LONGEST_HEAD = 128
_BACKSLASH = ord("\\")  # a byte is found faster than bytes

Take = Callable[[memoryview], bytes | None]


class Line(NamedTuple):
    """What a line holds: *value* when its *syntax* is JSON, else where UTF-8 or JSON ends.

    The syntax is "none" where there is no text: a blank line, or one that is not UTF-8; None for a
    line that was too long to be read. Columns and bytes count from 1. *repeated_keys* are those that
    one object has twice, of which the last counts.
    """

    bytes: int
    value: Any
    blank: bool = False
    syntax: Literal["JSON", "other", "none"] | None = "JSON"
    encoding_error: str | None = None
    syntax_error: str | None = None
    column: int | None = None
    repeated_keys: Sequence[str] = ()


_line = from_tuple(Line)


def parse_line(raw: bytes | LongLine, lifted: bytes | None = None) -> Line:
    """Parse *raw*, a line with its newline or without; in its place what lift() made of it, if given."""
    if isinstance(raw, LongLine):
        return Line(raw.bytes - raw.newline, None, syntax=None)
    if lifted is None:
        lifted = raw
    try:
        value = orjson.loads(lifted)
    except orjson.JSONDecodeError:
        return _diagnose(raw.removesuffix(b"\n"))
    length = len(raw) - raw.endswith(b"\n")
    if _keys_may_repeat(lifted, value):
        return Line(length, value, repeated_keys=_repeated_keys(lifted))
    return _line((length, value, False, "JSON", None, None, None, ()))


def lift(raw: bytes, take: Take) -> bytes:
    """Return *raw* with the base64 payloads of its "url" values replaced by short tokens.

    Each is given to *take*, which returns its token, or None when it is not base64: then, as in any
    other doubt, it stays as it was written.
    """
    at = raw.find(_MARK)
    if at < 0:
        return raw
    view = memoryview(raw)
    pieces = []
    done = 0
    while at >= 0:
        start = at + len(_MARK)
        end = raw.find(b'"', start)
        if end < 0:
            break
        if end - start >= SHORTEST_LIFTED and _HEAD.search(raw, max(done, at - _LONGEST_HEAD), at):
            token = take(view[start:end])
            if token is not None:
                pieces += [raw[done:start], token]
                done = end
        at = raw.find(_MARK, end)
    if not pieces:
        return raw
    return b"".join([*pieces, raw[done:]])


def _keys_may_repeat(text: bytes, value: object) -> bool:
    """Return whether *text*, which parses to *value*, may name a key twice in one object.

    Written out again, *value* has each key once, and as many quotes as *text* unless a key is gone:
    those in strings stay escaped, but for one that is written as a number.
    """
    try:
        written = orjson.dumps(value)
    except orjson.JSONEncodeError:  # it writes not as deep as it reads
        return True
    if text.count(b'"') != written.count(b'"'):
        return True
    return _BACKSLASH in text and b"\\u0022" in text


def _repeated_keys(text: bytes) -> Sequence[str]:
    """Return the keys that an object in *text*, which is JSON, has twice, in their order."""
    found: dict[str, None] = {}

    def see(pairs: list[tuple[str, object]]) -> None:
        if len(pairs) != len(dict(pairs)):
            found.update(
                (key, None) for key, number in Counter(key for key, _ in pairs).items() if number > 1
            )

    try:
        json.loads(text, object_pairs_hook=see, parse_int=len, parse_float=len)  # numbers may be huge
    except RecursionError:  # deeper than Python goes, not deeper than orjson
        return ()
    return list(found)


def _diagnose(raw: bytes) -> Line:
    """Say why *raw*, which is not JSON, is not."""
    if not raw.strip():
        return Line(len(raw), None, blank=True, syntax="none")
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        place = f"byte {error.start + 1:,} is 0x{raw[error.start]:02x}"
        return Line(len(raw), None, syntax="none", encoding_error=place)
    try:
        return Line(len(raw), orjson.loads(raw))
    except orjson.JSONDecodeError as error:
        return Line(len(raw), None, syntax="other", syntax_error=error.msg, column=error.colno)
