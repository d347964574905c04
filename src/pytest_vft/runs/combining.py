"""One report of several: the reports of files with different configurations, and for several providers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from pytest_vft.model import BaselineUse, Cost, FileResult, Report, RuleResult, Severity, Tally, UnsettledUrl

_FACES_LAST = {"not selected": 1, "done": 2}


def combine(reports: Sequence[Report], notes: Iterable[str] = ()) -> Report:
    """Return *reports*, at least one, as one report with more *notes*.

    A rule has the severity of its findings: error if it failed as an error in any report. Its severity in
    other files is among their severities. Faces were looked for if they were in all reports; if not, a reason
    comes before "not selected".
    """
    first, *others = reports
    if not others:
        return replace(first, notes=(*first.notes, *notes))
    ids = dict.fromkeys(rule.id for report in reports for rule in report.rules)
    closes = {report.closes for report in reports}
    rules = tuple(
        _combined([rule for report in reports for rule in report.rules if rule.id == id_]) for id_ in ids
    )
    severities = {rule.id: rule.severity for rule in rules}
    return replace(
        first,
        provider=_names(report.provider for report in reports),
        provider_name=_names(report.provider_name for report in reports),
        closes=closes.pop() if len(closes) == 1 else None,
        model=_names(report.model for report in reports if report.model) or None,
        files=_files(reports, severities),
        rules=rules,
        findings=tuple(finding for report in reports for finding in report.findings),
        dataset={
            id_: sum((report.dataset.get(id_, Tally()) for report in reports), Tally())
            for id_ in dict.fromkeys(id_ for report in reports for id_ in report.dataset)
        },
        notes=(*dict.fromkeys(note for report in reports for note in report.notes), *notes),
        urls=sum(max(report.urls for report in alike) for alike in _alike(reports)),
        known=tuple(finding for report in reports for finding in report.known),
        baselines=_baselines([use for report in reports for use in report.baselines]),
        faces=min((report.faces for report in reports), key=lambda one: _FACES_LAST.get(one, 0)),
        by_data_format=any(report.by_data_format for report in reports),
        unsettled=_unsettled([one for report in reports for one in report.unsettled]),
        cost=_cost([cost for alike in _alike(reports) if (cost := _same_cost(alike)) is not None]),
    )


def _files(reports: Sequence[Report], severities: Mapping[str, Severity]) -> tuple[FileResult, ...]:
    """Return each file of *reports* once, with severities that differ from *severities*, those of all."""
    files: dict[str, FileResult] = {}
    for report in reports:
        own = {rule.id: rule.severity for rule in report.rules if rule.severity != severities[rule.id]}
        for file in report.files:
            known = files.get(file.path)
            if known is None:
                files[file.path] = file._replace(severities=own)
                continue
            files[file.path] = known._replace(
                stopped_by=known.stopped_by or file.stopped_by,
                tallies={**known.tallies, **file.tallies},
                bad_lines={**known.bad_lines, **file.bad_lines},
                gaps={**known.gaps, **file.gaps},
                severities={**known.severities, **own},
            )
    return tuple(files.values())


def _alike(reports: Sequence[Report]) -> list[list[Report]]:
    """Return *reports* grouped by their files: those for several providers have the same ones."""
    groups: dict[tuple[str, ...], list[Report]] = {}
    for report in reports:
        groups.setdefault(tuple(file.path for file in report.files), []).append(report)
    return list(groups.values())


def _same_cost(alike: Sequence[Report]) -> Cost | None:
    """Return the cost of reports on the same files; None if there are several."""
    costs = {report.cost for report in alike if report.cost is not None}
    return costs.pop() if len(costs) == 1 else None


def _names(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))


def _combined(results: Sequence[RuleResult]) -> RuleResult:
    failed = [result for result in results if result.tally.failed] or results
    worst = next((result for result in failed if result.severity == "error"), failed[0])
    reasons = dict.fromkeys(result.reason for result in results if result.reason is not None)
    return worst._replace(
        tally=sum((result.tally for result in results), Tally()),
        truncated=sum(result.truncated for result in results),
        gaps=sum((Counter(result.gaps) for result in results), Counter()),
        excused=all(result.excused for result in results if result.gaps.get("header_only")),
        allowed=worst.allowed if len(failed) == 1 else None,
        reason="; ".join(reasons) or None,
    )


def _baselines(uses: Sequence[BaselineUse]) -> tuple[BaselineUse, ...]:
    """Return *uses* with each baseline once."""
    gone: dict[str, dict[tuple[str, str, str], int]] = {}
    for use in uses:
        gone.setdefault(use.path, {}).update(use.gone)
    return tuple(BaselineUse(path, findings) for path, findings in gone.items())


def _unsettled(urls: Sequence[UnsettledUrl]) -> tuple[UnsettledUrl, ...]:
    """Return *urls* with each URL once."""
    by_url: dict[str, UnsettledUrl] = {}
    for one in urls:
        known = by_url.setdefault(one.url, one)
        if known is not one:
            by_url[one.url] = known._replace(places=tuple(dict.fromkeys((*known.places, *one.places))))
    return tuple(by_url.values())


def _cost(costs: Sequence[Cost]) -> Cost | None:
    """Return the sum of *costs*, without a price if their prices differ; None if there are none."""
    if not costs:
        return None
    prices = {(cost.price, cost.price_date) for cost in costs}
    price, price_date = prices.pop() if len(prices) == 1 else (None, None)
    return Cost(
        tokens_at_least=sum(cost.tokens_at_least for cost in costs),
        tokens_at_most=sum(cost.tokens_at_most for cost in costs),
        price=price,
        price_date=price_date,
        low_detail_at_least=sum(cost.low_detail_at_least for cost in costs),
        low_detail_at_most=sum(cost.low_detail_at_most for cost in costs),
    )
