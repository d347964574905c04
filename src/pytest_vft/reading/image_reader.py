"""The measurements of many images, with what measurers find out about them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from PIL import Image

from pytest_vft.reading.exif import UPRIGHT
from pytest_vft.reading.images import ImageMeasurements, read_image
from pytest_vft.reading.measurers import MOST_IN_BATCH, Measurer, measure_content, needed_views
from pytest_vft.reading.views import DecodedImage, LargerView, View, opaque, see, see_larger, see_tints

# The measurements of an image, and what measurers see of it: None if its header cannot be read.
_Seen = tuple[ImageMeasurements, DecodedImage | None]


class ImageReader(NamedTuple):
    """How images are measured.

    With *full*, all pixels of the first frame are decoded (of a JPEG grey and reduced, which reads all its
    data). Otherwise, only an image without its end marker is decoded. If *bounded*, an image that takes more
    than MOST_MEMORY is not decoded; otherwise, processes decode such images one at a time. The end marker is
    not expected in images that are not *whole*. *measurers* find out what images show.
    """

    full: bool
    bounded: bool = True
    measurers: tuple[Measurer, ...] = ()
    whole: bool = True

    def measure(self, images: Iterable[bytes]) -> Iterator[ImageMeasurements]:
        """Yield the measurements of each of *images*, errors of a decoder included.

        Decoded images are held for a batch of measurers.
        """
        full, whole, bounded = self.full, self.whole, self.bounded
        if not self.measurers:
            for data in images:
                yield read_image(data, full=full, whole=whole, bounded=bounded)[0]
            return
        views = needed_views(self.measurers) if full else frozenset[View]()
        batch: list[_Seen] = []
        has_few_levels = False
        for data in images:
            image, seen = self._look(data, views, expects_tints=has_few_levels)
            has_few_levels = seen is not None and seen.has_few_levels
            batch.append((image, seen))
            if len(batch) == MOST_IN_BATCH:
                yield from self._measured(batch)
                batch.clear()
        yield from self._measured(batch)

    def _measured(self, batch: Sequence[_Seen]) -> Iterator[ImageMeasurements]:
        contents = iter(measure_content([seen for _, seen in batch if seen], self.measurers))
        for image, seen in batch:
            yield image.with_content(next(contents)) if seen else image

    def _look(self, data: bytes, views: frozenset[View], *, expects_tints: bool) -> _Seen:
        """Return the measurements of the image in *data*, and its *views*, for which it may be decoded again.

        A JPEG is decoded in grey unless its colours are needed: where its grey has few levels, again for its
        tints. Such images come together, so tints are decoded at once if the run *expects_tints*.
        """
        image, decoded = self._decode(data, views if expects_tints else views - {"tints"})
        mode, width, height = image.mode, image.width, image.height
        if mode is None or width is None or height is None:
            return image, None
        if decoded is None:
            return image, DecodedImage(mode, width, height)
        seen = see(mode, width, height, image.orientation or UPRIGHT, decoded, views)
        if "tints" in views and seen.has_few_levels and seen.tints is None:
            _, tinted = self._decode(data, frozenset({"grey", "tints"}))
            seen = seen._replace(tints=tinted and see_tints(seen, tinted))
        if "large" in views:
            seen = seen._replace(large=self._larger("large", data, seen, decoded))
        if "centre" in views:
            seen = seen._replace(centre=self._larger("centre", data, seen, decoded))
        return image, seen

    def _larger(
        self, view: LargerView, data: bytes, seen: DecodedImage, decoded: Image.Image
    ) -> Image.Image | None:
        """Return the larger *view* of what was *decoded* for the small ones, or of *data* decoded for it."""
        found = see_larger(view, seen, decoded)
        if found is None:
            _, again = self._decode(data, frozenset({view}))
            found = again and see_larger(view, seen, again)
        return found

    def _decode(self, data: bytes, views: frozenset[View]) -> tuple[ImageMeasurements, Image.Image | None]:
        """Return the measurements of the image in *data*, and what was decoded for *views* if it is sound."""
        image, decoded = read_image(data, full=self.full, whole=self.whole, bounded=self.bounded, views=views)
        if decoded is None or image.damage != "none" or not views:
            return image, None
        return image, opaque(decoded)
