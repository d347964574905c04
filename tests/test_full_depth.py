"""Decoding a JPEG at an eighth of its size finds the damage that decoding all of it finds."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from PIL import Image, ImageOps

from pytest_vft.reading import images
from pytest_vft.reading.images import measure_image

MUTANTS = 60
SIZES = [(96, 64), (203, 131)]  # whole blocks of 16x16 pixels, and not

WRITTEN: Mapping[str, tuple[str, dict[str, Any]]] = {
    "jpeg-4:2:0": ("JPEG", {"subsampling": "4:2:0"}),
    "jpeg-4:4:4": ("JPEG", {"subsampling": "4:4:4"}),
    "jpeg-progressive-4:2:0": ("JPEG", {"subsampling": "4:2:0", "progressive": True}),
    "jpeg-progressive-4:4:4": ("JPEG", {"subsampling": "4:4:4", "progressive": True}),
    "jpeg-rgb": ("JPEG", {"keep_rgb": True}),
    "jpeg-restarts-4:2:0": ("JPEG", {"subsampling": "4:2:0", "restart_marker_rows": 1}),
    "jpeg-progressive-restarts": ("JPEG", {"progressive": True, "restart_marker_blocks": 2}),
    "png": ("PNG", {}),
    "webp": ("WEBP", {}),
    "webp-lossless": ("WEBP", {"lossless": True}),
}


def written(kind: str, size: tuple[int, int]) -> bytes:
    noise = Image.frombytes("L", (24, 16), random.Random(0).randbytes(24 * 16)).resize(size)  # noqa: S311 - no secret
    name, options = WRITTEN[kind]
    file = io.BytesIO()
    Image.merge("RGB", [noise, noise.rotate(180), ImageOps.mirror(noise)]).save(file, name, **options)
    return file.getvalue()


def mutants(whole: bytes) -> Iterator[bytes]:
    """Yield *whole* cut, with bits flipped, with bytes zeroed, and with bytes left out."""
    chance = random.Random(0)  # noqa: S311 - no secret
    for _ in range(MUTANTS // 4):
        at = chance.randrange(20, len(whole))
        rest = whole[at + chance.randrange(1, 40) :]
        yield whole[:at]
        yield whole[:at] + bytes([whole[at] ^ 1 << chance.randrange(8)]) + whole[at + 1 :]
        yield whole[:at] + bytes(len(whole) - at - len(rest)) + rest
        yield whole[:at] + rest


def is_damaged(data: bytes) -> bool:
    """Say whether Pillow cannot decode all of *data*."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
    except Exception:  # noqa: BLE001 - decoders raise anything
        return True
    return False


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("kind", WRITTEN)
def test_damage_is_that_of_decoding_at_full_size(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [data for size in SIZES for data in mutants(written(kind, size))]
    damaged = [is_damaged(data) for data in files]

    found = [measure_image(data, full=True) for data in files]
    monkeypatch.setattr(images, "decode_ordinary", lambda *_: None)
    found_the_long_way = [measure_image(data, full=True) for data in files]

    assert found == found_the_long_way
    assert [image.damage != "none" for image in found] == damaged
    assert len(set(damaged)) == 2 or kind == "png"  # which has a checksum on all that it holds


@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_with_too_many_pixels_is_not_decoded(*, progressive: bool) -> None:
    """Of what is decoded the damage is known."""
    file = io.BytesIO()
    Image.new("RGB", (16, 16)).save(file, "JPEG", progressive=progressive)
    size = b"\x08\0\x10\0\x10\x03"
    assert file.getvalue().count(size) == 1

    bomb = file.getvalue().replace(size, b"\x08\xff\xff\xff\xff\x03")
    measured = measure_image(bomb, full=True)

    assert (measured.width, measured.height, measured.damage) == (65_535, 65_535, None)
