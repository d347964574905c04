"""Which measurers a run needs: only those whose columns a bound rule uses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pytest_vft.catalogue.load import Rule
from pytest_vft.facts.scopes import optional_facts
from pytest_vft.model import Source
from pytest_vft.reading.measurers import Measurer

# The subjects of scope dataset that are found by fingerprints: between splits, and within a split.
SIMILAR_IMAGE, NEAR_COPY = "similar image", "near copy"
# The facts that only a detector measures, which needs a model.
_DETECTED = frozenset({"face_score", "face_box"})


def needed_measurers(
    rules: Iterable[Rule],
    sources: Sequence[Source] = (),
    *,
    full: bool = True,
    detectors: Sequence[Measurer] = (),
) -> tuple[Measurer, ...]:
    """Return the measurers that *rules* need, those of *detectors* included.

    Images of *sources* are compared only if *full*.
    """
    shown = optional_facts("image")
    facts: set[str] = set()
    for rule in rules:
        if rule.scope == "image":
            facts |= shown & rule.facts
    if full and compared_kinds(rules, sources):
        facts.add("fingerprint")
    if not facts:  # the usual case, in which no measurer is imported
        return ()
    return tuple(one for one in (*_measurers(), *detectors) if not facts.isdisjoint(one.columns))


def compared_kinds(rules: Iterable[Rule], sources: Sequence[Source]) -> list[str]:
    """Return which subjects *rules* compare with others: similar images only if there are several splits."""
    subjects = {rule.subject for rule in rules if rule.scope == "dataset"}
    several = len({source.split for source in sources}) > 1
    return [
        kind for kind in (SIMILAR_IMAGE, NEAR_COPY) if kind in subjects and (several or kind == NEAR_COPY)
    ]


def needs_pixels(rule: Rule) -> bool:
    """Return whether *rule* judges what decoded images show."""
    if rule.scope == "image":
        shown = rule.tested & optional_facts("image")
        if not shown:  # the usual case, in which no measurer is imported
            return False
        return needs_detector(rule) or any(not shown.isdisjoint(one.columns) for one in _measurers())
    return rule.subject in (SIMILAR_IMAGE, NEAR_COPY)


def needs_detector(rule: Rule) -> bool:
    """Return whether *rule* judges what only a detector measures: whether a face can be seen."""
    return rule.scope == "image" and not _DETECTED.isdisjoint(rule.tested)


def _measurers() -> Iterator[Measurer]:
    from pytest_vft.reading.fingerprint import Fingerprints  # noqa: PLC0415 - for runs with such rules
    from pytest_vft.reading.quality import Colours, Light, Sharpness  # noqa: PLC0415 - as above

    yield from (Colours(), Light(), Sharpness(), Fingerprints())
