"""A conversion as text: what was refused, written, changed and lost, the verdict, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pytest_vft.formats.unread import KEY
from pytest_vft.model import Report
from pytest_vft.output_summary import OutputSummary
from pytest_vft.report.layout import DEFAULT, Display, wrapped
from pytest_vft.report.outputs import output_lines, sum_of
from pytest_vft.report.text import amount, render_text, unknown_lines
from pytest_vft.report.verdict import verdict
from pytest_vft.text import count, fill, safe

_MOST_SHOWN = 10
_MOST_KEYS = 8  # that are named
# What is lost, by kind, with the noun for one of them.
_LOST = {
    "images": "{n:image} in keys that are not read",
    "weight": "weight of {n:answer}",
    "tools": "tools of {n:example}",
    "roles": "place of {n:system message}",
    "refusals": "refusal of {n:answer}",
    "preferences": "other answer of {n:example}",
    "name": "name of {n:message}",
    "detail": "detail of {n:image}",
    "developer": "role developer of {n:message}, written as system",
    "turns": "boundary of {n:message}, merged with the message of the same role before",
    "ids": "id of {n:call}, told by name and order",
    "other keys": "{n:other key}",
}
_CHANGED = ("fetched", "embedded", "written to files", "repaired")


class RefusedExamples(NamedTuple):
    """Examples of a file that were not converted for one reason, the place of the first and their number."""

    path: str
    place: str
    why: str
    number: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """Result of a conversion for *target*, a provider or a data format.

    *written* says whether the *outputs* were written, *refused* has examples that were not converted, by the
    first reasons, of *refusals* in all. *losses* and *changes* are numbers by kind, *side_files* the paths of
    files that a trainer needs beside the data. *report* is the check of the outputs, *next* what to do
    with them; *notes* are remarks on options.
    """

    target: str
    data_format: str
    written: bool
    outputs: tuple[OutputSummary, ...] = ()
    refused: tuple[RefusedExamples, ...] = ()
    refusals: int = 0
    dropped: bool = False
    losses: Mapping[str, int] = field(default_factory=dict)
    changes: Mapping[str, int] = field(default_factory=dict)
    side_files: tuple[str, ...] = ()
    report: Report | None = None
    next: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the outputs were written, each has an example, and no finding of their check fails it."""
        return self.written and not self.empty and (self.report is None or self.report.ok)

    @property
    def empty(self) -> list[str]:
        """The paths of outputs without an example: all examples were set aside."""
        return [output.path for output in self.outputs if not output.kept]


def render_conversion(result: Conversion, display: Display = DEFAULT) -> str:
    """Return *result* as text."""
    lines = list(refused_lines(result.refused, result.refusals, result.target))
    if not result.written:
        lines.append(_nothing_written(result))
        return "\n".join(lines) + "\n"
    lines += output_lines(result.outputs)
    if any(one.aside or sum(one.removed.values()) for one in result.outputs):
        lines.append(sum_of(result.outputs))
    lines += (f"{safe(path, None)}  for the trainer" for path in result.side_files)
    for text in (changed_text(result.changes), lost_text(result.losses)):
        lines += wrapped(text, width=display.width) if text else ()
    for note in result.notes:
        lines += wrapped(f"note: {note}", width=display.width)
    if result.report and not (result.empty and result.report.ok):
        lines += verdict_lines(result.report, display)
    lines += (f"FAILED  {safe(path, None)}: has no example; all were set aside" for path in result.empty)
    if not result.report and not result.empty:
        lines.append("not checked: no examples, or no provider reads them")
    for step in result.next if result.ok else ():
        lines += next_lines(step)
    return "\n".join(lines) + "\n"


def refused_lines(refused: Sequence[RefusedExamples], number: int, target: str) -> Iterator[str]:
    """Yield a line for each of the first reasons in *refused*; *number* is that of all examples refused."""
    shown = refused[:_MOST_SHOWN]
    for one in shown:
        more = f"; {one.number - 1:,} more" if one.number > 1 else ""
        yield f"{safe(one.path, None)}:{one.place}  refused: {safe(one.why, None)}{more}"
    left = number - sum(one.number for one in shown)
    if left:
        yield f"... and {left:,} more refused for {safe(target)}"


