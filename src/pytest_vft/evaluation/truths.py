"""The actual answers to a test split in a file beside it: TEST.truths.csv with line, id and truth."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pytest_vft.errors import EvaluationError
from pytest_vft.regular_files import regular
from pytest_vft.text import count

TRUTHS = ".truths.csv"  # follows the name of a test split without its end
COLUMNS = ("line", "id", "truth")
_LARGEST_CELL = 512 * 1024 * 1024


class Truths(NamedTuple):
    """The id of a question, if it has one, and its actual answers, at least one."""

    id: str | None
    answers: tuple[str, ...]


def truths_path(path: str) -> str:
    """Return where the actual answers to the test split at *path* are, if they are in a file of their own."""
    return os.path.splitext(path)[0] + TRUTHS  # noqa: PTH122 - a path as the user wrote it


def read_truths_beside(path: str, lines: int) -> Mapping[int, Truths]:
    """Return the actual answers to the test split at *path*, which has this number of *lines*, by line.

    There are none without the file. Raises EvaluationError for a file with other columns or lines.
    """
    beside = truths_path(path)
    try:
        with open(beside, encoding="utf-8", newline="", opener=regular) as file:
            csv.field_size_limit(_LARGEST_CELL)
            found: dict[int, Truths] = {}
            for line, id_, truth in _rows(beside, csv.reader(file, strict=True)):
                earlier = found.get(line, Truths(id_ or None, ()))
                found[line] = earlier._replace(answers=(*earlier.answers, truth))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, csv.Error) as error:
        raise EvaluationError(f"{beside}: {error}") from None
    if found and max(found) > lines:
        raise EvaluationError(
            f"{beside}: has an answer to line {max(found):,}, but {path} has {count(lines, 'question')}; "
            "it belongs to another test split"
        )
    return found


def _rows(path: str, rows: Iterator[list[str]]) -> Iterator[tuple[int, str, str]]:
    """Yield line, id and truth of each of *rows* in the file at *path*."""
    if tuple(next(rows, ())) != COLUMNS:
        raise EvaluationError(f"{path}: expected the columns {', '.join(COLUMNS)}")
    for number, row in enumerate(rows, 2):
        if len(row) != len(COLUMNS) or not row[0].isdecimal():
            raise EvaluationError(f"{path}:{number}: expected the number of a line, an id and an answer")
        yield int(row[0]), row[1], row[2]
