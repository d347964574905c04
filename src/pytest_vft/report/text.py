"""The report as text: what is wrong, where, and what to do."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence

from pytest_vft.gaps import CAUSES, Cause
from pytest_vft.model import Cost, FileResult, Finding, Report, RuleResult
from pytest_vft.report.baseline import gone_words
from pytest_vft.report.folding import by_message, fold
from pytest_vft.report.layout import DEFAULT, WIDTH, Display, advice_lines, findings_lines, remarked, wrapped
from pytest_vft.report.people import people_line
from pytest_vft.report.repairable import advice_on, mark
from pytest_vft.report.unsettled import cause_and_lines, unsettled_lines
from pytest_vft.report.verdict import verdict
from pytest_vft.text import count, safe

_IMAGES = ("image", "linked image", "similar image", "near copy")
_WHY: dict[Cause, str] = {
    "header_only": "not decoded at depth header",
    "unfetched": "offline",
    "damaged": "damaged, or in a format that is not decoded",
    "unopened": "not opened",
    "uncompared": "too many to compare without numpy 2; pip install numpy",
    "partly_compared": "compared with only some others, as too many look nearly alike",
    "undecoded": "too large to decode here",
    "oversized": "too large to decode here",
    "absent": "missing, unreachable, or not an image",
}
_MANY_FILES = 100  # files; more are not listed one by one
_MOST_WARNED = 3  # messages of a rule that does not fail the run
_UNITS = ((1024**3, "GB"), (1024**2, "MB"), (1024, "kB"))


def render_text(report: Report, display: Display = DEFAULT) -> str:
    """Return *report* as text."""
    if display.quiet and report.ok and not report.sampled:
        return ""
    failed = [rule for rule in report.rules if rule.tally.failed]
    failed.sort(key=lambda rule: rule.severity != "error")
    found: list[str] = []
    for rule in failed:
        findings = [finding for finding in report.findings if finding.rule == rule.id]
        found += _rule(report, rule, findings, display)
    if display.quiet:
        unknown = unknown_lines(report) if report.require_checked else ()
        return "\n".join([*found, *unknown, verdict(report)]) + "\n"
    lines = [*_head(report, display), *found, *_ignored(report, display.width)]
    for note in filter(None, (*report.notes, gone_words(report))):
        lines += wrapped(f"note: {note}", width=display.width)
    lines += _unsettled(report, display)
    for line in unchecked_lines(report):
        lines += wrapped(line, width=display.width)
    lines += ["help: vft explain RULE"] if failed else []
    return "\n".join([*lines, verdict(report)]) + "\n"


def _head(report: Report, display: Display) -> Iterator[str]:
    network = ("offline" if report.offline else "network on") if report.urls else None
    provider = report.provider + (" (from the data format)" if report.by_data_format else "")
    yield header(provider, report.closes, len(report.rules), report.depth, network)
    yield from all_file_lines(report.files, {finding.path for finding in report.findings}, display)
    if report.cost is not None:
        yield from _cost(report.cost, display.width)


def header(provider: str, closes: str | None, rules: int, depth: str, *more: str | None) -> str:
    """Return the line with provider, number of rules and settings of a run."""
    closing = f" (fine-tuning closes {closes})" if closes else ""
    parts = (f"vft: provider {safe(provider)}{closing}", count(rules, "rule"), f"depth {depth}", *more)
    return ", ".join(part for part in parts if part)


def all_file_lines(files: Sequence[FileResult], found: Collection[str], display: Display) -> Iterator[str]:
    """Yield the totals of each of *files*.

    For many files, yield the totals of each split, and of some files: those at the paths *found*, which have
    findings, and those that were not read.
    """
    if len(files) <= _MANY_FILES:
        for file in files:
            yield from file_lines(file, width=display.width)
        return
    by_kind: dict[str, list[FileResult]] = {}
    for file in files:
        by_kind.setdefault(f"{data_format(file)}{file.split}", []).append(file)
    for kind, alike in by_kind.items():
        examples = count(sum(file.examples for file in alike), "example")
        images = count(sum(file.images for file in alike), "image")
        total = size(sum(file.bytes for file in alike))
        yield f"{count(len(alike), 'file')}  {kind}, {examples}, {images}, {total}"
    named = [file for file in files if file.stopped_by or file.path in found]
    shown = named[:_MANY_FILES] if display.most_shown else named
    for file in shown:
        yield from file_lines(file, width=display.width)
    if hidden := len(named) - len(shown):
        yield f"... and {count(hidden, 'more file')} with findings (--max-shown=0 shows them)"


def file_lines(file: FileResult, *, width: int = WIDTH) -> Iterator[str]:
    """Yield the totals of *file*, in one line if the line fits."""
    path, split = safe(file.path, None), f"{data_format(file)}{file.split}"
    if file.stopped_by:
        details = f"{split}, not read: {file.stopped_by}"
    else:
        images = count(file.images, "image")
        if file.distinct_images < file.images:
            images += f" ({file.distinct_images:,} distinct)"
        details = f"{split}, {text_examples(file)}, {images}, {text_size(file)}"
    whole = f"{path}  {details}"
    yield from [whole] if len(whole) <= width else [path, f"  {details}"]


def text_examples(file: FileResult) -> str:
    """Return the number of examples of *file* that were read, and whether there are more."""
    return count(file.examples, "example") + (" (a sample)" if file.is_sample else "")


def text_size(file: FileResult) -> str:
    """Return the size of the text of *file*, and how the file is compressed."""
    return f"{size(file.bytes)} in {file.compression}" if file.compression else size(file.bytes)


def data_format(file: FileResult) -> str:
    """Return the data format of *file* before a comma; "" for OpenAI's."""
    if file.data_format == "openai":
        return ""
    dataset = file.layout.get("dataset")
    return (
        f"{file.data_format} (dataset_info.json: {safe(dataset)}), " if dataset else f"{file.data_format}, "
    )


