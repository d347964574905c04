"""Why a provider does not simply take the files of a report, and what may matter to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pytest_vft.catalogue.load import Rule
from pytest_vft.compatibility import Reason
from pytest_vft.model import Effect, Finding, Report, RuleResult
from pytest_vft.report.reasons import plain_reason, unknown_reasons
from pytest_vft.runs.settings import MAX_TOKENS, Settings

# What it means that a rule could not be checked, by what its failure means.
_UNCLEAR: Mapping[Effect, Effect] = {"refuses": "unknown", "loses": "note"}


def telling_rules(settings: Settings) -> frozenset[str]:
    """Return the ids of the rules of *settings* whose failure may be a reason; see find_reasons()."""
    return frozenset(rule.id for rule in settings.rules if rule.meaning != "nothing" or rule.key_effects)


def find_reasons(settings: Settings, report: Report) -> Iterator[Reason]:
    """Yield the reasons in *report* why the provider of *settings* does not simply take the files."""
    results = {result.id: result for result in report.rules}
    rules = [rule for rule in settings.rules if rule.id in results]
    for rule in rules:
        result = results[rule.id]
        if result.tally.failed:
            found = [one for one in report.findings if one.rule == rule.id]
            for effect, number, shown in _by_effect(rule, result.tally.failed, found):
                first, message = shown[0], plain_reason(result, shown, number)
                yield Reason(rule.id, effect, number, message, first.path, first.line)
    unclear: dict[Effect, list[RuleResult]] = {"refuses": [], "loses": []}
    for rule in sorted(rules, key=lambda rule: rule.id not in settings.provider.rules):
        if rule.meaning in unclear and not (MAX_TOKENS in rule.limits and settings.image_tokens is None):
            unclear[rule.meaning].append(results[rule.id])
    told = set()
    for meaning, effect in _UNCLEAR.items():
        for rule_id, number, message in unknown_reasons(report, unclear[meaning]):
            is_read = results[rule_id].subject != "file" or not any(one.stopped_by for one in report.files)
            if message not in told and is_read:
                told.add(message)
                yield Reason(rule_id, effect, number, message)


def _by_effect(
    rule: Rule, failed: int, found: Sequence[Finding]
) -> Iterator[tuple[Effect, int, Sequence[Finding]]]:
    """Yield each effect of the findings *found* of *rule*, with the number of its subjects and its findings.

    Only the first findings of a file are kept: if all have one effect, all *failed* subjects have it.
    """
    by_effect: dict[Effect, list[Finding]] = {}
    for one in found:
        key = one.pointer.rpartition("/")[2] if one.pointer else ""
        by_effect.setdefault(rule.key_effects.get(key, rule.meaning), []).append(one)
    for effect, shown in by_effect.items():
        if effect != "nothing":
            distinct = len({(one.path, one.line, one.pointer) for one in shown})
            yield effect, failed if len(by_effect) == 1 else min(distinct, failed), shown
