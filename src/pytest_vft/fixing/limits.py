"""What repaired images must comply with, taken from the rules of a run."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from pytest_vft.catalogue.load import Rule


class ImageLimits(NamedTuple):
    """The accepted modes and formats, None for any; *maxima* are of bytes, pixels, width and height."""

    modes: Collection[str] | None = None
    formats: Collection[str] | None = None
    maxima: Mapping[str, int] = {}


def image_limits(rules: Iterable[Rule]) -> ImageLimits:
    """Return the limits in those of *rules*, which are bound, that can be repaired."""
    modes = formats = None
    maxima: dict[str, int] = {}
    for rule in rules:
        for fact, condition in rule.require.items() if rule.fix else ():
            if rule.fix == "convert-mode":
                modes = condition.get("enum")
            elif rule.fix == "convert-format":
                formats = condition.get("enum")
            elif rule.fix == "scale-down" and "maximum" in condition:
                maxima[fact] = min(condition["maximum"], maxima.get(fact, condition["maximum"]))
    return ImageLimits(modes, formats, maxima)
