"""Images are measured, whatever their bytes are; nothing raises and no bomb goes off."""

from __future__ import annotations

import base64
import io
import random
import struct
import zlib
from collections.abc import Mapping
from functools import cache
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageOps, features

from pytest_vft.reading.decoding import MOST_DECODED_PIXELS, describe
from pytest_vft.reading.image_store import ImageStore, base64_problem
from pytest_vft.reading.images import ImageMeasurements, image_format, measure_image

DEPTHS = pytest.mark.parametrize("full", [False, True], ids=["header", "full"])

# As cameras, browsers and scripts write them.
WRITTEN: Mapping[str, tuple[str, str, dict[str, Any]]] = {
    "jpeg": ("JPEG", "RGB", {}),
    "jpeg-progressive": ("JPEG", "RGB", {"progressive": True}),
    "jpeg-restarts": ("JPEG", "RGB", {"restart_marker_rows": 1}),
    "jpeg-grey": ("JPEG", "L", {}),
    "jpeg-cmyk": ("JPEG", "CMYK", {}),
    "png": ("PNG", "RGB", {}),
    "png-alpha": ("PNG", "RGBA", {}),
    "png-palette": ("PNG", "P", {}),
    "png-bits": ("PNG", "1", {}),
    "png-grey-alpha": ("PNG", "LA", {}),
    "png-deep": ("PNG", "I;16", {}),
    "webp": ("WEBP", "RGB", {}),
    "webp-lossless": ("WEBP", "RGB", {"lossless": True}),
    "webp-alpha": ("WEBP", "RGBA", {}),
}
KINDS = pytest.mark.parametrize("kind", WRITTEN)


def image(mode: str = "RGB", size: tuple[int, int] = (96, 64)) -> Image.Image:
    """Return an image in which no region is of one colour, so that each cut loses something."""
    noise = Image.frombytes("L", (24, 16), random.Random(0).randbytes(24 * 16)).resize(size)  # noqa: S311 - no secret
    image = Image.merge("RGB", [noise, noise.rotate(180), ImageOps.mirror(noise)])
    if mode == "RGBA":
        image.putalpha(noise)
    return image.convert("L").convert(mode) if mode in {"1", "LA", "I;16"} else image.convert(mode)