def refusal_words(result: Conversion) -> str:
    """Return how many examples cannot be converted, and why: the first reason, and how many others."""
    return refused_words(result.refusals, [one.why for one in result.refused])


def refused_words(number: int, causes: Sequence[str]) -> str:
    """Return that a *number* of examples cannot be converted, with the first of their *causes*."""
    reasons = list(dict.fromkeys(causes))
    why = f": {reasons[0]}" if reasons else ""
    more = f" (and {count(len(reasons) - 1, 'other reason')})" if len(reasons) > 1 else ""
    return f"{count(number, 'example')} cannot be converted{why}{more}"


def _nothing_written(result: Conversion) -> str:
    total = sum(one.total - sum(one.removed.values()) for one in result.outputs)
    return (
        f"FAILED  {result.refusals:,} of {count(total, 'example')} cannot be converted; "
        f"nothing was written ({drop_advice(result.refusals, result.dropped)})"
    )


def drop_advice(refusals: int, drop: bool) -> str:  # noqa: FBT001 - whether --drop was given
    """Return why so many *refusals* kept files from being written: without *drop*, or with too many."""
    if drop:
        return "more than --max-dropped"
    return "--drop sets it aside" if refusals == 1 else "--drop sets them aside"


def changed_text(changes: Mapping[str, int]) -> str:
    """Return what was done that changes nothing in training, from numbers by kind; "" if nothing was."""
    kinds = [kind for kind in _CHANGED if changes.get(kind)]
    words = {kind: kind for kind in kinds}
    if files := changes.get("image files"):
        words["written to files"] = f"written to {count(files, 'file')}"
    texts = [f"{count(changes[kind], 'image')} {words[kind]}" for kind in kinds]
    if contents := changes.get("contents"):
        texts.append(f"contents of {count(contents, 'message')} written as lists")
    return f"changed: {'; '.join(texts)}" if texts else ""


def lost_text(losses: Mapping[str, int]) -> str:
    """Return what is lost as a line, from numbers by kind; "" if nothing is."""
    texts = lost_texts(losses)
    return f"lost: {'; '.join(texts)}" if texts else ""


def lost_texts(losses: Mapping[str, int]) -> list[str]:
    """Return what is lost in words, from numbers by kind."""
    texts = [fill(words, {"n": losses[kind]}) for kind, words in _LOST.items() if losses.get(kind)]
    keys = sorted((kind for kind in losses if kind.startswith(KEY)), key=lambda kind: (-losses[kind], kind))
    named = [f"{safe(kind.removeprefix(KEY))} ({losses[kind]:,})" for kind in keys[:_MOST_KEYS]]
    if more := len(keys) - len(named):
        named.append(f"{more:,} more")
    return [*texts, f"{'key' if len(keys) == 1 else 'keys'} {', '.join(named)}"] if keys else texts


def verdict_lines(report: Report, display: Display) -> Iterator[str]:
    """Yield the report if it fails, else a line for each warning, what was not checked, and the verdict."""
    if not report.ok:
        yield from render_text(report, display).splitlines()
        return
    for rule in report.rules:
        if rule.tally.failed:
            found = [one for one in report.findings if one.rule == rule.id]
            yield f"{rule.severity} {rule.id}: {amount(rule, found)}"
    for line in unknown_lines(report):
        yield from wrapped(line, width=display.width)
    word, _, judged = verdict(report).partition("  ")
    examples = count(sum(file.examples for file in report.files), "example")
    yield f"{word}  as provider {safe(report.provider)}: {judged}, {examples}"


def next_lines(step: str) -> Iterator[str]:
    """Yield *step*, what to do next, which may have several lines."""
    first, *others = step.strip().split("\n")  # other line breaks may be in the name of a file
    if not others:
        yield f"next: {safe(first, None)}"
        return
    yield "next:"
    yield from (f"  {safe(line, None)}" for line in (first, *others))