def _cost(cost: Cost, width: int) -> Iterator[str]:
    read = f" (price of {cost.price_date})" if cost.price_date else ""
    tokens = tokens_and_price(cost.tokens_at_least, cost.tokens_at_most, cost.price)
    yield from wrapped(f"one epoch: {tokens}{read}", width=width)
    if cost.low_detail_at_most < cost.tokens_at_most:
        tokens = tokens_and_price(cost.low_detail_at_least, cost.low_detail_at_most, cost.price)
        yield from wrapped(f"with detail low: {tokens}", width=width)


def tokens_and_price(at_least: int, at_most: int, price: float | None) -> str:
    """Return a range of tokens and its price, rounded outwards to cents."""
    tokens = f"{at_least:,} to {at_most:,} tokens"
    if price is None:
        return tokens
    low, high = math.floor(at_least * price / 10_000) / 100, math.ceil(at_most * price / 10_000) / 100
    return f"{tokens}, ${low:,.2f} to ${high:,.2f}"


def size(number: int) -> str:
    """Return *number* of bytes in a readable unit."""
    for unit, name in _UNITS:
        if number >= unit:
            return f"{number / unit:.{0 if number >= 10 * unit else 1}f} {name}"
    return count(number, "byte")


def _rule(report: Report, rule: RuleResult, findings: Sequence[Finding], display: Display) -> Iterator[str]:
    """Yield the findings of *rule*; only the first messages if they do not fail the run."""
    title = f"{rule.severity} {rule.id}{mark(findings)}: {amount(rule, findings)}"
    if rule.allowed is not None:
        title += f" (allowed: {rule.allowed:,})"
    most, width = display.most_shown, display.width
    groups = by_message(findings)
    if not report.fails(rule):
        yield from _warning(title, groups, width)
        yield from _not_kept(rule)
        return
    skips = next((finding.skips for finding in findings), None)
    remark = safe(f'{report.provider_name}: "{skips}"', None) if skips else ""
    yield from remarked(title, remark, width=width)
    shown = groups[:most] if most else groups
    folded = [fold(group, most) for group in shown]
    yield from findings_lines([(f.place, f.message, f.pointer + f.others) for f in folded], width=width)
    hidden = sum(map(len, groups[len(shown) :]))
    if hidden:
        yield f"  ... and {hidden:,} more (--max-shown=0 shows them)"
    yield from _not_kept(rule)
    for advice in advice_on(findings):
        yield from advice_lines(advice, width=width)


def _not_kept(rule: RuleResult) -> Iterator[str]:
    if rule.truncated:
        yield f"  ... and {rule.truncated:,} more, not kept (--max-findings=0 keeps them)"


