"""The images of a failed pytest item, for the reports of other plugins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from pytest_vft.model import Finding, Report, RuleResult
from pytest_vft.reading.thumbnails import Thumbnail
from pytest_vft.report.html.album import Album
from pytest_vft.report.html.cards import CardMaker, galleries

_MOST = 6  # examples of an item


class ItemImage(NamedTuple):
    """A thumbnail and its name: the place of the example and what the image is."""

    name: str
    thumbnail: Thumbnail


def item_images(report: Report, rule: RuleResult, findings: Sequence[Finding]) -> list[ItemImage]:
    """Return the images of the first examples that fail *rule*, of those with *findings* of any rules."""
    album = Album()
    only = replace(report, rules=(rule,), findings=tuple(one for one in findings if one.rule == rule.id))
    found: dict[str, ItemImage] = {}
    for gallery in galleries(only, CardMaker(album), _MOST):
        for side in (side for card in gallery.cards for side in card.sides):
            for picture in side.example.pictures:
                if picture.name:
                    name = f"{side.place}, {picture.alt}"
                    found.setdefault(picture.name, ItemImage(name, album.thumbnails[picture.name]))
    return list(found.values())
