"""What is measured about an image depends on the image alone, whatever else a run measures."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain, combinations
from typing import Any

import pytest
from lossless_jpeg import lossless_jpeg
from PIL import ExifTags, Image, ImageDraw
from xxhash import xxh3_64_intdigest

from pytest_vft.reading import image_reader
from pytest_vft.reading.fingerprint import Fingerprints
from pytest_vft.reading.image_reader import ImageReader
from pytest_vft.reading.images import ImageMeasurements, read_image
from pytest_vft.reading.measurers import Columns, Content, Measurer
from pytest_vft.reading.quality import Colours, Light, Sharpness
from pytest_vft.reading.views import DecodedImage, View, decoding_factor, needs_colour


@dataclass(frozen=True)
class Pixels:
    """Measures all pixels of a view, its mode and size."""

    view: View
    columns: tuple[str, ...] = ("pixels",)

    @property
    def id(self) -> str:
        return self.view

    @property
    def views(self) -> frozenset[View]:
        return frozenset({self.view})

    def measure(self, images: Sequence[DecodedImage]) -> Sequence[Columns]:
        return [{"pixels": self._measure(getattr(one, self.view))} for one in images]

    def _measure(self, view: Image.Image | None) -> str | None:
        return view and f"{view.mode} {view.size} {xxh3_64_intdigest(view.tobytes())}"


# Measurers, grouped by view, since what is decoded depends only on the views. Each run needs the grey view.
GREY: tuple[Measurer, ...] = (Light(), Pixels("grey"))
OTHERS: tuple[tuple[Measurer, ...], ...] = (
    (Colours(), Pixels("colour")),
    (Fingerprints(), Pixels("tints")),
    (Pixels("large"),),
    (Sharpness(), Pixels("centre")),
)
SUBSETS = [subset for number in range(5) for subset in combinations(OTHERS, number)]


@cache
def photo(size: tuple[int, int]) -> Image.Image:
    """Return an image of many levels and colours."""
    bands = [Image.linear_gradient("L"), Image.radial_gradient("L"), Image.linear_gradient("L").rotate(90)]
    image = Image.merge("RGB", bands).resize((900, 700))
    for at in range(0, 900, 30):
        ImageDraw.Draw(image).line((at, 0, 900 - at, 700), fill=(at % 256, 255 - at % 256, 7 * at % 256))
    return image.resize(size)


@cache
def drawing(size: tuple[int, int]) -> Image.Image:
    """Return an image of few levels, which has tints."""
    image = Image.new("RGB", (900, 700), "white")
    ImageDraw.Draw(image).ellipse((200, 100, 700, 600), fill=(255, 59, 80))
    return image.resize(size)


def saved(kind: str, **options: Any) -> Callable[[Image.Image], bytes]:
    def save(image: Image.Image) -> bytes:
        file = io.BytesIO()
        image.save(file, kind, **options)
        return file.getvalue()

    return save


def converted(mode: str, kind: str, **options: Any) -> Callable[[Image.Image], bytes]:
    return lambda image: saved(kind, **options)(image.convert(mode))


def turned(**options: Any) -> Callable[[Image.Image], bytes]:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    return saved("JPEG", exif=exif, **options)


def transparent(kind: str, mode: str) -> Callable[[Image.Image], bytes]:
    def save(image: Image.Image) -> bytes:
        clear = image.convert("RGBA")
        clear.putalpha(Image.linear_gradient("L").resize(image.size))
        return saved(kind)(clear.convert(mode))

    return save


WRITTEN: dict[str, Callable[[Image.Image], bytes]] = {
    "jpeg 4:2:0": saved("JPEG", subsampling="4:2:0"),
    "jpeg 4:2:2": saved("JPEG", subsampling="4:2:2"),
    "jpeg 4:4:4": saved("JPEG", subsampling="4:4:4"),
    "progressive jpeg 4:2:0": saved("JPEG", subsampling="4:2:0", progressive=True),
    "jpeg in grey": converted("L", "JPEG"),
    "jpeg in cmyk": converted("CMYK", "JPEG"),
    "jpeg without luma": saved("JPEG", keep_rgb=True),
    "turned jpeg 4:2:0": turned(subsampling="4:2:0"),
    "turned progressive jpeg 4:4:4": turned(subsampling="4:4:4", progressive=True),
    "turned jpeg without luma": turned(keep_rgb=True),
    "jpeg with more behind its end": lambda image: saved("JPEG")(image) + b"\0\0",
    "lossless JPEG": lambda image: lossless_jpeg(image.size, 3),
    "png 1": converted("1", "PNG"),
    "png l": converted("L", "PNG"),
    "png la": transparent("PNG", "LA"),
    "png p": converted("P", "PNG"),
    "png rgb": saved("PNG"),
    "png rgba": transparent("PNG", "RGBA"),
    "png i;16": converted("I;16", "PNG"),
    "webp": saved("WEBP"),
    "lossless webp": saved("WEBP", lossless=True, method=0),
    "transparent webp": transparent("WEBP", "RGBA"),
}
# The small views and the large one are reduced by 1 and 1, 2 and 2, 4 and 1, 4 and 1, 8 and 2, 8 and 8, 2
# and 8, 1 and 2.
SIZES = [(95, 96), (191, 640), (639, 192), (383, 384), (385, 641), (2561, 385), (2562, 99), (3, 700)]
FEW = SIZES[:2]  # of formats that are always decoded whole


def contents(files: Sequence[bytes], *groups: Sequence[Measurer]) -> dict[bytes, Content]:
    """Return what the measurers of *groups* find in each of *files*."""
    measurers = tuple(measurer for group in groups for measurer in group)
    images = ImageReader(full=True, measurers=measurers).measure(files)
    return {data: image.content for data, image in zip(files, images, strict=True)}


@pytest.mark.parametrize("kind", WRITTEN)
def test_content_does_not_depend_on_what_else_is_measured(kind: str) -> None:
    """Nor on the image before: after a drawing, a JPEG is decoded with its colours at once."""
    sizes = SIZES if "jpeg" in kind else FEW
    photos, drawings = ([WRITTEN[kind](draw(size)) for size in sizes] for draw in (photo, drawing))
    mixed = list(chain.from_iterable(zip(photos, drawings, strict=True)))
    files = photos + drawings
    alone = [contents(files, group) for group in (GREY, *OTHERS)]
    expected = {data: {id_: one for found in alone for id_, one in found[data].items()} for data in files}

    for subset in SUBSETS:
        for order in (mixed, files) if len(subset) == len(OTHERS) else (mixed,):
            for data, found in contents(order, GREY, *subset).items():
                assert found == {id_: expected[data][id_] for id_ in found}


@pytest.mark.parametrize(
    ("size", "views", "factor", "in_colour"),
    [
        ((512, 512), {"grey"}, 8, False),
        ((383, 2_000), {"grey"}, 4, False),
        ((95, 100), {"grey"}, 1, False),
        ((512, 512), {"grey", "colour"}, 8, True),
        ((512, 512), {"grey", "tints", "centre"}, 8, True),
        ((2_560, 600), {"grey", "large"}, 8, True),
        ((2_559, 600), {"grey", "large"}, 8, False),
        ((2_560, 99), {"grey", "large", "centre"}, 2, True),
        ((2_559, 600), {"large"}, 4, True),
        ((2_559, 600), {"centre"}, 1, False),
    ],
)
def test_reduction_leaves_enough_of_an_image(
    size: tuple[int, int], views: set[View], factor: int, *, in_colour: bool
) -> None:
    assert decoding_factor(*size, views) == factor
    assert needs_colour(*size, views) == in_colour


@pytest.mark.parametrize(
    ("kind", "size", "views", "decoded"),
    [
        ("jpeg 4:2:0", (512, 384), {"grey", "colour", "tints"}, 1),
        ("jpeg 4:2:0", (512, 384), {"grey", "colour", "tints", "centre"}, 2),
        ("jpeg 4:2:0", (512, 384), {"grey", "colour", "tints", "centre", "large"}, 3),
        ("jpeg 4:2:0", (2_560, 384), {"grey", "large"}, 1),
        ("jpeg 4:2:0", (90, 90), {"grey", "centre", "large"}, 1),
        ("png rgb", (512, 384), {"grey", "colour", "tints", "centre", "large"}, 1),
    ],
)
def test_image_is_decoded_again_only_for_larger_views(
    kind: str, size: tuple[int, int], views: set[View], decoded: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def spy(data: bytes, **settings: Any) -> tuple[ImageMeasurements, Image.Image | None]:
        asked.append(settings["views"])
        return read_image(data, **settings)

    monkeypatch.setattr(image_reader, "read_image", spy)
    found = contents([WRITTEN[kind](photo(size))], [Pixels(view) for view in sorted(views)])

    assert len(asked) == decoded
    (content,) = found.values()
    made = {view for view in views if content[view]["pixels"]}
    assert made == views - {"tints"}  # a photo has too many levels
