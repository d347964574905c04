"""Which columns of a table hold questions, answers and images: names, dotted paths or templates."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pytest_vft.errors import UsageError
from pytest_vft.evaluation.layouts import value_at
from pytest_vft.evaluation.questions import json_text
from pytest_vft.naming import option
from pytest_vft.text import nearest, safe

NUMBER = "n"  # in a template: the number of the example, unless a column has this name
_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
_SHOWN = 12  # columns in a message
_EXACT = 2.0**63  # a JSON integer from here on may have been read as a float


class BadCellError(Exception):
    """A row whose cells cannot be used; the text says why."""


class Column(NamedTuple):
    """Where the values of a part of an example are found.

    A *name* is a column or a dotted path. A template has several *names* between *literals*, of which there
    is one more; a fixed text has none.
    """

    names: tuple[str, ...]
    literals: tuple[str, ...] = ("", "")

    @property
    def is_plain(self) -> bool:
        """Whether the value is that of a column, which need not be a text."""
        return len(self.names) == 1 and not any(self.literals)

    @property
    def fixed_text(self) -> str | None:
        """The text that is the same in all rows, if it is one."""
        return None if self.names else self.literals[0]

    def values(self, row: Mapping[str, Any], number: int, length: int | None = None) -> Any:
        """Return the value in *row*; a list of texts if a column of a template has a list.

        *number* is that of the first example of the row. If the row has *length* examples, a value with
        their numbers is a list as well. Raises BadCellError for lists of several lengths and for numbers
        that were rounded.
        """
        numbered = [is_number(name, row) for name in self.names]
        if self.is_plain and not any(numbered):
            return cell(row, self.names[0])
        pairs = list(zip(self.names, numbered, strict=True))
        cells = [number if is_counted else cell(row, name) for name, is_counted in pairs]
        lengths = {len(value) for value in cells if isinstance(value, list)}
        if length is not None and any(numbered):
            lengths.add(length)
        if not lengths:
            return self._text(cells)
        if len(lengths) > 1:
            raise BadCellError("the lists of a row have different lengths")
        every = range(lengths.pop())
        spread = (
            [number + at for at in every] if is_counted else _spread(value, len(every))
            for is_counted, value in zip(numbered, cells, strict=True)
        )
        return [self._text(values) for values in zip(*spread, strict=True)]

    def _text(self, cells: Sequence[Any]) -> str | None:
        if any(value is None for value in cells):
            return None
        middle = (as_text(value) + after for value, after in zip(cells, self.literals[1:], strict=True))
        return self.literals[0] + "".join(middle)


class Columns(NamedTuple):
    """The columns of each part of an example; *by* and *strata* are those of groups and of strata."""

    question: Column
    answer: Column
    image: Column
    id: Column | None = None
    by: Column | None = None
    strata: Column | None = None


def _spread(value: Any, length: int) -> list[Any]:
    return value if isinstance(value, list) else [value] * length


def is_number(name: str, row: Mapping[str, Any]) -> bool:
    """Return whether *name* is the number of the example."""
    return name == NUMBER and NUMBER not in row


def cell(row: Mapping[str, Any], name: str) -> Any:
    """Return the value of a column or dotted path; None for a missing one and for a float without value.

    Raises BadCellError for a number that was rounded when the row was read.
    """
    value = row[name] if name in row else value_at(row, name, None)
    _check_exact(value)
    return None if isinstance(value, float) and value != value else value  # noqa: PLR0124 - NaN is not itself


def _check_exact(value: Any) -> None:
    if isinstance(value, float) and abs(value) >= _EXACT:
        raise BadCellError(f"the number {value} has more than 64 bits and is not exact; write it as a text")
    if isinstance(value, list | dict):
        for one in value.values() if isinstance(value, dict) else value:
            _check_exact(one)


def as_text(value: Any) -> str:
    """Return *value* as text; an object or a list as JSON, and a float with no fraction as it is."""
    return value if isinstance(value, str) else json_text(value)


def read_column(name: str, text: str, rows: Sequence[Mapping[str, Any]]) -> Column:
    """Return the column that *text*, the value of the option *name*, stands for in *rows*, the first rows.

    A text with blanks that is not near to a column is a fixed text. Raises UsageError for a missing column.
    """
    if _has(rows, text):
        return Column((text,))
    names = _PLACEHOLDER.findall(text)
    if names:
        for one in names:
            if not _has(rows, one) and one != NUMBER:
                raise UsageError(_missing(name, one, rows))
        return Column(tuple(names), tuple(_PLACEHOLDER.split(text)[::2]))
    if re.search(r"\s", text) and not nearest(text, _columns(rows)):
        return Column((), (text,))
    raise UsageError(_missing(name, text, rows))


def _has(rows: Sequence[Mapping[str, Any]], name: str) -> bool:
    return any(name in row or value_at(row, name, None) is not None for row in rows)


def _columns(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(str(name) for row in rows for name in row))


def _missing(name: str, text: str, rows: Sequence[Mapping[str, Any]]) -> str:
    columns = _columns(rows)
    more = f" and {len(columns) - _SHOWN:,} more" if len(columns) > _SHOWN else ""
    known = ", ".join(map(safe, columns[:_SHOWN]))
    return f"{option(name)}: no column {safe(text)!r}{nearest(text, columns)}; columns: {known}{more}"
