"""What was written, as text: each output with its numbers, and the sum of all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from pytest_vft.output_summary import OutputSummary
from pytest_vft.text import count, safe


def output_lines(outputs: Sequence[OutputSummary]) -> Iterator[str]:
    """Yield lines about each of *outputs*, and about what was set aside."""
    rows: list[tuple[str, str]] = []
    for one in outputs:
        path = safe(one.path, None)
        details = [count(one.kept, "example")]
        if one.changed:
            details[0] += f": {one.copied:,} copied, {one.changed:,} changed"
        rows.append((path, "; ".join([*details, *(safe(note, None) for note in one.notes)])))
        if one.aside:
            reasons = f"{path}.rej.csv has line, id, question, image, rule and message"
            rows.append((f"{path}.rej", f"{count(one.aside, 'example')}; {reasons}"))
    widest = max((len(path) for path, _ in rows), default=0)
    yield from (f"{path:<{widest}}  {details}" for path, details in rows)


def sum_of(outputs: Sequence[OutputSummary]) -> str:
    """Return the sum of *outputs*: "19,827 kept + 90 set aside + 70 blank lines removed = 19,987"."""
    removed = sum((Counter(one.removed) for one in outputs), Counter())
    aside = sum(one.aside for one in outputs)
    parts = [f"{sum(one.kept for one in outputs):,} kept"]
    parts += [f"{aside:,} set aside"] if aside else []
    parts += [f"{count(number, noun)} removed" for noun, number in removed.items() if number]
    return f"{' + '.join(parts)} = {sum(one.total for one in outputs):,}"
