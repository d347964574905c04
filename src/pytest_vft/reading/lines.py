"""One line of JSONL: payloads of data URLs lifted out, the rest parsed."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import orjson

# Shorter payloads are not worth a look-up; the tokens that replace payloads are shorter still.
SHORTEST_LIFTED = 64
_MARK = b";base64,"
_HEAD = re.compile(rb'"url"\s*:\s*"data:[^"\\]*\Z')
_LONGEST_HEAD = 128

Take = Callable[[memoryview], bytes | None]


class Line(NamedTuple):
    """What a line holds: *value* when its *syntax* is JSON, else where UTF-8 or JSON ends.

    The syntax is "none" where there is no text: a blank line, or one that is not UTF-8. Columns and
    bytes count from 1.
    """

    bytes: int
    value: Any
    blank: bool = False
    syntax: Literal["JSON", "other", "none"] = "JSON"
    encoding_error: str | None = None
    syntax_error: str | None = None
    column: int | None = None


def parse_line(raw: bytes, take: Take) -> Line:
    """Parse *raw*, a line with its newline or without.

    The payload of each data URL is given to *take*, which returns the token to put in its place, or
    None when it is not base64: then, as in any other doubt, the line is parsed as it was written.
    """
    try:
        return Line(len(raw) - raw.endswith(b"\n"), orjson.loads(lift(raw, take)))
    except orjson.JSONDecodeError:
        return _diagnose(raw.removesuffix(b"\n"))


def lift(raw: bytes, take: Take) -> bytes:
    """Return *raw* with the base64 payloads of its "url" values replaced by short tokens."""
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
