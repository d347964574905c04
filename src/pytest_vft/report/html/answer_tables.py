"""How answers are distributed: ratings of the judge, and confusions of closed questions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pytest_vft.evaluation.calibration import Calibration
from pytest_vft.evaluation.gate import Gate
from pytest_vft.evaluation.ratings import RATINGS
from pytest_vft.evaluation.results import Results
from pytest_vft.evaluation.scoring import CLOSED, kinds_of, normalise_text
from pytest_vft.report.html.bars import BarPart, bar

_OTHER = "other"
_MOST_LABELS = 12  # rows of a matrix
_MOST_PAIRS = 20
_SHADES = 4


class RatingBar(NamedTuple):
    """The ratings of the answers of *kind* in the file *path*."""

    kind: str
    path: str
    parts: Sequence[BarPart]


class MatrixCell(NamedTuple):
    """A number, whether it counts right answers, and a shade from 0 to _SHADES for its share of the row."""

    number: int
    is_right: bool
    shade: int


class AnswerMatrix(NamedTuple):
    """Numbers of answers: a row for each actual answer, a column for each given one.

    With too many different answers there are only *pairs*: given, actual answer and number.
    """

    rows_are: str
    columns_are: str
    columns: Sequence[str] = ()
    rows: Sequence[tuple[str, Sequence[MatrixCell]]] = ()
    pairs: Sequence[tuple[str, str, int]] = ()
    more: int = 0


def rating_bars(results: Results) -> Iterator[RatingBar]:
    """Yield bars of the ratings in *results*, of both models if there are two."""
    against = {comparison.kind: comparison for comparison in results.comparisons}
    for gate in results.gates:
        comparison = against.get(gate.kind)
        theirs = comparison.against_ratings if comparison else {}
        if gate.ratings or theirs:
            yield RatingBar(str(gate.kind), results.predictions, _rating_parts(gate.ratings))
        if theirs:
            yield RatingBar(str(gate.kind), str(results.against), _rating_parts(theirs))


def _rating_parts(ratings: Mapping[str, int]) -> Sequence[BarPart]:
    parts = bar(**{f"rating-{number}": ratings.get(name, 0) for number, name in enumerate(RATINGS)})
    return [part._replace(label=name) for part, name in zip(parts, RATINGS, strict=True)]


def confusion_matrix(gate: Gate, results: Results) -> AnswerMatrix | None:
    """Return given and actual answers of the closed questions of *gate*; None if none is wrong."""
    choices = {normalise_text(choice): choice for choice in (*CLOSED, *gate.scoring.choices)}

    def choice(text: str | None) -> str:
        return choices.get(normalise_text(text or ""), _OTHER)

    wrong: Counter[tuple[str, str]] = Counter()
    for mark in gate.wrong:
        if mark.kind == "closed":
            said, truth = choice(mark.answer.said), choice(mark.answer.truth)
            wrong[truth, _OTHER if said == truth else said] += 1
    if not wrong:
        return None
    answers = results.matched.answers
    kinds = kinds_of(answers, gate.scoring.choices)
    asked = Counter(choice(one.truth) for one, kind in zip(answers, kinds, strict=True) if kind == "closed")
    asked.subtract(choice(mark.answer.truth) for mark in gate.ungraded if mark.kind == "closed")
    for (truth, _), number in wrong.items():
        asked[truth] -= number
    numbers = wrong + Counter({(truth, truth): number for truth, number in asked.items()})
    return _matrix(numbers, "actual answer", "given answer")


def calibration_matrix(calibration: Calibration) -> AnswerMatrix:
    """Return the ratings of people and judge that *calibration* counts."""
    return _matrix(calibration.confusions, "people", "judge", RATINGS)


def _matrix(
    numbers: Mapping[tuple[str, str], int], rows_are: str, columns_are: str, order: Sequence[str] = ()
) -> AnswerMatrix:
    """Return the matrix of *numbers*, which are by row and column."""
    used = {name for pair, number in numbers.items() if number for name in pair}
    names = [name for name in order if name in used] or sorted(used, key=lambda one: (one == _OTHER, one))
    if len(names) > _MOST_LABELS:
        confused = sorted((n, row, column) for (row, column), n in numbers.items() if row != column)
        pairs = [(column, row, n) for n, row, column in reversed(confused)]
        return AnswerMatrix(rows_are, columns_are, pairs=pairs[:_MOST_PAIRS], more=len(pairs[_MOST_PAIRS:]))
    columns = [name for name in names if any(numbers.get((row, name)) for row in names)]
    rows = [name for name in names if any(numbers.get((name, column)) for column in columns)]
    return AnswerMatrix(
        rows_are,
        columns_are,
        columns,
        [(row, _cells([numbers.get((row, column), 0) for column in columns], row, columns)) for row in rows],
    )


def _cells(numbers: Sequence[int], row: str, columns: Sequence[str]) -> list[MatrixCell]:
    total = sum(numbers) or 1
    return [
        MatrixCell(number, column == row, -(-number * _SHADES // total))
        for number, column in zip(numbers, columns, strict=True)
    ]
