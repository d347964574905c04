"""The accuracy of answers with intervals, as a table with a plot in each row.

Positions are in per cent of the width of the plots, which have one axis in common.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pytest_vft.evaluation.accuracy import Accuracy, Group
from pytest_vft.evaluation.gate import Gate
from pytest_vft.evaluation.results import Results
from pytest_vft.report.evaluation_words import interval_words, percent

MOST_GROUPS = 100  # rows for each key
_MARGIN = 3.0  # per cent of the width, on both sides
_STEP = 0.1  # the axis starts and ends at a multiple of it
_FINE, _COARSE = 0.3, 0.6  # lengths of axes
_LEAST = 0.2  # length of an axis


class Plot(NamedTuple):
    """The positions of an accuracy, of the ends of its interval, and of the minimum."""

    at: float
    low: float
    high: float
    minimum: float | None


class AccuracyRow(NamedTuple):
    """A row of the table: whose accuracy it is, its figures, and its plot.

    *state* is "other" for the other model, "low" for a group that is too low, and "few" for one of too few
    answers; *remark* says the same to people.
    """

    name: str
    right: str
    share: str
    interval: str
    state: str
    remark: str
    plot: Plot

    @property
    def described(self) -> str:
        """The plot in words."""
        return f"{self.name}: {self.share}, 95 % interval {self.interval}"


class AccuracyBlock(NamedTuple):
    """Rows below a title; *more* is the number of groups that are left out."""

    kind: str
    title: str
    rows: Sequence[AccuracyRow]
    more: int = 0


class AccuracyChart(NamedTuple):
    """Blocks of rows, and the positions of the *ticks* of the axis with their labels."""

    blocks: Sequence[AccuracyBlock]
    ticks: Sequence[tuple[float, str]]
    has_minimum: bool


class _Axis(NamedTuple):
    """An axis from *start* to *end*, both shares."""

    start: float
    end: float

    def position(self, share: float) -> float:
        inner = (share - self.start) / (self.end - self.start)
        return round(_MARGIN + (100 - 2 * _MARGIN) * min(max(inner, 0.0), 1.0), 2)

    @property
    def ticks(self) -> Iterator[tuple[float, str]]:
        length = self.end - self.start
        step = 5 if length <= _FINE else 10 if length <= _COARSE else 20
        first = math.ceil(round(self.start * 100, 6) / step) * step
        for value in range(first, round(self.end * 100) + 1, step):
            yield self.position(value / 100), f"{value} %"


def accuracy_chart(results: Results) -> AccuracyChart:
    """Return the chart of all gates of *results*: each kind, both models, and groups."""
    against = {comparison.kind: comparison.against for comparison in results.comparisons}
    shown = [gate.accuracy for gate in results.gates] + list(against.values())
    shown += [group.accuracy for gate in results.gates for group in _shown_groups(gate)]
    minima = [gate.minimum for gate in results.gates if gate.minimum is not None]
    axis = _axis(shown, minima)
    blocks: list[AccuracyBlock] = []
    for gate in results.gates:
        rows = [_row(results.predictions, gate.accuracy, gate.minimum, axis)]
        if gate.kind in against:
            rows.append(_row(str(results.against), against[gate.kind], gate.minimum, axis, "other"))
        blocks.append(AccuracyBlock(str(gate.kind), f"{gate.kind or 'all'} answers", rows))
        blocks += _group_blocks(gate, axis)
    return AccuracyChart(blocks, list(axis.ticks) if shown else [], bool(minima))


def _axis(shown: Sequence[Accuracy], minima: Sequence[float]) -> _Axis:
    lowest = min([one.interval.low for one in shown] + [*minima], default=0.0)
    highest = max([one.interval.high for one in shown] + [*minima], default=1.0)
    start = math.floor(round(lowest / _STEP, 6)) * _STEP
    end = math.ceil(round(highest / _STEP, 6)) * _STEP
    if end - start < _LEAST:
        start, end = max(0.0, end - _LEAST), max(end, _LEAST)
    return _Axis(start, end)


def _shown_groups(gate: Gate) -> list[Group]:
    return [
        group for key in gate.by for group in [one for one in gate.groups if one.key == key][:MOST_GROUPS]
    ]


def _group_blocks(gate: Gate, axis: _Axis) -> Iterator[AccuracyBlock]:
    for key in gate.by:
        groups = [group for group in gate.groups if group.key == key]
        rows = [
            _row(group.value, group.accuracy, gate.minimum, axis, _state(group))
            for group in groups[:MOST_GROUPS]
        ]
        title = f"{gate.kind or 'all'} answers by {key}"
        yield AccuracyBlock(str(gate.kind), title, rows, len(groups) - len(rows))


def _state(group: Group) -> str:
    return "few" if group.few else "" if group.ok else "low"


_REMARKS = {"few": "too few answers for a verdict", "low": "too low"}


def _row(name: str, accuracy: Accuracy, minimum: float | None, axis: _Axis, state: str = "") -> AccuracyRow:
    low, high = accuracy.interval
    return AccuracyRow(
        name,
        f"{accuracy.right:,} of {accuracy.n:,}",
        percent(accuracy.share),
        interval_words(accuracy),
        state,
        _REMARKS.get(state, ""),
        Plot(
            axis.position(accuracy.share),
            axis.position(low),
            axis.position(high),
            None if minimum is None else axis.position(minimum),
        ),
    )
