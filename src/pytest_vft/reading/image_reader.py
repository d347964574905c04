"""The measurements of many images, with what measurers find out about them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from PIL import Image

from pytest_vft.reading.exif import UPRIGHT
from pytest_vft.reading.images import ImageMeasurements, read_image
from pytest_vft.reading.measurers import MOST_IN_BATCH, Measurer, measure_content, needed_views
from pytest_vft.reading.views import DecodedImage, View, see

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
        """Return the measurements of the image in *data*, and its *views*, for which it may be decoded twice.

        A decoder that reduces an image and Pillow differ a little, so the larger view is that of a run that
        does not need the centre: what is measured there is the same in each run. A JPEG is decoded in grey
        unless its colours are needed: where its grey has few levels, once more for its tints. Such images
        come together, so tints are decoded at once if the run *expects_tints*, which changes no view.
        """
        both = views >= {"centre", "large"}
        first = views - {"large"} if both else views
        image, seen = self._read(data, first, first if expects_tints else first - {"tints"})
        if seen is None or seen.grey is None:
            return image, seen
        if both:
            _, larger = self._read(data, views - {"centre"})
            seen = seen._replace(large=larger and larger.large)
        if "tints" in views and seen.has_few_levels and seen.tints is None:
            seen = seen._replace(tints=self._tints(data))
        return image, seen

    def _tints(self, data: bytes) -> Image.Image | None:
        """Return the tints of the JPEG in *data*, in RGB if its decoder does not return YCbCr."""
        _, seen = self._read(data, frozenset({"grey", "tints"}))
        if seen is not None and seen.tints is None:
            _, seen = self._read(data, frozenset({"grey", "colour"}))
            return seen and seen.colour
        return seen and seen.tints

    def _read(self, data: bytes, views: frozenset[View], needed: frozenset[View] | None = None) -> _Seen:
        """Return the measurements of the image in *data*, decoded as it is *needed*, and its *views*."""
        image, decoded = read_image(
            data,
            full=self.full,
            whole=self.whole,
            bounded=self.bounded,
            views=views if needed is None else needed,
        )
        return image, _seen(image, decoded, views)


def _seen(
    image: ImageMeasurements, decoded: Image.Image | None, views: Collection[View]
) -> DecodedImage | None:
    """Return *image* as measurers see it, None without a size; only by its header if it was not decoded."""
    mode, width, height = image.mode, image.width, image.height
    if mode is None or width is None or height is None:
        return None
    if decoded is None or image.damage != "none" or not views:
        return DecodedImage(mode, width, height)
    return see(mode, width, height, image.orientation or UPRIGHT, decoded, views)
