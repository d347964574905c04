"""The kind of a text file that is not JSON Lines, by its first lines."""

from __future__ import annotations

import csv
import re
from itertools import islice

import orjson

_MARKUP = (("HTML", (b"<!doctype html", b"<html")), ("XML", (b"<?xml",)))
# JSON documents of tools for images, and the keys that only they have.
_DOCUMENTS = (
    ("COCO annotations", rb'"(images|annotations)"\s*:\s*\[\s*\{[^{}]*"(file_name|image_id)"\s*:'),
    (
        "COCO annotations",  # with empty lists, on one line
        rb'\A(?=.*"images"\s*:\s*\[)(?=.*"annotations"\s*:\s*\[).*"categories"\s*:\s*\[',
    ),
    (
        "COCO annotations",
        rb'\A\{\s*\n\s*"(images|annotations)"\s*:\s*\[\s*\],\s*"(images|annotations)"\s*:\s*\[',
    ),
    ("a Label Studio export", rb'"(from_name|to_name|completed_by)"\s*:'),
)
_YAML = re.compile(rb"(#.*\n|\s)*(---\s|%YAML|(- )*[\w-]+:[ \t]*\r?\n[ \t-]|- [\w-]+: )")
_NAME = re.compile(r"[\w.:/()#-]+( [\w.:/()#-]+)*")  # of a column
_ONE_COLUMN = re.compile(rb'([A-Za-z_]\w*)\r?\n"')  # a name, and a value in quotes
_TABLES = (("CSV", ","), ("TSV", "\t"), ("CSV", ";"))
_SHOWN_NAMES = 40  # characters of the names of columns


def text_container(text: bytes) -> str | None:
    """Return the kind of a file that starts with *text*: "CSV (question,answer)", "a JSON array" ...

    Return None for a file that is JSON Lines or cannot be told from it.
    """
    text = text.lstrip()
    if text.startswith((b"{", b"[")):
        return _json_container(text)
    for name, starts in _MARKUP:
        if text[:15].lower().startswith(starts):
            return name
    if _YAML.match(text):
        return "YAML"
    return _table(text)


def _json_container(text: bytes) -> str | None:
    first, _, rest = text.partition(b"\n")
    is_array = text.startswith(b"[")
    if is_array or b'"messages"' not in first:
        for name, keys in _DOCUMENTS:
            if re.search(keys, text):
                return name
    if is_array:
        return None if rest.lstrip().startswith((b"{", b"[")) and _is_array(first) else "a JSON array"
    opens = first.rstrip().endswith((b"{", b"[", b","))
    return "pretty-printed JSON" if opens and rest.startswith((b" ", b"\t", b'"')) else None


def _is_array(line: bytes) -> bool:
    """Return whether *line* is a JSON array by itself: an entry of JSON Lines, though a wrong one."""
    try:
        return isinstance(orjson.loads(line), list)
    except orjson.JSONDecodeError:
        return False


def _table(text: bytes) -> str | None:
    """Return CSV or TSV with the names of its columns if *text* starts with a row of names."""
    if column := _ONE_COLUMN.match(text):
        return f"CSV ({_shown([column[1].decode()])})"
    lines = text.decode(errors="replace").splitlines(keepends=True)
    for kind, separator in _TABLES:
        try:
            names, *rows = islice(csv.reader(lines, delimiter=separator), 2)
        except (csv.Error, ValueError):  # ValueError: no rows
            continue
        if (
            len(names) > 1
            and all(map(_NAME.fullmatch, names if names[0] else names[1:]))  # pandas does not name its index
            and all(len(row) >= len(names) for row in rows)
        ):
            return f"{kind} ({_shown(names)})"
    return None


def _shown(names: list[str]) -> str:
    joined = ",".join(names)
    return joined if len(joined) <= _SHOWN_NAMES else joined[: _SHOWN_NAMES - 1] + "…"
