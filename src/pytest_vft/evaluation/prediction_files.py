"""The lines of a file of predictions: JSON Lines, a JSON array, CSV or TSV."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from io import StringIO
from typing import Any

import orjson

from pytest_vft.errors import EvaluationError
from pytest_vft.evaluation.questions import read_objects
from pytest_vft.reading.compressed import open_text
from pytest_vft.reading.compression import Compression
from pytest_vft.reading.files import open_file
from pytest_vft.regular_files import read_bytes
from pytest_vft.text import count, safe

_SEPARATORS = ",;\t"
_BLANK = " \t\r\n"
Lines = Iterator[tuple[int, Mapping[str, Any]]]


def read_lines_of_predictions(path: str) -> Lines:
    """Yield line number and object of each prediction in the file at *path*.

    Raises EvaluationError for a file of another format, and for an entry that is not an object.
    """
    opened = open_file(path)
    container = opened.container
    if container.startswith("a JSON array"):
        return _array(path, _text(path, opened.compression))
    is_named_table = container == "JSONL" and path.lower().endswith((".csv", ".tsv"))
    if container.startswith(("CSV (", "TSV (")) or is_named_table:
        return _table(path, _text(path, opened.compression))
    return read_objects(path)


def _text(path: str, compression: Compression | None) -> str:
    try:
        if compression:
            with open_text(path, compression) as text:
                return text.read().decode("utf-8-sig")
        return read_bytes(path).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise EvaluationError(f"{path}: {reason}") from None


def _array(path: str, text: str) -> Lines:
    """Yield the entries of the JSON array *text*, each with the line on which the entry starts."""
    decoder = json.JSONDecoder()
    at, line = _after_blanks(text, 0) + 1, 1
    counted = 0
    while True:
        at = _after_blanks(text, at)
        line, counted = line + text.count("\n", counted, at), at
        if text[at : at + 1] == "]":
            return
        try:
            start, (_, at) = at, decoder.raw_decode(text, at)
            value = orjson.loads(text[start:at])
        except (ValueError, RecursionError) as error:
            reason = error.msg if isinstance(error, json.JSONDecodeError) else type(error).__name__
            raise EvaluationError(f"{path}:{line}: not an entry of a JSON array: {reason}") from None
        if not isinstance(value, dict):
            raise EvaluationError(f"{path}:{line}: {safe(value)} is not a JSON object")
        yield line, value
        at = _after_blanks(text, at)
        if text[at : at + 1] == ",":
            at += 1
        elif text[at : at + 1] != "]":
            raise EvaluationError(f"{path}:{line}: the JSON array has no end; the file may be cut off")


def _after_blanks(text: str, at: int) -> int:
    while text[at : at + 1] and text[at] in _BLANK:
        at += 1
    return at


def _table(path: str, text: str) -> Lines:
    """Yield the rows of the table *text*; an empty cell is no value."""
    head = text[: text.find("\n") + 1] or text
    reader = csv.reader(StringIO(text, newline=""), delimiter=max(_SEPARATORS, key=head.count), strict=True)
    line = 1
    try:
        names = next(reader)
        line = reader.line_num + 1
        for row in reader:
            if row and len(row) != len(names):
                raise EvaluationError(
                    f"{path}:{line}: the row has {count(len(row), 'cell')}; expected {len(names):,}, "
                    "as in the first row"
                )
            if row:
                yield line, {name: cell or None for name, cell in zip(names, row, strict=True)}
            line = reader.line_num + 1
    except csv.Error as error:
        raise EvaluationError(f"{path}:{line}: {error}") from None
