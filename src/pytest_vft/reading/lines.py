"""Parsing of one line: payloads of data URLs are replaced by tokens, the rest is parsed as JSON."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import orjson

from pytest_vft.reading.shards import LongLine
from pytest_vft.text import Safe, safe
from pytest_vft.tuples import from_tuple

# Shorter payloads are not replaced; tokens are shorter.
SHORTEST_LIFTED = 64
_MARK = b";base64,"
_HEAD = re.compile(rb'"url"\s*:\s*"data:[^"\\]*\Z')
_LONGEST_HEAD = 128
_BACKSLASH = ord("\\")  # searching for an int is faster than for bytes
# Starts of what is not JSON, and what they show.
_MISTAKES = (
    (("<<<<<<< ", "||||||| ", "=======", ">>>>>>> "), "a marker of a merge conflict"),
    (("//", "/*", "#"), "a comment, which JSON does not have,"),
    ("'", "Python's single quote instead of a double quote"),
    (("b'", 'b"'), "Python's bytes instead of a string"),
    ("None", "Python's None instead of null"),
    ("True", "Python's True instead of true"),
    ("False", "Python's False instead of false"),
    (("NaN", "Infinity", "-Infinity"), "NaN or Infinity, which JSON does not have,"),
)

Take = Callable[[memoryview], bytes | None]


class Line(NamedTuple):
    """A parsed line: *value* if its *syntax* is JSON, otherwise the error in UTF-8 or JSON.

    *syntax* is "none" for a blank line and for bytes that are not UTF-8, and None for a line that is
    too long to be read. *column* counts from 1. *repeated_keys* occur twice in one object; the last
    value counts. *lines* is the number of equal blank lines that this one stands for.
    """

    bytes: int
    value: Any
    blank: bool = False
    syntax: Literal["JSON", "other", "none"] | None = "JSON"
    encoding_error: str | None = None
    syntax_error: str | None = None
    column: int | None = None
    repeated_keys: Sequence[str] = ()
    lines: int = 1


_line = from_tuple(Line)


def parse_line(raw: bytes | LongLine, lifted: bytes | None = None) -> Line:
    """Return the line *raw*, with or without a line break, parsed; *lifted* is what lift() returned.

    *raw* may also be several equal blank lines.
    """
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
        return Line(length, value, repeated_keys=repeated_keys(lifted))
    return _line((length, value, False, "JSON", None, None, None, (), 1))


def lift(raw: bytes, take: Take) -> bytes:
    """Return *raw* with the base64 payloads of its "url" values replaced by short tokens.

    *take* returns the token for a payload, or None to keep the payload.
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
    """Return whether *text*, which parses to *value*, may contain a key twice in one object.

    Serialized again, *value* has as many quotes as *text* unless a repeated key is gone; quotes in strings
    stay escaped, except those that are written as a number.
    """
    try:
        written = orjson.dumps(value)
    except orjson.JSONEncodeError:  # it serializes less deeply nested values than it parses
        return True
    if text.count(b'"') != written.count(b'"'):
        return True
    return _BACKSLASH in text and b"\\u0022" in text


def repeated_keys(text: bytes) -> Sequence[str]:
    """Return the keys that occur twice in one object of *text*, which is JSON, in their order."""
    found: dict[str, None] = {}

    def collect(pairs: list[tuple[str, object]]) -> None:
        if len(pairs) != len(dict(pairs)):
            numbers = Counter(key for key, _ in pairs)
            found.update((key, None) for key, number in numbers.items() if number > 1)

    try:
        json.loads(text, object_pairs_hook=collect, parse_int=len, parse_float=len)  # numbers may be huge
    except RecursionError:  # orjson parses deeper nesting than json
        return ()
    return list(found)


def _diagnose(raw: bytes) -> Line:
    """Return the line *raw*, which could not be parsed, with the reason."""
    if not raw.strip():
        first = raw.partition(b"\n")[0]
        return Line(len(first), None, blank=True, syntax="none", lines=raw.count(b"\n") + 1)
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        place = f"byte {error.start + 1:,} is 0x{raw[error.start]:02x}"
        return Line(len(raw), None, syntax="none", encoding_error=place)
    try:
        return Line(len(raw), orjson.loads(raw))
    except orjson.JSONDecodeError as error:
        return Line(len(raw), None, syntax="other", syntax_error=_placed_cause(error), column=error.colno)


def _placed_cause(error: json.JSONDecodeError) -> str:
    """Return the cause of *error*, and its line if there are several, as in an element of an array."""
    lines = error.doc.count("\n") + 1
    place = f" on line {error.lineno:,} of its {lines:,} lines" if lines > 1 else ""
    return Safe(safe(_cause(error)) + place)


def _cause(error: json.JSONDecodeError) -> str:
    """Return the mistake at the place of *error* if it is a common one, otherwise the parser's message."""
    rest = error.doc[error.pos :].lstrip()
    for start, cause in _MISTAKES:
        if rest.startswith(start):
            return cause
    if rest[:1] in (",", "{") and _is_object(error.doc[: error.pos]):
        return "a second record on the line" if rest.rstrip(" \t\r,") else "a comma after the record"
    return error.msg


def _is_object(text: str) -> bool:
    try:
        return isinstance(orjson.loads(text), dict)
    except orjson.JSONDecodeError:
        return False
