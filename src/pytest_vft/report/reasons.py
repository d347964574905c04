"""Reasons of a compatibility verdict, in plain words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pytest_vft.model import Finding, Report, RuleResult
from pytest_vft.report.text import unknown_parts
from pytest_vft.text import count

_VERBS = {
    "has": "have",
    "is": "are",
    "does": "do",
    "starts": "start",
    "ends": "end",
    "refers": "refer",
    "contains": "contain",
    "cannot": "cannot",
    "may": "may",
}
# A summary of a rule: "An image has more bytes than ...".
_SUMMARY = re.compile(rf"An? ([\w -]+?) ((?:{'|'.join(_VERBS)}) .+?)\.?")


class UnknownReason(NamedTuple):
    """A number of subjects that a rule could not judge, and why in plain words."""

    rule: str
    number: int
    message: str


def plain_reason(result: RuleResult, findings: Sequence[Finding], failed: int) -> str:
    """Return what is wrong by *result*, which has these *findings*, of *failed* subjects.

    It is the message of the findings if they have the same one, else the summary of the rule: "An image has
    more bytes than the provider accepts." becomes "3 images have more bytes than the provider accepts".
    """
    messages = {finding.message for finding in findings}
    if len(messages) == 1:
        return _sentence(failed, result.subject, messages.pop())
    found = _SUMMARY.fullmatch(result.summary)
    if found is None:
        return f"{count(failed, result.subject)}: {result.summary.removesuffix('.')}"
    return _sentence(failed, found[1], found[2])


def _sentence(number: int, noun: str, predicate: str) -> str:
    """Return *number* with *noun* and *predicate*, whose verb follows the number.

    The predicate may start with a longer noun: "assistant message has weight".
    """
    predicate = predicate.removeprefix("the ")
    longer = re.match(rf"((?:[\w-]+ ){{0,2}}{re.escape(noun)}) (\w+ .*)", predicate, re.DOTALL)
    if longer and longer[2].partition(" ")[0] in _VERBS:
        noun, predicate = longer.groups()
    subject = "the file" if noun == "file" and number == 1 else count(number, noun)
    verb, _, rest = predicate.partition(" ")
    if number > 1 and re.match("is an? ", predicate):
        return f"{subject}: each {predicate}"
    if verb not in _VERBS:
        return predicate if noun == "file" and number == 1 else f"{subject}: {predicate}"
    return f"{subject} {verb if number == 1 else _VERBS[verb]} {rest}"


def unknown_reasons(report: Report, results: Sequence[RuleResult]) -> Iterator[UnknownReason]:
    """Yield what the rules of *results* could not judge, once for each kind of subject and reason."""
    most: dict[tuple[str, str], tuple[int, str]] = {}
    for result in results:
        for number, why in unknown_parts(report, result):
            key = (result.subject, why)
            if number > most.get(key, (0, ""))[0]:
                most[key] = (number, result.id)
    for (subject, why), (number, rule) in most.items():
        yield UnknownReason(rule, number, f"{count(number, subject)} not checked: {why}")