def save(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@cache
def written(kind: str) -> bytes:
    name, mode, options = WRITTEN[kind]
    return save(image(mode), name, **options)


def png(width: int, height: int, *, bits: int = 1, data: bytes = b"") -> bytes:
    """Return a PNG of an attacker, with a header that does not match its data."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(data))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body + chunk(b"IEND", b"")


@DEPTHS
@KINDS
def test_sound_image_is_measured(kind: str, *, full: bool) -> None:
    name, mode, _ = WRITTEN[kind]

    measured = measure_image(written(kind), full=full)

    assert measured == ImageMeasurements(
        len(written(kind)), name, True, mode, 96, 64, "none", None, 1, 1, False
    )


@DEPTHS
@KINDS
@pytest.mark.parametrize("tail", [b"\0", b"\n", b"\0" * 100, b"more of the camera's own"])
def test_bytes_behind_the_end_are_no_damage(kind: str, tail: bytes, *, full: bool) -> None:
    sound = measure_image(written(kind), full=full)

    measured = measure_image(written(kind) + tail, full=full)

    assert measured == sound._replace(bytes=sound.bytes + len(tail))


@DEPTHS
def test_second_image_of_a_phone_is_no_damage(*, full: bool) -> None:
    data = save(image(), "MPO", save_all=True, append_images=[image().rotate(180)])

    measured = measure_image(data, full=full)

    assert measured == ImageMeasurements(len(data), "JPEG", True, "RGB", 96, 64, "none", None, 1, 1, False)


@DEPTHS
@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_animation_opens(kind: str, *, full: bool) -> None:
    data = save(image(), kind, save_all=True, append_images=[image().rotate(90), image().rotate(180)])

    measured = measure_image(data, full=full)

    assert (measured.format, measured.openable, measured.damage) == (kind, True, "none")
    assert (measured.width, measured.height, measured.frames) == (96, 64, 3)


@DEPTHS
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_tiny_image_is_sound(kind: str, *, full: bool) -> None:
    measured = measure_image(save(image(size=(1, 1)), kind), full=full)

    assert (measured.width, measured.height, measured.damage) == (1, 1, "none")


def test_size_and_mode_are_those_of_the_file_not_of_the_draft() -> None:
    measured = measure_image(save(image(size=(801, 403)), "JPEG"), full=True)

    assert (measured.mode, measured.width, measured.height) == ("RGB", 801, 403)


@DEPTHS
@KINDS
def test_cut_is_found(kind: str, *, full: bool) -> None:
    data = written(kind)
    # Behind the last pixel a PNG has checksums and its end mark, which nobody misses.
    last = len(data) - 24 if kind.startswith("png") else len(data)
    cuts = [*range(16, last - 40, max(1, last // 60)), *range(last - 40, last)]

    missed = [cut for cut in cuts if measure_image(data[:cut], full=full).damage != "truncated"]

    assert missed == []


@pytest.mark.parametrize("cut", [1, 4, 12])
def test_lost_end_of_a_png_is_no_damage(cut: int) -> None:
    assert measure_image(written("png")[:-cut], full=False).damage == "none"


@pytest.mark.parametrize("kind", ["png", "png-alpha", "png-palette"])
def test_broken_body_with_its_end_is_found_at_full_depth_only(kind: str) -> None:
    data = bytearray(written(kind))
    data[len(data) // 2] ^= 0xFF

    assert measure_image(bytes(data), full=False).damage == "none"
    measured = measure_image(bytes(data), full=True)
    assert (measured.openable, measured.damage) == (True, "undecodable")
    assert measured.decoder_error
    assert "Error" not in measured.decoder_error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError("broken data stream"), "broken data stream"),
        (SyntaxError("<PIL.Image at 0x7f00> is broken"), "the image is broken"),
        (KeyError("Adobe"), "KeyError: 'Adobe'"),
        (AssertionError(), "AssertionError"),
    ],
)
def test_name_of_an_error_is_given_only_where_words_are_missing(error: Exception, words: str) -> None:
    assert describe(error) == words


@pytest.mark.parametrize(
    "data", [b"\xff\xd8\xff\xd9", b"\xff\xd8\xff\xff\xd9", written("png")[:8] + written("png")[-12:]]
)
def test_end_without_a_image_is_undecodable(data: bytes) -> None:
    measured = measure_image(data, full=False)

    assert (measured.openable, measured.damage) == (False, "undecodable")
    assert measured.decoder_error
    assert " at 0x" not in measured.decoder_error


@pytest.mark.parametrize(
    ("data", "full"),
    [
        (png(60_000, 60_000), True),
        (png(60_000, 60_000)[:-12], False),
        (png(60_000, 60_000, data=bytes(10_000_000)), True),
        (png(2**31 - 1, 2**31 - 1), True),
        (png(20_000, 10_000, bits=16), True),
    ],
)
def test_bomb_is_measured_by_its_header_alone(data: bytes, *, full: bool) -> None:
    resource = pytest.importorskip("resource")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    measured = measure_image(data, full=full)

    assert (measured.openable, measured.damage, measured.decoder_error) == (True, None, None)
    assert (measured.width or 0) * (measured.height or 0) > MOST_DECODED_PIXELS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kilobytes


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (written("jpeg"), "JPEG"),
        (written("png"), "PNG"),
        (written("webp"), "WEBP"),
        (save(image("P"), "GIF"), "GIF"),
        (save(image(), "BMP"), "BMP"),
        (save(image(), "TIFF"), "TIFF"),
        (b"MM\0*\0\0\0\x08", "TIFF"),
        (b"II+\0\x08\0\0\0", "TIFF"),
        (save(image(), "ICO", sizes=[(16, 16)]), "ICO"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x1cftypavif\0\0\0\0avifmif1", "AVIF"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"\xff\x0a\xfa\x1f", "JPEG XL"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"\xff\x4f\xff\x51\0\x2f", "JPEG 2000"),
        (b"8BPS\0\x01", "PSD"),
        (b"%PDF-1.7\n", "PDF"),
        (b"<!DOCTYPE html><title>Not found</title>", "HTML"),
        (b"\n<HTML>", "HTML"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"<svg>", "SVG"),
        (b'<?xml version="1.0"?>\n<!-- drawn by hand -->\n<svg width="8">', "SVG"),
        (b'<?xml version="1.0"?><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "x.dtd"><svg >', "SVG"),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "XML"),
        (b"", "unrecognised"),
        (b"\xff\xd8", "unrecognised"),
        (b"RIFF\0\0\0\0WAVE", "unrecognised"),
        (b"BM a brand", "unrecognised"),
        (b"<svgs>", "unrecognised"),
        (b"not an image", "unrecognised"),
        (b'{"error": "not found"}', "unrecognised"),
        (b" " * 5_000 + b"<svg>", "unrecognised"),
    ],
)
def test_format_is_named_by_the_first_bytes(data: bytes, name: str) -> None:
    assert image_format(data) == name


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow writes no AVIF")
def test_real_avif_is_named() -> None:
    assert image_format(save(image(), "AVIF")) == "AVIF"


@DEPTHS
def test_other_formats_are_named_and_never_opened(*, full: bool) -> None:
    data = save(image("P"), "GIF")

    measured = measure_image(data, full=full)

    assert measured == ImageMeasurements(
        len(data), "GIF", False, decoder_error=f"it starts with {data[:12]!r}"
    )


@DEPTHS
def test_what_is_no_image_is_undecodable(*, full: bool) -> None:
    measured = measure_image(b"not an image", full=full)

    assert measured == ImageMeasurements(
        12, "unrecognised", False, damage="undecodable", decoder_error="it starts with b'not an image'"
    )
    assert measure_image(b"", full=full).decoder_error == "it is empty"


# EXIF

IFD = tuple[int, int, int, bytes]  # tag, type, count, four bytes of value or offset


def exif(*tags: IFD, count: int | None = None, tail: bytes = b"") -> bytes:
    """Return EXIF of these *tags*, and of as many as it claims; *tail* starts behind them."""
    head = b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags) if count is None else count)
    return head + b"".join(struct.pack("<HHI4s", *tag) for tag in tags) + bytes(4) + tail


def number(value: int) -> bytes:
    return struct.pack("<I", value)


def gps(*rationals: tuple[int, int], tag: int = ExifTags.GPS.GPSLatitude, count: int | None = None) -> bytes:
    """Return EXIF with a GPS table at 26, in it one tag with these *rationals*, which start at 44."""
    values = b"".join(struct.pack("<II", *pair) for pair in rationals)
    table = struct.pack("<HHHIII", 1, tag, 5, len(rationals) if count is None else count, 44, 0)
    return exif((ExifTags.IFD.GPSInfo, 4, 1, number(26)), tail=table + values)


def orientation(value: int) -> bytes:
    return exif((ExifTags.Base.Orientation, 3, 1, number(value)))


def with_exif(data: bytes, kind: str = "JPEG") -> bytes:
    return save(image(), kind, exif=b"Exif\0\0" + data)


@DEPTHS
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("value", range(1, 9))
def test_orientation_is_that_of_exif(kind: str, value: int, *, full: bool) -> None:
    measured = measure_image(with_exif(orientation(value), kind), full=full)

    assert (measured.orientation, measured.geotagged, measured.damage) == (value, False, "none")


@DEPTHS
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("tag", [ExifTags.GPS.GPSLatitude, ExifTags.GPS.GPSLongitude])
def test_position_is_that_of_exif(kind: str, tag: int, *, full: bool) -> None:
    data = with_exif(gps((0, 1), (31, 1), (12, 1), tag=tag), kind)

    measured = measure_image(data, full=full)

    assert (measured.orientation, measured.geotagged, measured.damage) == (1, True, "none")


@DEPTHS
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"II",
        b"II*\0\xff\xff\xff\xff",
        b"not TIFF at all",
        b"II+\0\x08\0\0\0" + b"\xff" * 8,
        orientation(0),
        orientation(9),
        orientation(65_535),
        exif((ExifTags.Base.Orientation, 2, 4, b"six\0")),
        exif((ExifTags.Base.Orientation, 3, 2**32 - 1, number(8))),
        exif((ExifTags.Base.Orientation, 99, 1, number(6))),
        exif(count=65_535),
        exif(*[(tag, 4, 1, number(1)) for tag in range(5_000)], count=65_535),
        exif(*[(tag, 5, 1_000, number(0)) for tag in range(4_000)]),
        exif((ExifTags.IFD.GPSInfo, 4, 1, number(8))),  # the table is the one that it stands in
        exif((ExifTags.IFD.GPSInfo, 4, 1, number(2**32 - 1))),
        exif((ExifTags.IFD.GPSInfo, 2, 4, b"GPS\0")),
        exif((ExifTags.IFD.GPSInfo, 4, 1, number(26)), tail=b"\xff\xff"),
        gps(),
        gps((0, 1), (0, 1), (0, 1)),
        gps((0, 0), (0, 0), (0, 0)),
        gps((9, 0), (9, 0), (9, 0)),
        gps((52, 1), tag=ExifTags.GPS.GPSAltitude),
        gps((52, 1), count=2**28),
    ],
)
def test_exif_that_says_nothing_or_is_broken_is_no_finding(data: bytes, kind: str, *, full: bool) -> None:
    measured = measure_image(with_exif(data, kind), full=full)

    assert measured[1:-1] == (kind, True, "RGB", 96, 64, "none", None, 1, 1, False)


def test_exif_behind_the_pixels_of_a_png_is_read_with_them() -> None:
    data = with_exif(orientation(6), "PNG")
    start = data.index(b"eXIf") - 4
    end = start + 12 + len(orientation(6))
    late = data[:start] + data[end:-12] + data[start:end] + data[-12:]

    assert [measure_image(late, full=full).orientation for full in (False, True)] == [1, 6]


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_exif_longer_than_a_segment_is_left_alone(kind: str) -> None:
    data = gps(*[(7, 3)] * 1_000_000)

    assert measure_image(with_exif(data, kind), full=False).geotagged is False
    assert measure_image(with_exif(gps(*[(7, 3)] * 8_000), kind), full=False).geotagged is True


def test_long_exif_of_a_jpeg_takes_no_memory() -> None:
    resource = pytest.importorskip("resource")
    data = exif((0x0128, 3, 1, number(2)), (0x011A, 5, 1_200_000, number(38)), tail=b"\7\0\0\0" * 2_400_000)
    parts = [b"Exif\0\0" + data[at : at + 60_000] for at in range(0, len(data), 60_000)]
    segments = b"".join(struct.pack(">HH", 0xFFE1, len(part) + 2) + part for part in parts)
    bare = save(image(), "JPEG")
    unmarked = bare[4 + int.from_bytes(bare[4:6]) :]  # without JFIF Pillow asks EXIF for the resolution
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    measured = measure_image(bare[:2] + segments + unmarked, full=False)

    assert (measured.openable, measured.orientation, measured.geotagged) == (True, 1, False)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000  # kilobytes


@given(
    st.sampled_from([orientation(6), gps((52, 1), (31, 1), (12, 1))]),
    st.lists(st.tuples(st.integers(0), st.binary(max_size=4)), max_size=4),
    st.sampled_from(["JPEG", "PNG", "WEBP"]),
)
@settings(deadline=None, max_examples=200)
def test_no_exif_is_an_error(whole: bytes, changes: list[tuple[int, bytes]], kind: str) -> None:
    data = bytearray(whole)
    for place, piece in changes:
        at = place % len(data)
        data[at : at + len(piece)] = piece

    measured = measure_image(with_exif(bytes(data), kind), full=False)

    assert measured[1:9] == (kind, True, "RGB", 96, 64, "none", None, 1)
    assert measured.orientation in range(1, 9)


@given(
    st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP"]),
    st.binary(max_size=64),
    st.booleans(),
)
@settings(deadline=None, max_examples=300)
def test_no_bytes_raise(start: bytes, data: bytes, full: bool) -> None:  # noqa: FBT001 - drawn by hypothesis
    measured = measure_image(start + data, full=full)

    assert measured.bytes == len(start + data)
    assert measured.openable or measured.decoder_error


@given(
    st.sampled_from(sorted(WRITTEN)),
    st.lists(st.tuples(st.integers(0), st.integers(1, 255)), min_size=1, max_size=4),
    st.booleans(),
)
@settings(deadline=None, max_examples=300)
def test_no_flipped_byte_raises(kind: str, flips: list[tuple[int, int]], full: bool) -> None:  # noqa: FBT001 - as above
    data = bytearray(written(kind))
    for place, bits in flips:
        data[place % len(data)] ^= bits

    measured = measure_image(bytes(data), full=full)

    assert measured.bytes == len(data)
    assert (measured.damage in {"truncated", "undecodable"}) == (measured.decoder_error is not None) or (
        measured.damage is None
    )


def example(payload: bytes) -> bytes:
    return b'{"url": "data:image/png;base64,%b"}' % payload


def token_in(lifted: bytes | None) -> str:
    assert lifted is not None
    token: str = orjson.loads(lifted)["url"].partition(",")[2]
    return token


def test_image_is_measured_once_and_known_by_its_token() -> None:
    store = ImageStore(full=True)
    payload = base64.b64encode(written("png"))

    before = store.lift([example(payload)])
    first, second = map(token_in, store.lift([example(payload), example(payload)]))

    assert [first] == [second] == list(map(token_in, before))
    assert store.look_up(first) == store.look_up(payload.decode())
    assert store.look_up(first)[1] == measure_image(written("png"), full=True)
    assert store.look_up(first)[1] is store.look_up(payload.decode())[1]


def test_payload_that_is_no_base64_stays_has_a_key_and_no_image() -> None:
    store = ImageStore(full=True)
    good, bad = example(base64.b64encode(written("png"))), example(b"not base64!" * 10)

    once, again = store.lift([bad, good]), store.lift([good, bad])
    key, measured = store.look_up("not base64!")

    assert once == again[::-1]
    assert once[0] == bad
    assert token_in(once[1]).startswith("#")
    assert measured is None
    assert key != store.look_up("not base64?")[0]


def test_token_of_no_image_is_no_base64() -> None:
    store = ImageStore(full=True)
    (token,) = map(token_in, store.lift([example(base64.b64encode(written("png")))]))
    store.lift([])

    assert store.look_up(token)[1] is None


@pytest.mark.parametrize(
    ("payload", "problem"),
    [
        ("QUJ", "its 3 characters are badly padded"),
        ("QUI=QUI=", "its 8 characters are badly padded"),
        ("QU\nJD", "character 3 is '\\n', white space; remove it"),
        ("QU_D", "character 3 is '_', of the URL-safe alphabet"),
        ("QU-D", "character 3 is '-', of the URL-safe alphabet"),
        ("QU%3D", "character 3 is '%', of percent-encoding"),
        ("x" * 1234 + "é", "character 1,235 is 'é'"),
        ("#" + "0" * 32, "character 1 is '#'"),
    ],
)
def test_problem_with_base64_is_named(payload: str, problem: str) -> None:
    assert ImageStore(full=False).look_up(payload)[1] is None
    assert base64_problem(payload) == problem
