"""The report as text for people: what is wrong, where, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from pytest_vft.model import FileResult, Finding, Report, RuleResult
from pytest_vft.text import count, safe

MOST_SHOWN = 10
_UNITS = ((1024**3, "GB"), (1024**2, "MB"), (1024, "kB"))
_SUBJECTS = {
    "file": "file",
    "line": "line",
    "example": "example",
    "message": "message",
    "image": "image",
    "dataset": "target turn",
}
NOT_CHECKED = "people, faces, children, CAPTCHAs (no rule yet)"


def render_text(report: Report, *, most_shown: int = MOST_SHOWN, seconds: float | None = None) -> str:
    """Return *report* for human eyes, with at most *most_shown* findings a rule (0: all)."""
    lines = [header(report.provider, report.closes, len(report.rules), report.depth)]
    lines += map(_file, report.files)
    failed = [rule for rule in report.rules if rule.tally.failed]
    for rule in sorted(failed, key=lambda rule: rule.severity != "error"):
        findings = [finding for finding in report.findings if finding.rule == rule.id]
        lines += ["", *_rule(report, rule, findings, most_shown)]
    lines += ["", *_unknown(report), *_ignored(report)]
    lines += [f"note: {note}" for note in report.notes]
    lines += [f"not checked: {NOT_CHECKED}", _verdict(report, seconds)]
    return "\n".join(lines) + "\n"


def header(provider: str, closes: str | None, rules: int, depth: str) -> str:
    """Return the line that says what is checked, and how."""
    closing = f" (fine-tuning closes {closes})" if closes else ""
    return f"vft: provider {provider}{closing}, {count(rules, 'rule')}, depth {depth}, offline"


def place(finding: Finding) -> str:
    """Return where *finding* stands, as path:line."""
    path = safe(finding.path, None)
    return path if finding.line is None else f"{path}:{finding.line}"


def _file(file: FileResult) -> str:
    path = safe(file.path, None)
    if file.stopped_by:
        return f"{path}  {file.split}, not read: {file.stopped_by}"
    images = count(file.images, "image")
    if file.distinct_images < file.images:
        images += f" ({file.distinct_images:,} distinct)"
    return f"{path}  {file.split}, {count(file.examples, 'example')}, {images}, {_size(file.bytes)}"


def _size(number: int) -> str:
    for unit, name in _UNITS:
        if number >= unit:
            return f"{number / unit:.{0 if number >= 10 * unit else 1}f} {name}"
    return count(number, "byte")


def _rule(report: Report, rule: RuleResult, findings: Sequence[Finding], most: int) -> Iterator[str]:
    title = f"{rule.severity} {rule.id}: {_amount(rule, findings)}"
    if rule.allowed is not None:
        title += f" (allowed: {rule.allowed:,})"
    skips = findings[0].skips if findings else None
    yield f'{title:<60} {report.provider_name}: "{skips}"' if skips else title
    groups = list(_by_picture(findings))
    shown = groups if not most else groups[:most]
    for group in shown:
        yield "  " + _finding(group)
    hidden = sum(map(len, groups[len(shown) :])) + rule.truncated
    if hidden:
        yield f"  ... and {hidden:,} more (--max-shown 0 shows all that were kept)"
    if findings:
        yield f"  do: {findings[0].advice}"


def _amount(rule: RuleResult, findings: Sequence[Finding]) -> str:
    """Return how much failed; pictures and examples, where one picture stands on many lines."""
    failed = subjects(rule.id, rule.tally.failed)
    pictures = {finding.image for finding in findings if finding.image}
    if not pictures or rule.truncated or len(pictures) == rule.tally.failed:
        return failed
    examples = {(finding.path, finding.line) for finding in findings}
    return f"{count(len(pictures), 'picture')}, {count(len(examples), 'example')}"


def _by_picture(findings: Sequence[Finding]) -> Iterator[list[Finding]]:
    """Yield findings on one picture with one message together, in the order of the first."""
    groups: dict[object, list[Finding]] = {}
    for number, finding in enumerate(findings):
        key = (finding.image, finding.message) if finding.image else number
        groups.setdefault(key, []).append(finding)
    yield from groups.values()


def _finding(group: Sequence[Finding]) -> str:
    first = group[0]
    details = [first.pointer] if first.pointer else []
    others = [line for line, _ in groupby((f.path, f.line) for f in group)][1:]
    if others:
        details.append(f"+{count(len(others), 'line')}, same picture")
    text = f"{place(first)}  {first.message}"
    return f"{text} ({'; '.join(details)})" if details else text


def subjects(rule: str, number: int) -> str:
    """Return *number* of what *rule* judges: "2 images"."""
    return count(number, _SUBJECTS[rule.partition("/")[0]])


def _unknown(report: Report) -> Iterator[str]:
    """A line a reason, not a rule: an image that was not fetched leaves many rules open."""
    rules: dict[str, list[str]] = {}
    for rule in report.rules:
        if rule.tally.unknown:
            reason = f"{subjects(rule.id, rule.tally.unknown)}: {_why_unknown(report, rule.id)}"
            rules.setdefault(reason, []).append(rule.id)
    for reason, ids in rules.items():
        more = f" and {count(len(ids) - 1, 'more rule')}" if len(ids) > 1 else ""
        yield f"unknown: {reason} ({ids[0]}{more})"


def unknown_reason(report: Report, rule: str, unknown: int, checked: int) -> str:
    """Return why *rule* could not judge *unknown* subjects: "21 of 721 images not checked: offline"."""
    of = subjects(rule, unknown + checked)
    return f"{unknown:,} of {of} not checked: {_why_unknown(report, rule)}"


def _why_unknown(report: Report, rule: str) -> str:
    return "offline" if report.offline and rule.startswith("image/") else "not measured"


def _ignored(report: Report) -> Iterator[str]:
    for rule in report.rules:
        if rule.reason is not None:
            failed = f", {count(rule.tally.ignored, 'finding')}" if rule.tally.ignored else ""
            yield f"ignored {rule.id}{failed}: {safe(rule.reason, None)}"


def _verdict(report: Report, seconds: float | None) -> str:
    errors = [rule for rule in report.rules if rule.tally.failed and rule.severity == "error"]
    warnings = [rule for rule in report.rules if rule.tally.failed and rule.severity == "warning"]
    unknown = [rule for rule in report.rules if rule.tally.unknown and not rule.tally.failed]
    fine = len(report.rules) - len(errors) - len(warnings) - len(unknown)
    took = f"; {seconds:.1f} s" if seconds is not None else ""
    parts = [f"{count(len(errors), 'rule')} with errors", f"{len(warnings)} with warnings"]
    parts += [f"{len(unknown)} not fully checked"] if unknown else []
    said = f"{', '.join(parts)}, {fine} fine{took}"
    hint = "   (vft explain RULE)" if errors or warnings else ""
    return f"{'PASSED' if report.ok else 'FAILED'}  {said}{hint}"