def _warning(title: str, groups: Sequence[Sequence[Finding]], width: int) -> Iterator[str]:
    """Yield *title* with the first messages of *groups*: in one line if there is room for a single one."""
    where, message, _, others = first = fold(groups[0])
    for text in (first.whole, message + others, message) if len(groups) == 1 else ():
        line = f"{title}  {where}  {safe(text, None)}"
        if len(line) <= width:
            yield line
            return
    yield title
    shown = groups[:_MOST_WARNED]
    folded = [fold(group) for group in shown]
    yield from findings_lines([(f.place, f.message, f.pointer + f.others) for f in folded], width=width)
    hidden = sum(map(len, groups[len(shown) :]))
    if hidden:
        yield f"  ... and {hidden:,} more (--format=concise shows them)"


def amount(rule: RuleResult, findings: Sequence[Finding]) -> str:
    """Return the number of failed subjects; of images and examples if an image is on several lines."""
    failed = count(rule.tally.failed, rule.subject)
    images = {finding.image for finding in findings if finding.image}
    if not images or rule.truncated or len(images) == rule.tally.failed:
        return failed
    examples = {(finding.path, finding.line) for finding in findings}
    return f"{count(len(images), 'image')}, {count(len(examples), 'example')}"


def unchecked_lines(report: Report) -> Iterator[str]:
    """Yield what was not checked: what rules could not judge, by reason, and people in images."""
    yield from unknown_lines(report)
    yield people_line(report.faces)


def unknown_lines(report: Report) -> Iterator[str]:
    """Yield one line per reason rather than per rule, since one missing image affects many rules."""
    rules: dict[str, list[str]] = {}
    is_sample = bool(report.sampled)
    # Rules that fail the run come first.
    for rule in sorted(report.rules, key=lambda rule: not (report.require_checked and rule.has_gaps)):
        if is_sample and rule.id in report.dataset:
            rules.setdefault("the dataset as a whole: a sample does not tell", []).append(rule.id)
            continue
        for number, why in unknown_parts(report, rule):
            rules.setdefault(f"{count(number, _noun(rule))}: {why}", []).append(rule.id)
    for reason, ids in rules.items():
        more = f" and {count(len(ids) - 1, 'more rule')}" if len(ids) > 1 else ""
        yield f"not checked: {reason} ({ids[0]}{more})"


def unknown_reason(report: Report, rule: RuleResult) -> str:
    """Return why *rule* could not judge some subjects, as in "21 of 721 images not checked: offline".

    Several reasons have numbers: "4 of 6 images not checked: 1 offline; 3 too large to decode here".
    """
    of = count(rule.tally.unknown + rule.tally.checked, _noun(rule))
    parts = list(unknown_parts(report, rule))
    reasons = [f"{number:,} {why}" for number, why in parts] if len(parts) > 1 else [why for _, why in parts]
    return f"{rule.tally.unknown:,} of {of} not checked: {'; '.join(reasons)}"


def _noun(rule: RuleResult) -> str:
    """Return what *rule* could not judge, which is no near copy before it is compared."""
    return "image" if rule.subject in _IMAGES else rule.subject


def unknown_parts(report: Report, rule: RuleResult) -> Iterator[tuple[int, str]]:
    """Yield the numbers of subjects that *rule* could not judge, with the reasons."""
    others = rule.tally.unknown - sum(rule.gaps.values())
    if others:
        of_sample = report.sampled and (rule.id in report.dataset or rule.subject not in _IMAGES)
        yield others, "a sample does not tell" if of_sample else "not measured"
    for cause in CAUSES:
        if number := rule.gaps.get(cause):
            yield number, _why(report, cause)


def _why(report: Report, cause: Cause) -> str:
    """Return *cause* in words, with what helps."""
    if cause == "header_only" and report.depth != "header":
        return "not decoded; depth full fetches whole images"
    if cause == "unfetched" and not report.offline:
        return "not settled"
    if cause == "undecoded" and report.depth != "full":
        return f"{_WHY[cause]}; depth full decodes one at a time"
    return _WHY[cause]


def _unsettled(report: Report, display: Display) -> Iterator[str]:
    """Yield the lines with URLs that were not settled, by file and cause."""
    groups, most = unsettled_lines(report), display.most_shown
    shown = groups[:most] if most else groups
    texts = [(safe(group.path, None), cause_and_lines(group, most), "") for group in shown]
    yield from findings_lines(texts, width=display.width)
    if len(shown) < len(groups):
        yield f"  ... and {len(groups) - len(shown):,} more (--max-shown=0 shows them)"


def _ignored(report: Report, width: int) -> Iterator[str]:
    for rule in report.rules:
        if rule.reason is not None:
            failed = f", {count(rule.tally.ignored, 'finding')}" if rule.tally.ignored else ""
            yield from wrapped(f"ignored {rule.id}{failed}: {rule.reason}", width=width)
