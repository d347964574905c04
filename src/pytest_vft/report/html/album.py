"""The images of a page: thumbnails within a budget, each once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from xxhash import xxh3_64_hexdigest, xxh3_128_digest

from pytest_vft.reading.thumbnails import Thumbnail, draw_thumbnail

ROOM = 4_200_000  # characters of base64: what the budget of a page leaves for images
NOT_DRAWN = "cannot be drawn"
NO_ROOM = "left out: the page is full"
NO_IMAGES = "left out: --no-images"


class Picture(NamedTuple):
    """An image on a page: the name of its thumbnail, or *missing*, why there is none.

    *alt* describes the image; *width* and *height* are those of the thumbnail in pixels, *original_width* is
    that of the image. *place* is the JSON pointer of the image in its example, and *box* has left, top, width
    and height of what a finding is about, in pixels of the thumbnail.
    """

    alt: str
    name: str = ""
    width: int = 0
    height: int = 0
    missing: str = ""
    original_width: int = 0
    place: str = ""
    box: tuple[float, ...] = ()

    def with_box(self, box: Sequence[int] | None) -> Picture:
        """Return the picture with *box*, in pixels of the image."""
        if not box or not self.original_width:
            return self
        return self._replace(box=tuple(round(side * self.width / self.original_width, 1) for side in box))


class Album:
    """The thumbnails of a page by name. If not *enabled*, no image is drawn."""

    def __init__(self, *, enabled: bool = True, room: int = ROOM) -> None:
        self.thumbnails: dict[str, Thumbnail] = {}
        self._known: dict[bytes, str] = {}
        self._enabled = enabled
        self._room = room

    def add(self, data: bytes | None, alt: str) -> Picture:
        """Return the image *data* for the page, described by *alt*; None is an image that cannot be read."""
        if not self._enabled:
            return Picture(alt, missing=NO_IMAGES)
        if data is None:
            return Picture(alt, missing=NOT_DRAWN)
        key = xxh3_128_digest(data)
        if key not in self._known:
            self._known[key] = self._draw(data)
        name = self._known[key]
        if name not in self.thumbnails:
            return Picture(alt, missing=name)
        small = self.thumbnails[name]
        sized = f"{alt}, {small.original_width} x {small.original_height} pixels"
        return Picture(sized, name, small.width, small.height, original_width=small.original_width)

    def _draw(self, data: bytes) -> str:
        """Return the name of the thumbnail of *data*, or why there is none."""
        small = draw_thumbnail(data) if self._room > 0 else None
        if small is None:
            return NOT_DRAWN if self._room > 0 else NO_ROOM
        size = len(small.data) * 4 // 3
        name = xxh3_64_hexdigest(small.data)
        if name not in self.thumbnails and size > self._room:
            self._room = 0
            return NO_ROOM
        if name not in self.thumbnails:
            self._room -= size
            self.thumbnails[name] = small
        return name
