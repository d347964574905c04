"""A report with its findings and the results of its rules, made from the result of linting."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import NamedTuple

from pytest_vft.catalogue.load import Rule, shipped_rules
from pytest_vft.checking.measuring import needs_detector
from pytest_vft.checking.results import LintResult
from pytest_vft.checking.totals import ShardFinding
from pytest_vft.gaps import CAUSES
from pytest_vft.model import FaceSearch, Finding, Report, RuleResult, Severity, Tally, UnsettledUrl
from pytest_vft.reading.compression import PACKED
from pytest_vft.reading.links import masked
from pytest_vft.reading.remote import FetchResults
from pytest_vft.report.repairable import FIX_FIRST
from pytest_vft.runs.notes import (
    allowed_notes,
    description_notes,
    length_notes,
    media_notes,
    name_notes,
    network_notes,
    skip_notes,
    split_notes,
)
from pytest_vft.runs.settings import Settings
from pytest_vft.text import Safe, fill, safe

_TOP = 2  # parts of a path such as /home
_FEW = 10  # findings on paths that are shown one by one


class RuleTexts(NamedTuple):
    """The texts of the findings of a rule; *message* is None if each finding has its own."""

    advice: str
    message: str | None = None


def rule_texts(rule: Rule, result: RuleResult, folder: str) -> RuleTexts:
    """Return the texts for the findings of *rule*; *folder* is the common folder of their paths, if any.

    A few paths are shown one by one, and a folder at the top of a file system is not worth naming.
    """
    if rule.below is None or result.tally.failed <= _FEW or len(PurePath(folder).parts) <= _TOP:
        return RuleTexts(rule.advice)
    advice = fill(rule.below["advice"], {"folder": Safe(safe(shlex.quote(folder), None))})
    message = fill(rule.below["message"], {"folder": Safe(safe(folder, None))})
    return RuleTexts(advice, message)


def make_finding(
    rule: Rule, severity: Severity, path: str, found: ShardFinding, texts: RuleTexts | None = None
) -> Finding:
    """Return *found*, a finding of *rule* on the file at *path*, with *severity*.

    *texts* are by default those of *rule*.
    """
    texts = texts or RuleTexts(rule.advice)
    return Finding(
        rule=rule.id,
        severity=severity,
        path=path,
        line=found.line,
        pointer=found.pointer,
        message=texts.message or found.message,
        advice=_advice(rule, path, found, texts.advice),
        image=found.image,
        skips=rule.skips,
        example=found.example,
        element=found.element,
        first=found.first,
        fix=found.fix,
        unsafe=found.fix is not None and rule.unsafe,
        box=tuple(map(int, found.box.split(","))) if found.box else None,
    )


def _advice(rule: Rule, path: str, found: ShardFinding, advice: str) -> str:
    """Return *advice* on *found*, after a safe repair, if vft fix can write the file at *path*."""
    if not found.fix or rule.unsafe or path.endswith(PACKED) or os.path.basename(path) == "-":  # noqa: PTH119 - a Path takes five times the time
        return advice
    return FIX_FIRST + advice


def rule_result(
    settings: Settings, rule: Rule, linted: LintResult, reasons: Iterable[Mapping[str, str]]
) -> RuleResult:
    """Return the result of *rule* on all files of *linted*; its severity follows `allow`.

    *reasons* are why rules are ignored, by id, in at least one file.
    """
    tally = linted.tallies.get(rule.id, Tally()) + linted.dataset.get(rule.id, Tally())
    allowed = settings.config.allow.get(rule.id)
    tolerated = allowed is not None and tally.failed <= allowed
    ignored = (by_rule[rule.id] for by_rule in reasons if rule.id in by_rule)
    # As rules on damage, which judge what the depth reads, a rule that nobody selected fails at no depth; one
    # that is asked for by its id is a gate, as are rules that are off by default and those of a project.
    named = settings.config.asked(settings.select, settings.extend_select)
    is_asked = rule.off or rule.id in named or rule.id not in shipped_rules()
    gaps = ((cause, linted.gaps.get((cause, rule.id), 0)) for cause in CAUSES)
    return RuleResult(
        id=rule.id,
        subject=rule.subject,
        severity="warning" if tolerated else rule.severity,
        tally=tally,
        truncated=linted.dropped.get(rule.id, 0),
        gaps={cause: number for cause, number in gaps if number},
        excused=not is_asked,
        allowed=allowed,
        reason="; ".join(dict.fromkeys(ignored)) or None,
        summary=rule.summary,
        why=rule.why,
        advice=rule.advice,
        source=rule.source,
    )


def _faces(settings: Settings, rules: Sequence[Rule], linted: LintResult) -> FaceSearch:
    """Return whether the run, which judged *rules*, looked for faces in images."""
    faces = settings.detectors.searched(rules)
    looking = (linted.tallies[rule.id] for rule in rules if needs_detector(rule))
    tally = sum(looking, Tally())
    if faces != "done" or not (tally.unknown or tally.left_out):
        return faces
    return "in part" if tally.checked or tally.ignored else "not decoded"


def make_report(
    settings: Settings,
    rules: Sequence[Rule],
    linted: LintResult,
    fetched: FetchResults,
    troubles: Iterable[str],
) -> Report:
    """Return the report on *linted*, the result of a check with *settings* by *rules*.

    *fetched* are the images behind URLs, *troubles* problems with the cache.
    """
    reasons = {id(by_rule): by_rule for by_rule in settings.reasons_by_file.values()}  # few differ
    results = tuple(rule_result(settings, rule, linted, reasons.values()) for rule in rules)
    severities = {result.id: result.severity for result in results}
    by_id = {rule.id: rule for rule in rules}
    texts = {
        rule.id: rule_texts(rule, result, linted.folders.get(rule.id, ""))
        for rule, result in zip(rules, results, strict=True)
    }
    closes = settings.provider.closes
    model = settings.provider.describe(settings.model)
    return Report(
        provider=settings.provider.id,
        faces=_faces(settings, [rule for rule in rules if rule.id in linted.tallies], linted),
        provider_name=settings.provider.name,
        by_data_format=settings.by_data_format and any(file.data_format != "openai" for file in linted.files),
        closes=closes.isoformat() if closes else None,
        model=settings.model,
        depth=settings.depth,
        offline=settings.network.offline,
        fail_on=settings.fail_on,
        require_checked=settings.require_checked,
        files=linted.files,
        rules=results,
        findings=tuple(
            make_finding(by_id[found.rule], severities[found.rule], path, found, texts[found.rule])
            for path, found in linted.findings
        ),
        dataset=linted.dataset,
        notes=(
            *name_notes(settings.sources),
            *description_notes(settings),
            *allowed_notes(results),
            *split_notes(linted.files),
            *media_notes(linted.files),
            *skip_notes(settings, linted.files),
            *length_notes(settings, results),
            *troubles,
            *network_notes(settings.network, fetched),
        ),
        urls=linted.urls,
        unsettled=tuple(
            UnsettledUrl(masked(url), fetched.remotes[url].cause or "unknown", tuple(places))
            for url, places in linted.unsettled.items()
        ),
        cost=linted.cost and linted.cost._replace(price=model.price, price_date=model.price_date),
    )
