"""The result of a build, from what was written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pytest_vft.errors import UsageError
from pytest_vft.formats.registry import load_writer
from pytest_vft.model import Split
from pytest_vft.report.build import BuiltDataset, BuiltSplit
from pytest_vft.report.conversion import RefusedExamples
from pytest_vft.runs.build_output import BuildTotals
from pytest_vft.runs.build_plans import BuildSetup
from pytest_vft.runs.build_survey import Arrangement, TableSurvey
from pytest_vft.runs.next_steps import next_steps
from pytest_vft.tables.shard import TEST

_ELSEWHERE = {"url", "bucket"}  # transports of images whose content is not read if they are kept


def build_result(
    setup: BuildSetup,
    surveys: Sequence[TableSurvey],
    names: Mapping[Split, str],
    written: BuildTotals,
    arrangement: Arrangement | None,
) -> BuiltDataset:
    """Return the result of a build of *surveys* into the files *names*.

    Without an *arrangement* nothing was written.
    """
    request, form = setup.request, setup.form
    paths = {split: str(request.out / name) for split, name in names.items()}
    whole = max(sum(written.examples.values()), 1)
    trained = {path: split for split, path in paths.items() if split != TEST}
    is_written = arrangement is not None
    steps = (
        next_steps(request.target, form.data_format, form.train, request.out, trained) if is_written else ()
    )
    with_refusals = {table for table, _ in written.refused} if is_written else set()
    aside = [name for number, name in enumerate(input_names(surveys)) if number in with_refusals]
    alike = arrangement.alike if arrangement else None
    parts = {"question": setup.columns.question, "answer": setup.columns.answer}
    return BuiltDataset(
        target=request.target.name,
        data_format=form.data_format,
        written=is_written,
        splits=tuple(
            BuiltSplit(split, path, written.examples[split], written.examples[split] / whole)
            for split, path in paths.items()
        ),
        shares=tuple(share for share in request.shares.of if share),
        asked=request.options.get("split") or "",
        exact=request.shares.exact,
        rows=sum(row is not None for one in surveys for row in one.rows),
        blank=sum(row is None for one in surveys for row in one.rows),
        refused=tuple(_reasons(surveys, written)),
        refusals=len(written.refused),
        dropped=request.limit.drop,
        aside=tuple(str(request.out / name) for name in aside),
        few_shot=request.few_shot,
        groups=arrangement.groups if arrangement else 0,
        alike=alike.images if alike else None,
        partly_compared=alike.partly_compared if alike else 0,
        uncompared=alike.uncompared if alike else 0,
        by_url=form.images == "keep" and any(one.transports & _ELSEWHERE for one in surveys),
        beside=arrangement.beside if arrangement else 0,
        advice=tuple(load_writer(form.data_format).advice(form.train)) if request.few_shot else (),
        fixed={name: text for name, column in parts.items() if (text := column.fixed_text) is not None},
        losses=dict(written.losses),
        changes=dict(written.changes),
        side_files=tuple(str(request.out / name) for name in written.side_files),
        next=tuple(steps) if is_written else (),
    )


def input_names(surveys: Sequence[TableSurvey]) -> list[str]:
    """Return the names of the tables. Raises UsageError if two are the same."""
    names = [Path(one.table.path).name for one in surveys]
    if repeated := next((name for name in names if names.count(name) > 1), None):
        raise UsageError(f"{repeated}: two tables have this name; rename one")
    return names


def _reasons(surveys: Sequence[TableSurvey], written: BuildTotals) -> Iterator[RefusedExamples]:
    """Yield the reasons for which rows are refused, each with its first row and the number of rows."""
    reasons: dict[tuple[int, str], tuple[int, int]] = {}
    for (table, row), why in sorted(written.refused.items()):
        first, number = reasons.get((table, why), (row, 0))
        reasons[table, why] = first, number + 1
    for (table, why), (row, number) in reasons.items():
        file = surveys[table].table
        yield RefusedExamples(file.path, file.place(row), why, number)
