"""The report as text: what is wrong, where, and what to do.

Below the header, lines have at most 80 columns, unless a path or pointer is longer.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Sequence
from itertools import groupby

from pytest_vft.model import Cost, FileResult, Finding, Report, RuleResult
from pytest_vft.report.unsettled import UnsettledLines, ranges, settled_words, unsettled_lines
from pytest_vft.text import count, safe

MOST_SHOWN = 10
WIDTH = 80
# A message is printed beside its place, or below if the place has more columns than this.
_WIDEST_PLACE = 28
_UNITS = ((1024**3, "GB"), (1024**2, "MB"), (1024, "kB"))
NOT_CHECKED = "people, faces, children, CAPTCHAs (no rule yet)"


def render_text(report: Report, *, most_shown: int = MOST_SHOWN, seconds: float | None = None) -> str:
    """Return *report* as text, with at most *most_shown* findings per rule (0: all)."""
    network = ("offline" if report.offline else "network on") if report.urls else None
    lines = [header(report.provider, report.closes, len(report.rules), report.depth, network)]
    for file in report.files:
        lines += file_lines(file)
    if report.cost is not None:
        lines += _cost(report.cost)
    failed = [rule for rule in report.rules if rule.tally.failed]
    for rule in sorted(failed, key=lambda rule: rule.severity != "error"):
        findings = [finding for finding in report.findings if finding.rule == rule.id]
        lines += ["", *_rule(report, rule, findings, most_shown)]
    lines += ["", *_ignored(report)]
    for note in report.notes:
        lines += wrapped(f"note: {note}")
    lines += _unsettled(report, most_shown)
    lines += [*unknown_lines(report), f"not checked: {NOT_CHECKED}", *_verdict(report, seconds)]
    return "\n".join(lines) + "\n"


def header(provider: str, closes: str | None, rules: int, depth: str, network: str | None = None) -> str:
    """Return the line with provider, number of rules and settings of a run; no *network* without URLs."""
    closing = f" (fine-tuning closes {closes})" if closes else ""
    used = f", {network}" if network else ""
    return f"vft: provider {safe(provider)}{closing}, {count(rules, 'rule')}, depth {depth}{used}"


def place(finding: Finding) -> str:
    """Return the place of *finding* as path:line."""
    path = safe(finding.path, None)
    return path if finding.line is None else f"{path}:{finding.line}"


def wrapped(text: str, first: str = "", rest: str = "  ") -> list[str]:
    """Return *text* as escaped lines, indented with *first* and *rest*.

    Each line is escaped by itself because it may start in the middle of a value.
    """
    lines = textwrap.wrap(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [safe(line, None) for line in lines or [first.rstrip()]]


def findings_lines(texts: Sequence[tuple[str, str, str]]) -> Iterator[str]:
    """Yield the lines of findings, each given as place, message and details of the place."""
    width = max((len(where) for where, _, _ in texts), default=0)
    wholes = [f"{message} ({details})" if details else message for _, message, details in texts]
    beside = width <= _WIDEST_PLACE or width + 4 + max(map(len, wholes)) <= WIDTH
    indent = " " * (width + 4 if beside else 4)
    for (where, message, details), whole in zip(texts, wholes, strict=True):
        first = f"  {where:<{width}}  " if beside else indent
        if not beside:
            yield f"  {where}"
        if len(indent) + len(message) <= WIDTH < len(indent) + len(whole):
            yield first + safe(message, None)
            yield from wrapped(f"({details})", indent, indent)
        else:
            yield from wrapped(whole, first, indent)


def advice_lines(advice: str) -> list[str]:
    """Return the lines of *advice*, which follow its findings."""
    return wrapped(advice, "  do: ", "      ")


def file_lines(file: FileResult) -> Iterator[str]:
    """Yield the totals of *file*, in one line if the line fits."""
    path = safe(file.path, None)
    if file.stopped_by:
        details = f"{file.split}, not read: {file.stopped_by}"
    else:
        images = count(file.images, "image")
        if file.distinct_images < file.images:
            images += f" ({file.distinct_images:,} distinct)"
        details = f"{file.split}, {count(file.examples, 'example')}, {images}, {size(file.bytes)}"
    whole = f"{path}  {details}"
    yield from [whole] if len(whole) <= WIDTH else [path, f"  {details}"]


def _cost(cost: Cost) -> Iterator[str]:
    read = f" (price of {cost.price_date})" if cost.price_date else ""
    tokens = tokens_and_price(cost.tokens_at_least, cost.tokens_at_most, cost.price)
    yield from wrapped(f"one epoch: {tokens}{read}")
    if cost.low_detail_at_most < cost.tokens_at_most:
        tokens = tokens_and_price(cost.low_detail_at_least, cost.low_detail_at_most, cost.price)
        yield from wrapped(f"with detail low: {tokens}")


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


def _rule(report: Report, rule: RuleResult, findings: Sequence[Finding], most: int) -> Iterator[str]:
    title = f"{rule.severity} {rule.id}: {amount(rule, findings)}"
    if rule.allowed is not None:
        title += f" (allowed: {rule.allowed:,})"
    skips = next((finding.skips for finding in findings), None)
    yield from _beside(title, safe(f'{report.provider_name}: "{skips}"', None) if skips else "")
    groups = list(by_image(findings))
    shown = groups[:most] if most else groups
    yield from findings_lines([folded(group, rule) for group in shown])
    hidden = sum(map(len, groups[len(shown) :]))
    if hidden:
        yield f"  ... and {hidden:,} more (--max-shown=0 shows them)"
    if rule.truncated:
        yield f"  ... and {rule.truncated:,} more, not kept (max_findings = 0 keeps them)"
    for advice in dict.fromkeys(finding.advice for finding in findings):
        yield from advice_lines(advice)


def _beside(title: str, remark: str) -> Iterator[str]:
    """Yield *title* with *remark* at the right margin, or below if there is no room."""
    if len(title) + 2 + len(remark) <= WIDTH:
        yield f"{title}{remark:>{WIDTH - len(title)}}" if remark else title
    else:
        yield title
        yield from wrapped(remark, "  ", "  ")


def amount(rule: RuleResult, findings: Sequence[Finding]) -> str:
    """Return the number of failed subjects; of images and examples if an image is on several lines."""
    failed = count(rule.tally.failed, rule.subject)
    images = {finding.image for finding in findings if finding.image}
    if not images or rule.truncated or len(images) == rule.tally.failed:
        return failed
    examples = {(finding.path, finding.line) for finding in findings}
    return f"{count(len(images), 'image')}, {count(len(examples), 'example')}"


def by_image(findings: Sequence[Finding]) -> Iterator[list[Finding]]:
    """Yield groups of findings with the same image and message, in the order of their first findings."""
    groups: dict[object, list[Finding]] = {}
    for number, finding in enumerate(findings):
        key = (finding.image, finding.message) if finding.image else number
        groups.setdefault(key, []).append(finding)
    yield from groups.values()


def folded(group: Sequence[Finding], rule: RuleResult) -> tuple[str, str, str]:
    """Return place, message and details of *group*, findings on one image."""
    first = group[0]
    details = [safe(first.pointer, None)] if first.pointer else []
    others = [line for line, _ in groupby((f.path, f.line) for f in group)][1:]
    if others:
        more = " or more" if rule.truncated else ""
        details.append(f"+{count(len(others), 'line')}{more}, same image")
    return place(first), first.message, "; ".join(details)


def unknown_lines(report: Report) -> Iterator[str]:
    """Yield one line per reason rather than per rule, since one missing image affects many rules."""
    rules: dict[str, list[str]] = {}
    for rule in report.rules:
        if rule.tally.unknown:
            reason = f"{count(rule.tally.unknown, rule.subject)}: {_why_unknown(report, rule)}"
            rules.setdefault(reason, []).append(rule.id)
    for reason, ids in rules.items():
        more = f" and {count(len(ids) - 1, 'more rule')}" if len(ids) > 1 else ""
        yield f"not checked: {reason} ({ids[0]}{more})"


def unknown_reason(report: Report, rule: RuleResult) -> str:
    """Return why *rule* could not judge some subjects, as in "21 of 721 images not checked: offline"."""
    of = count(rule.tally.unknown + rule.tally.checked, rule.subject)
    return f"{rule.tally.unknown:,} of {of} not checked: {_why_unknown(report, rule)}"


def _why_unknown(report: Report, rule: RuleResult) -> str:
    if rule.subject != "image":
        return "not measured"
    return "offline" if report.offline else "not settled" if report.unsettled else "not measured"


def _unsettled(report: Report, most: int) -> Iterator[str]:
    """Yield the lines with URLs that were not settled, by file and cause."""
    groups = unsettled_lines(report)
    shown = groups[:most] if most else groups
    yield from findings_lines(
        [(safe(group.path, None), f"{group.cause}: {_in_lines(group)}", "") for group in shown]
    )
    if len(shown) < len(groups):
        yield f"  ... and {len(groups) - len(shown):,} more (--max-shown=0 shows them)"


def _in_lines(group: UnsettledLines) -> str:
    return f"{'line' if len(group.lines) == 1 else 'lines'} {ranges(group.lines)}"


def _ignored(report: Report) -> Iterator[str]:
    for rule in report.rules:
        if rule.reason is not None:
            failed = f", {count(rule.tally.ignored, 'finding')}" if rule.tally.ignored else ""
            yield from wrapped(f"ignored {rule.id}{failed}: {rule.reason}")


def _verdict(report: Report, seconds: float | None) -> Iterator[str]:
    """Yield the number of rules by result; the verdict is the last line."""
    failed = [rule for rule in report.rules if rule.tally.failed]
    errors = sum(rule.severity == "error" for rule in failed)
    unknown = sum(rule.tally.unknown > 0 for rule in report.rules if rule not in failed)
    fine = len(report.rules) - len(failed) - unknown
    states = ("with errors", "with warnings", "partly checked", "fine")
    numbers = (errors, len(failed) - errors, unknown, fine)
    counts = [(number, state) for number, state in zip(numbers, states, strict=True) if number]
    (first, state), *others = counts or [(0, "fine")]
    parts = [f"{count(first, 'rule')} {state}", *(f"{number:,} {state}" for number, state in others)]
    settled = settled_words(report)
    more = [*([settled] if settled else []), *([f"{seconds:.1f} s"] if seconds is not None else [])]
    verdict = "; ".join((f"{'PASSED' if report.ok else 'FAILED'}  {', '.join(parts)}", *more))
    hint = "vft explain RULE"
    if not failed:
        yield verdict
    elif len(f"{verdict}   ({hint})") <= WIDTH:
        yield f"{verdict}   ({hint})"
    else:
        yield from (f"help: {hint}", verdict)
