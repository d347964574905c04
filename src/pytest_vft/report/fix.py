"""What `vft fix` would repair or has repaired, as text."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from pytest_vft.fixing.files import EntryOutcome
from pytest_vft.fixing.plan import LeftOver, Repaired
from pytest_vft.fixing.result import FixResult
from pytest_vft.line_ranges import union
from pytest_vft.model import Report
from pytest_vft.reading.object_paths import is_object
from pytest_vft.report.layout import WIDTH, wrapped
from pytest_vft.report.outputs import output_lines, sum_of
from pytest_vft.text import count, safe

_MOST_NAMED = 5  # things that were repaired to the same


def render_fix(result: FixResult, *, drop: bool = False, width: int = WIDTH) -> str:
    """Return the result of a preview, or of writing, with the verdict in the last line.

    With *drop*, examples may be set aside.
    """
    if result.outputs:
        lines = [
            *output_lines(result.outputs),
            *_not_written(result, width),
            *_not_repaired(result, width),
            *_after(result, width),
        ]
    elif result.refused:
        lines = [*_table(result, width), *_not_repaired(result, width), _refusal(result, drop=drop)]
    elif not result.is_needed:
        lines = [*_not_repaired(result, width), *_left(result, width), _nothing(result.before)]
    else:
        total = sum(findings_by_rule(result.before).values())
        lines = [
            f"would repair {_repaired(result):,} of {count(total, 'finding')}:",
            *_table(result, width),
            *_not_repaired(result, width),
            *_left(result, width),
            *_aside(result),
            f"nothing was written: {_ways_to_write(result.before)}, --diff shows each change",
        ]
    return "\n".join(lines) + "\n"


def _ways_to_write(report: Report) -> str:
    if any(file.compression for file in report.files):
        return "vft convert FILE --to=PROVIDER --out=DIR repairs compressed files"
    in_place = "" if any(is_object(file.path) for file in report.files) else " or --in-place"
    return f"--out=DIR{in_place} writes"


def findings_by_rule(report: Report) -> Counter[str]:
    """Return the number of findings of each rule of *report*, those that were not kept included."""
    numbers = Counter(finding.rule for finding in report.findings)
    numbers.update({rule.id: rule.truncated for rule in report.rules if rule.truncated})
    return numbers


def changed_lines(path: str, outcome: EntryOutcome, mark_rule: str | None = None) -> Iterator[str]:
    """Yield a line for each change of an entry of the file at *path*; images are described in words.

    Before the first entry is that of the byte-order mark, if the repair of *mark_rule* removes it.
    """
    if mark_rule and outcome.number == 1:
        yield f"{safe(path, None)}  byte-order mark removed ({mark_rule})"
    entry, repair = outcome.entry, outcome.repair
    place = f"{safe(path, None)}:{entry.line if entry.position is None else f'#{entry.position}'}"
    if outcome.removed:
        yield f"{place}  removed ({outcome.removed})"
    for change in repair.changes if repair and repair.raw is not None else ():
        yield f"{place}  {safe(change.pointer, None)}  {safe(change.words, None)}"


def _by_rule(result: FixResult) -> dict[str, list[tuple[str, str, int]]]:
    """Return what was there, what is now, and how often, by rule."""
    numbers: Counter[Repaired] = Counter()
    for tally in result.tallies.values():
        numbers.update(tally.repaired)
    found: defaultdict[str, list[tuple[str, str, int]]] = defaultdict(list)
    for (rule, before, after), number in numbers.most_common():
        found[rule].append((before, after, number))
    return found


def _repaired(result: FixResult) -> int:
    """Return the number of findings that are repaired; some repairs remove several lines for one finding."""
    total = findings_by_rule(result.before)
    return sum(min(total[rule], sum(n for *_, n in rows)) for rule, rows in _by_rule(result).items())


def _table(result: FixResult, width: int) -> Iterator[str]:
    """Yield a line for each rule: image/unsupported-mode  177 images  L 120, CMYK 39, P 18 -> RGB."""
    rows = [
        (rule, count(sum(number for *_, number in changes), result.rules[rule].subject), _words(changes))
        for rule, changes in sorted(_by_rule(result).items())
    ]
    first, second = (max((len(row[column]) for row in rows), default=0) for column in (0, 1))
    for rule, number, words in rows:
        start = f"  {rule:<{first}}  {number:>{second}}  "
        yield from wrapped(words, start, " " * len(start), width=width)


def _words(changes: list[tuple[str, str, int]]) -> str:
    by_result: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
    for before, after, number in changes:
        by_result[after].append((before, number))
    texts = []
    for after, pairs in by_result.items():
        named = [f"{safe(before)} {number:,}" for before, number in pairs if before][:_MOST_NAMED]
        named = [safe(pairs[0][0])] if len(pairs) == len(named) == 1 else named
        if len(pairs) > _MOST_NAMED:
            named.append("...")
        texts.append(f"{', '.join(named)} -> {safe(after)}" if named else safe(after))
    return "; ".join(texts)


def _not_repaired(result: FixResult, width: int) -> Iterator[str]:
    """Yield why findings that could be repaired are left, and what --unsafe would repair."""
    numbers: Counter[LeftOver] = Counter()
    for tally in result.tallies.values():
        numbers.update(tally.left)
    for (rule, why), number in numbers.most_common():
        subject = count(number, result.rules[rule].subject)
        yield from wrapped(f"not repaired: {rule}, {subject}: {why}", width=width)
    known = {rule for rule, _ in numbers}
    unsafe = Counter(one.rule for one in result.before.findings if one.unsafe and one.rule not in known)
    unsafe -= Counter({rule: len(rows) for rule, rows in _by_rule(result).items() for _ in rows})
    if unsafe and not result.unsafe:
        listed = ", ".join(f"{rule} {number:,}" for rule, number in unsafe.most_common())
        yield from wrapped(f"only with --unsafe: {count(unsafe.total(), 'finding')} ({listed})", width=width)


def _left(result: FixResult, width: int) -> Iterator[str]:
    """Yield the findings that a repair leaves: numbers of findings and lines, and rules."""
    left = findings_by_rule(result.before)
    left -= Counter({rule: sum(n for *_, n in rows) for rule, rows in _by_rule(result).items()})
    if not left:
        return
    lines = -sum(tally.solved for tally in result.tallies.values())
    lines += sum(len(union(file.bad_lines.values())) for file in result.before.files)
    where = f" on {count(lines, 'line')}" if lines > 0 else ""
    yield from wrapped(
        f"left for people: {count(left.total(), 'finding')}{where} ({_listed(left)})", width=width
    )


def _not_written(result: FixResult, width: int) -> Iterator[str]:
    """Yield which files are not among the outputs."""
    changed = {path for path, tally in result.tallies.items() if tally.is_changed}
    left = [file.path for file in result.before.files if file.path not in changed]
    if left:
        named = safe(", ".join(left), None) if len(left) <= _MOST_NAMED else count(len(left), "file")
        yield from wrapped(f"without changes, so not written: {named}", width=width)


def _aside(result: FixResult) -> Iterator[str]:
    """Yield how many examples of a preview would be set aside."""
    number = sum(tally.aside for tally in result.tallies.values())
    if number:
        yield f"--drop would set aside {count(number, 'example')}"


def _listed(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{rule} {number:,}" for rule, number in Counter(numbers).most_common())


def _nothing(report: Report) -> str:
    examples = count(sum(file.examples for file in report.files), "example")
    images = count(sum(file.images for file in report.files), "image")
    return f"{'PASSED' if report.ok else 'FAILED'}  nothing to repair: {examples}, {images}"


def _refusal(result: FixResult, *, drop: bool) -> str:
    examples = count(result.refused, "example")
    how = "more than --max-dropped allows" if drop else "--drop sets them aside"
    return f"FAILED  {examples} cannot be repaired; nothing was written ({how})"


def _after(result: FixResult, width: int) -> Iterator[str]:
    left = findings_by_rule(result.after) if result.after else None
    if left:
        yield from wrapped(
            f"left for people: {count(left.total(), 'finding')} ({_listed(left)})", width=width
        )
    word = "PASSED" if result.is_clean else "FAILED"
    yield f"{word}  {sum_of(result.outputs)}"
