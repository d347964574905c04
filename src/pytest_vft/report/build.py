"""A build as text: what was refused, the splits with their shares, the verdict, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pytest_vft.checking.measuring import SIMILAR_IMAGE
from pytest_vft.evaluation.truths import TRUTHS
from pytest_vft.model import SPLITS, Report
from pytest_vft.report.conversion import (
    RefusedExamples,
    changed_text,
    drop_advice,
    lost_text,
    next_lines,
    refused_lines,
    verdict_lines,
)
from pytest_vft.report.layout import DEFAULT, Display, wrapped
from pytest_vft.text import count, safe

SEVERAL = "several answers"  # a kind of change
_FAR = 0.02  # by how much a share differs from the one that was asked for, if the step is named


@dataclass(frozen=True, slots=True)
class BuiltSplit:
    """A split that was built: its *path*, its number of *examples*, and their share of all, from 0 to 1."""

    split: str
    path: str
    examples: int
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltDataset:
    """Result of a build for *target*, a provider or a data format.

    *written* says whether the *splits* were written. *shares* are those that were asked for, *asked* as they
    were given, and *exact* says whether they were to be met exactly. *rows* is the number of rows and *blank*
    that of blank lines; *refused* has rows that cannot be used, by reasons, of *refusals* in all, and *aside*
    the paths of which FILE.rej and FILE.rej.csv have them. *few_shot* is the number of examples that are
    shown before each question, *groups* the number of groups of rows, and *alike* that of images that look
    like others, None if they were not compared; *partly_compared* were compared with some others only, and
    *uncompared* with none: those that were not decoded, and those behind URLs. *by_url* says that images
    stay behind URLs, so that their content is not known. *beside* is the number of examples of train with an
    image that is shown, and *advice* says how to train so that answers that are shown are not trained on.
    *fixed* has texts that are the same in all examples, by part.
    *losses* and *changes* are numbers by kind, *side_files* the paths of files that a trainer needs beside
    the data. *report* is the check of the splits, *next* what to do with them.
    """

    target: str
    data_format: str
    written: bool
    splits: tuple[BuiltSplit, ...] = ()
    shares: tuple[float, ...] = ()
    asked: str = ""
    exact: bool = False
    rows: int = 0
    blank: int = 0
    refused: tuple[RefusedExamples, ...] = ()
    refusals: int = 0
    dropped: bool = False
    aside: tuple[str, ...] = ()
    few_shot: int = 0
    groups: int = 0
    alike: int | None = None
    partly_compared: int = 0
    uncompared: int = 0
    by_url: bool = False
    beside: int = 0
    advice: tuple[str, ...] = ()
    fixed: Mapping[str, str] = field(default_factory=dict)
    losses: Mapping[str, int] = field(default_factory=dict)
    changes: Mapping[str, int] = field(default_factory=dict)
    side_files: tuple[str, ...] = ()
    report: Report | None = None
    next: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the splits were written, and no finding of their check fails it."""
        return self.written and (self.report is None or self.report.ok)


def render_build(result: BuiltDataset, display: Display = DEFAULT) -> str:
    """Return *result* as text."""
    lines = list(refused_lines(result.refused, result.refusals, result.target))
    if not result.written:
        lines.append(_nothing_written(result))
        return "\n".join(lines) + "\n"
    lines += _splits(result)
    for text in _notes(result):
        lines += wrapped(text, width=display.width)
    if result.report:
        lines += verdict_lines(result.report, display)
        lines += wrapped(_leak_text(result), width=display.width) if _leaks(result.report) else ()
    else:
        lines.append("not checked: no provider reads them")
    for step in result.next if result.ok else ():
        lines += next_lines(step)
    return "\n".join(lines) + "\n"


def _leaks(report: Report) -> bool:
    """Return whether images of different splits look alike."""
    return any(rule.subject == SIMILAR_IMAGE and rule.tally.failed for rule in report.rules)


def _leak_text(result: BuiltDataset) -> str:
    text = "images that look alike are in different splits"
    if result.alike is None:
        return f"{text}; --near keeps them in one"
    return f"{text}, as not all were compared" if result.partly_compared or result.uncompared else text


def _nothing_written(result: BuiltDataset) -> str:
    return (
        f"FAILED  {result.refusals:,} of {count(result.rows, 'row')} cannot be used; "
        f"nothing was written ({drop_advice(result.refusals, result.dropped)})"
    )


