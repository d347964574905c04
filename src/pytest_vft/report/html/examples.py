"""Examples for cards, read again from their file one at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, suppress
from typing import NamedTuple, Protocol

import pybase64

from pytest_vft.formats.base import Chat, DataFormat, ImagePart, pointer
from pytest_vft.formats.chat import target_turn
from pytest_vft.formats.registry import load_format
from pytest_vft.model import Split
from pytest_vft.reading.entries import FileEntry
from pytest_vft.reading.image_store import ImageStore
from pytest_vft.reading.links import masked
from pytest_vft.reading.local_images import LocalImages, image_roots
from pytest_vft.reading.shards import LongLine
from pytest_vft.report.html.album import Album, Picture
from pytest_vft.report.reread import read_again
from pytest_vft.text import safe

Places = frozenset[str]  # JSON pointers

_LONGEST = 500  # characters of a question or an answer
_START = 200  # bytes of a line that is not an example
MOST_IMAGES = 4
_LONGEST_REFERENCE = 80


class ExampleSource(Protocol):
    """A file that examples are read from."""

    @property
    def path(self) -> str:
        """The path of the file."""

    @property
    def split(self) -> Split:
        """The split of the file."""

    @property
    def data_format(self) -> str:
        """The data format of the examples."""

    @property
    def layout(self) -> Mapping[str, str]:
        """The settings of the data format."""

    @property
    def image_roots(self) -> tuple[str, ...]:
        """Folders of local images besides that of the file."""


class ShownExample(NamedTuple):
    """Question, answer and images of an example, None for what it does not have.

    *start* is how the line begins if it cannot be read as an example. *more* counts the images that are not
    among *pictures*. The example starts on *line*, or is *element* of an array.
    """

    line: int
    element: int | None = None
    question: str | None = None
    answer: str | None = None
    start: str | None = None
    pictures: tuple[Picture, ...] = ()
    more: int = 0


class _Placed(NamedTuple):
    """An image with its number from 1, its place, and whether it belongs to the target turn."""

    number: int
    place: str
    image: ImagePart
    is_target: bool


def read_examples(
    file: ExampleSource, wanted: Mapping[int, Collection[Places]], album: Album
) -> dict[tuple[int, Places], ShownExample]:
    """Return the examples of *file* by number, from 1, whose thumbnails are added to *album*.

    *wanted* maps numbers to the images to show, by their places; without any, those of the target turn are
    shown. An image is held only while it is drawn, and a local image outside the image roots is not opened.
    """
    form = load_format(file.data_format, file.layout)
    folders = image_roots(file.path, file.image_roots)
    with closing(LocalImages(folders, ImageStore(full=False))) as local:
        return {
            (number, places): _shown(entry, form, places, album, local)
            for number, entry in read_again(file.path, file.split, wanted)
            for places in wanted[number]
        }


def _shown(
    entry: FileEntry, form: DataFormat, places: Places, album: Album, local: LocalImages
) -> ShownExample:
    value = entry.parse().value
    if not isinstance(value, dict):
        raw = b"" if isinstance(entry.raw, LongLine) else entry.raw[:_START]
        return ShownExample(entry.line, entry.position, start=raw.decode(errors="replace").strip())
    chat = form.read(value)
    start, end = target_turn(chat.rows)
    images = list(_images(entry, form, value, chat, (start, end)))
    chosen = [one for one in images if one.place in places]
    chosen = chosen or [one for one in images if one.is_target] or images
    return ShownExample(
        entry.line,
        entry.position,
        question=_text(chat, start, end),
        answer=_text(chat, end, end + 1),
        pictures=tuple(_picture(one, album, local)._replace(place=one.place) for one in chosen[:MOST_IMAGES]),
        more=len(images) - len(chosen[:MOST_IMAGES]),
    )


def _text(chat: Chat, start: int, end: int) -> str | None:
    """Return the texts of the rows from *start* to *end*, None if there are no rows."""
    rows = chat.rows[start:end]
    text = "\n".join(text for row in rows for text in row[3]).strip()
    return (text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…") if rows else None


def _images(
    entry: FileEntry, form: DataFormat, value: object, chat: Chat, target: tuple[int, int]
) -> Iterator[_Placed]:
    number = 0
    for row, message in enumerate(chat.messages):
        for image in message.images:
            number += 1
            path = ("messages", message.position, "content", image.part)
            place = entry.prefix + pointer(form.place(value, path))
            yield _Placed(number, place, image, target[0] <= row < target[1])


def _picture(placed: _Placed, album: Album, local: LocalImages) -> Picture:
    image, alt = placed.image, f"image {placed.number}"
    data = None
    if image.local:
        alt = f"{alt}: {safe(image.reference, _LONGEST_REFERENCE)}"
        data = local.read(image.reference)
    elif image.reference[:5].lower() == "data:":
        with suppress(ValueError):
            data = pybase64.b64decode(image.reference.partition(",")[2], validate=True)
    else:
        alt = f"{alt}: {safe(masked(image.reference), _LONGEST_REFERENCE)}"
        return Picture(alt, missing="not in the file")
    return album.add(data, alt)
