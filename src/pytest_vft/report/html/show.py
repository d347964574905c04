"""The page about chosen examples of one file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from pytest_vft.model import Finding, Split
from pytest_vft.report.example import ExampleView
from pytest_vft.report.html.album import Album
from pytest_vft.report.html.cards import CardMaker, example_cards
from pytest_vft.report.html.page import Page
from pytest_vft.report.reread import entry_number
from pytest_vft.text import count


class ShownFile(NamedTuple):
    """A file whose examples are shown; *image_roots* are folders of local images besides that of the file."""

    path: str
    split: Split
    data_format: str
    layout: Mapping[str, str]
    image_roots: tuple[str, ...]


def examples_page(file: ShownFile, views: Iterable[ExampleView], left_out: str, *, images: bool) -> Page:
    """Return the page about *views*, examples of *file*; *left_out* says how many others there are."""
    album = Album(enabled=images)
    findings: dict[int, Sequence[Finding]] = {
        entry_number(view.line, view.element): view.findings for view in views
    }
    cards = example_cards(file, findings, CardMaker(album))
    failing = sum(card.severity != "good" for card in cards)
    sentence = f"{count(len(cards), 'example')} of {file.path}, {failing:,} with findings"
    room = len(findings) - len(cards)
    notes = [note for note in (left_out, f"{count(room, 'example')} without room" if room else "") if note]
    values = {"title": sentence, "sentence": sentence, "cards": cards, "notes": notes}
    return Page("show.html", values, album.thumbnails)
