"""An ordinary JPEG's header is read as Pillow reads it, and any other is left to Pillow."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms
from PIL.JpegImagePlugin import JpegImageFile

from pytest_vft.reading.images import measure_image
from pytest_vft.reading.jpeg import ordinary_header


def jpeg(mode: str = "RGB", size: tuple[int, int] = (40, 30), **options: Any) -> bytes:
    file = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert(mode).save(file, "JPEG", **options)
    return file.getvalue()


def by_pillow(data: bytes) -> tuple[str, int, int]:
    image = JpegImageFile(io.BytesIO(data))
    return image.mode, *image.size


ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
OPTIONS: list[dict[str, Any]] = [
    {},
    {"progressive": True},
    {"optimize": True, "quality": 5},
    {"subsampling": 2, "quality": 95},
    {"comment": "\xff\xda" * 40},
    {"icc_profile": ICC},
    {"dpi": (300, 300)},
    {"restart_marker_rows": 1},
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(options) or "plain")
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("size", [(40, 30), (1, 1), (65_500, 1)])
def test_ordinary_header_is_read_as_by_pillow(
    mode: str, size: tuple[int, int], options: dict[str, Any]
) -> None:
    data = jpeg(mode, size, **options)

    assert ordinary_header(data) == by_pillow(data)
    assert measure_image(data, full=False) == measure_image(data, full=True)


def exif() -> Image.Exif:
    written = Image.Exif()
    written[0x0112] = 6
    return written


@pytest.mark.parametrize(
    "data",
    [
        jpeg(exif=exif()),
        jpeg()[:100],
        b"\xff\xd8\xff\xd9",
        b"\xff\xd8" + jpeg(),
        jpeg().replace(b"\xff\xc0\0\x11\x08", b"\xff\xc0\0\x11\x0c"),
        jpeg().replace(b"\xff\xc0\0\x11\x08", b"\xff\xc3\0\x11\x08"),
        jpeg().replace(b"\xff\xc0\0\x11\x08\0\x1e", b"\xff\xc0\0\x11\x08\0\0"),
        jpeg().replace(b"\xff\xdb\0\x43", b"\xff\xdb\0\0"),
    ],
    ids=["EXIF", "cut", "empty", "two starts", "12 bits", "lossless", "no height", "no length"],
)
def test_any_other_is_left_to_pillow(data: bytes) -> None:
    assert ordinary_header(data) is None


SOUND = [jpeg(), jpeg("L", progressive=True), jpeg("CMYK"), jpeg(comment="x" * 50)]


@given(st.sampled_from(SOUND), st.integers(0, 700), st.binary(max_size=4), st.integers(0, 4))
@settings(deadline=None, max_examples=300)
def test_where_both_read_a_damaged_header_they_agree(data: bytes, at: int, instead: bytes, cut: int) -> None:
    damaged = data[:at] + instead + data[at + cut :]
    header = ordinary_header(damaged)
    try:
        pillow = by_pillow(damaged)
    except Exception:  # noqa: BLE001 - it raises anything
        return

    assert header in (None, pillow)