def _splits(result: BuiltDataset) -> Iterator[str]:
    widest = max(len(safe(one.path, None)) for one in result.splits)
    most = max(len(count(one.examples, "example")) for one in result.splits)
    for one in result.splits:
        share = f"{100 * one.share:5.1f} %" if len(result.splits) > 1 else ""
        answers = f", answers in test{TRUTHS}" if one.split == "test" else ""
        numbers = count(one.examples, "example")
        yield f"{safe(one.path, None):<{widest}}  {numbers:>{most}}  {share}{answers}".rstrip()


def _notes(result: BuiltDataset) -> Iterator[str]:
    for name, text in result.fixed.items():
        yield f"{name} of all examples: {safe(text)!r}, since no column has this name"
    kept = result.rows - result.refusals
    parts = [f"{kept:,} kept", *([f"{result.refusals:,} set aside"] if result.refusals else [])]
    parts += [f"{count(result.blank, 'blank line')} removed"] if result.blank else []
    total = f"{' + '.join(parts)} = {count(result.rows + result.blank, 'row')}"
    yield total if len(parts) > 1 else count(kept, "row")
    for path in result.aside:
        yield f"set aside: {safe(path, None)}.rej, reasons in {safe(path, None)}.rej.csv"
    if len(result.splits) > 1:
        yield _groups_text(result)
        yield _shares_text(result)
    if result.few_shot:
        yield _few_shot_text(result)
    for path in result.side_files:
        yield f"{safe(path, None)}  for the trainer"
    if several := result.changes.get(SEVERAL):
        yield f"{count(several, 'example')} with several answers: the most frequent one is trained on"
    losses = {kind: number for kind, number in result.losses.items() if kind != "weight"}
    for said in (changed_text(result.changes), lost_text(losses)):
        if said:
            yield said


def _groups_text(result: BuiltDataset) -> str:
    text = f"no image is in two splits{_near_text(result)}: {count(result.groups, 'group')} of rows"
    if result.by_url:
        text += (
            "; an image behind a URL is known by its URL, so the same image behind two may be in two splits"
        )
    if result.uncompared:
        stays = "behind a URL, " if result.by_url else ""
        text += (
            f"; {count(result.uncompared, 'image')} not compared: {stays}damaged, too large to decode, or "
            "in a format that is not decoded"
        )
    if result.partly_compared:
        counted = " (the check counts only those of a later split)" if result.report else ""
        text += (
            f"; {count(result.partly_compared, 'image')} compared with only some others, as too many look "
            f"nearly alike, so some that look alike may be in two splits{counted}"
        )
    return text


def _near_text(result: BuiltDataset) -> str:
    """Return what is known of images that look alike: less if some were compared in part."""
    if result.alike is None:
        return ""
    if result.partly_compared:
        return (
            f", and {count(result.alike, 'image')} that look alike are kept together" if result.alike else ""
        )
    number = f"{result.alike:,}" if result.alike else "none"
    which = " that was compared" if result.uncompared else ""
    return f", and no image{which} is like one of another split ({number} are alike)"


def _shares_text(result: BuiltDataset) -> str:
    """Return which shares were wanted, which are met, and the step to take if they differ much."""
    places = SPLITS[: result.asked.count("/") + 1]
    by_split = {
        one.split: (wanted, one.share) for one, wanted in zip(result.splits, result.shares, strict=True)
    }
    wanted, met = (
        "/".join(f"{round(100 * by_split.get(place, (0.0, 0.0))[which], 1):g}" for place in places)
        for which in (0, 1)
    )
    given = f"{wanted} %" if result.asked == wanted else f"{safe(result.asked)} ({wanted} %)"
    text = f"wanted: {given}; met: {met} %"
    if all(abs(share - asked) < _FAR for asked, share in by_split.values()):
        return text
    if result.exact:
        return f"{text}, as nearly as groups allow"
    return f"{text}; --exact meets them, but adding rows can then move others"


def _few_shot_text(result: BuiltDataset) -> str:
    text = f"{count(result.few_shot, 'example')} moved out of train, shown before each question"
    if result.beside:
        text += f" (train has {count(result.beside, 'other example')} with the same images)"
    answers = "its answer is" if result.few_shot == 1 else "their answers are"
    if result.losses.get("weight"):
        return f"{text}; {safe(result.target)} has no weights, so {answers} trained on in each example"
    condition = f" if you {safe(result.advice[0].partition(',')[0])}" if result.advice else ""
    return f"{text}; {answers} not trained on{condition}"
