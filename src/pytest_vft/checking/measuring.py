"""Which measurers a run needs: only those whose columns a bound rule tests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pytest_vft.catalogue.load import Rule
from pytest_vft.facts.scopes import optional_facts
from pytest_vft.model import Source
from pytest_vft.reading.measurers import Measurer

# The facts of scope dataset that are found by fingerprints: within a split, and between splits.
_WITHIN, _BETWEEN = "similar_images", "leaking_images"


def needed_measurers(rules: Iterable[Rule], sources: Sequence[Source] = ()) -> tuple[Measurer, ...]:
    """Return the measurers that *rules* need; for leaks only if *sources* have several splits."""
    shown = optional_facts("image")
    facts: set[str] = set()
    for rule in rules:
        tested = {*rule.when, *rule.require}
        if rule.scope == "image":
            facts |= tested & shown
        elif rule.scope == "dataset" and (
            _WITHIN in tested or (_BETWEEN in tested and len({source.split for source in sources}) > 1)
        ):
            facts.add("fingerprint")
    if not facts:  # the usual case, in which no measurer is imported
        return ()
    return tuple(measurer for measurer in _measurers() if facts.intersection(measurer.columns))


def needs_pixels(rule: Rule) -> bool:
    """Return whether *rule* judges what decoded images show."""
    if rule.scope == "image":
        return bool(needed_measurers([rule]))
    return rule.scope == "dataset" and not {*rule.when, *rule.require}.isdisjoint((_WITHIN, _BETWEEN))


def _measurers() -> Iterator[Measurer]:
    from pytest_vft.reading.fingerprint import Fingerprints  # noqa: PLC0415 - for runs with such rules
    from pytest_vft.reading.quality import Colours, Light, Sharpness  # noqa: PLC0415 - as above

    yield from (Colours(), Light(), Sharpness(), Fingerprints())
