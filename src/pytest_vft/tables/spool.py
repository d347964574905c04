"""Rows that are not JSON, written as JSON Lines: those of CSV files, and mappings of Python.

A row that cannot be written becomes a line with a text, which says why.
"""

from __future__ import annotations

import csv
import io
import os
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import chain
from typing import Any, BinaryIO, NamedTuple

import orjson
import pybase64

from pytest_vft.encoding import MEDIA_TYPES, ImageFormat, encode_image, type_of
from pytest_vft.errors import UsageError
from pytest_vft.reading.images import image_format
from pytest_vft.reading.opening import open_data
from pytest_vft.reading.shards import LONGEST_LINE
from pytest_vft.text import count

_SEPARATORS = ",;\t"
_OPTIONS = orjson.OPT_NON_STR_KEYS | orjson.OPT_APPEND_NEWLINE
_PLAIN: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (os.PathLike, os.fspath),
    (Mapping, dict),
    (tuple | set | frozenset, list),
)
_PIXELS = 2  # dimensions of an array of pixels, at least


class CsvRow(NamedTuple):
    """A row of a CSV file: the line on which it starts, its text, and its cells or what is wrong."""

    line: int
    text: str
    value: Mapping[str, str | None] | str


def read_csv(path: str) -> Iterator[CsvRow]:
    """Yield the names of the columns of the file at *path*, whose value is empty, and each row.

    The separator is that of the first line: a comma, a semicolon or a tab. An empty cell has no value.
    Raises UsageError for a file that is not CSV in UTF-8, and OSError if it cannot be read.
    """
    csv.field_size_limit(LONGEST_LINE)  # an image may be in a cell
    taken: list[str] = []
    line = 1
    try:
        with io.TextIOWrapper(open_data(path), encoding="utf-8-sig", newline="") as file:
            head = file.readline()
            separator = max(_SEPARATORS, key=head.count)
            reader = csv.reader(_noted(chain([head], file), taken), delimiter=separator, strict=True)
            names: list[str] = []
            for cells in reader:
                text = "".join(taken)
                taken.clear()
                if not names:
                    names = _columns(path, cells)
                    yield CsvRow(line, text, {})
                elif cells:
                    yield CsvRow(line, text, _cells(names, cells))
                line = reader.line_num + 1
    except UnicodeDecodeError:
        raise UsageError(f"{path}: is not UTF-8; save it as CSV in UTF-8") from None
    except csv.Error as error:
        raise UsageError(f"{path}:{line}: {error}") from None


def _noted(lines: Iterable[str], taken: list[str]) -> Iterator[str]:
    for text in lines:
        taken.append(text)
        yield text


def _columns(path: str, names: list[str]) -> list[str]:
    """Return *names*, the first row. Raises UsageError for one that is there twice."""
    if repeated := next((name for at, name in enumerate(names) if name in names[:at]), None):
        raise UsageError(f"{path}:1: two columns have the name {repeated!r}; rename one")
    return names


def _cells(names: list[str], cells: list[str]) -> Mapping[str, str | None] | str:
    if len(cells) != len(names):
        return f"the row has {count(len(cells), 'cell')}; expected {len(names):,}, as in the first row"
    return {name: cell or None for name, cell in zip(names, cells, strict=True)}


def spool_csv(path: str, file: BinaryIO) -> array[int]:
    """Write the rows of the CSV file at *path* to *file*, and return the line on which each row starts.

    Raises UsageError and OSError; see read_csv().
    """
    starts = array("Q")
    rows = read_csv(path)
    next(rows, None)
    for row in rows:
        starts.append(row.line)
        file.write(orjson.dumps(row.value, option=_OPTIONS))
    return starts


def spool_rows(rows: Iterable[Any], file: BinaryIO, quality: int | None) -> int:
    """Write *rows*, mappings, to *file*, and return their number.

    Images become data URLs: files and bytes as they are, others and, with a *quality*, all as encode_image()
    writes them. Raises UsageError for what is not a mapping.
    """
    written = 0
    default = partial(_json, quality=quality)
    for written, row in enumerate(rows, 1):
        if not isinstance(row, Mapping):
            raise UsageError(
                f"row {written:,} is {type_of(row)}; expected a mapping of columns to values, "
                'such as a row of a datasets.Dataset or of data_frame.to_dict("records")'
            )
        try:
            text = orjson.dumps(dict(row), default, _OPTIONS)
        except (TypeError, ValueError, RecursionError) as error:  # UsageError is a ValueError
            cause = error.__cause__ or error
            text = orjson.dumps(str(cause), option=_OPTIONS)
        file.write(text)
    return written


def _json(value: Any, quality: int | None) -> Any:
    """Return *value*, which JSON does not have, as JSON has it. Raises TypeError or UsageError."""
    if isinstance(value, bytes | bytearray | memoryview):
        return _image_of_bytes(bytes(value), quality)
    convert: Callable[[], Any] | None = getattr(value, "tolist", None)
    if convert and getattr(value, "ndim", 0) < _PIXELS:  # a scalar or a list of NumPy
        return convert()
    if type(value).__name__ in ("NAType", "NaTType"):  # of pandas
        return None
    for kind, plain in _PLAIN:
        if isinstance(value, kind):
            return plain(value)
    if hasattr(value, "__array_interface__") or hasattr(value, "read"):
        return {"url": encode_image(value, quality=quality or 85)}
    raise TypeError(f"a value is {type_of(value)}; expected text, numbers, lists, mappings or images")


def _image_of_bytes(data: bytes, quality: int | None) -> dict[str, str]:
    kind = image_format(data)
    if quality is not None:
        chosen: ImageFormat = "JPEG"
        return {"url": encode_image(data, format=chosen, quality=quality)}
    media_type = MEDIA_TYPES.get(kind, "image/png")
    return {"url": f"data:{media_type};base64,{pybase64.b64encode_as_string(data)}"}


def undecoded(rows: Any) -> Any:
    """Return *rows*, a dataset of the library datasets, with images as they were saved.

    Its rows would have decoded images, which lose quality when they are saved again. Other rows are
    returned as they are.
    """
    features, cast = getattr(rows, "features", None), getattr(rows, "cast_column", None)
    for name, feature in (features or {}).items() if cast else ():
        inner: Any = getattr(feature, "feature", None)
        if type(feature).__name__ == "Image":
            rows = rows.cast_column(name, type(feature)(decode=False))
        elif type(inner).__name__ == "Image":
            rows = rows.cast_column(name, type(feature)(type(inner)(decode=False)))
    return rows
