"""Measurers: what an image shows, as named columns beside the measurements of its header and decoding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from pytest_vft.reading.views import DecodedImage, View

# The columns of one measurer for one image, by the names of facts; None for what cannot be measured.
Columns = Mapping[str, int | bool | str | None]
# The columns of an image by the id of their measurer.
Content = Mapping[str, Columns]

MOST_IN_BATCH = 32  # decoded images in memory: 20 MB if all are large


class Measurer(Protocol):
    """Measures decoded images in batches.

    It is plain data that can be pickled; what it loads, it loads when it first measures in a process.
    """

    @property
    def id(self) -> str:
        """What the columns depend on: a name, a version and, for a model, its hash, as in "quality 1"."""

    @property
    def columns(self) -> Sequence[str]:
        """The names of the columns: facts of scope image."""

    @property
    def views(self) -> frozenset[View]:
        """What it sees of an image; empty for the header alone."""

    def measure(self, images: Sequence[DecodedImage]) -> Sequence[Columns]:
        """Return the columns of each of *images*; None for those whose views are None."""


def needed_views(measurers: Sequence[Measurer]) -> frozenset[View]:
    """Return the views that *measurers* need; always grey if they need any."""
    views = frozenset[View]().union(*(measurer.views for measurer in measurers))
    return views | {"grey"} if views else views


def measure_content(images: Sequence[DecodedImage], measurers: Sequence[Measurer]) -> list[Content]:
    """Return the content of each of *images*, in their order."""
    contents: list[dict[str, Columns]] = [{} for _ in images]
    for measurer in measurers:
        for content, columns in zip(contents, measurer.measure(images), strict=True):
            content[measurer.id] = columns
    return list(contents)


def is_measured(content: Content, measurers: Sequence[Measurer]) -> bool:
    """Return whether *content* has the columns of all *measurers*."""
    return all(measurer.id in content for measurer in measurers)
