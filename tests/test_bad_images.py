"""Each bad image is one finding of the rule that it is for, and hides nothing on other lines."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from pytest_vft import build_example, lint, write_jsonl
from pytest_vft.catalogue.cases import data_url, draw
from pytest_vft.model import Depth, Report

DEPTHS = pytest.mark.parametrize("depth", ["header", "full"])
GOOD = data_url("jpeg 24x24 rgb")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def url(data: bytes, media_type: str = "image/png") -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def saved(file_format: str, mode: str = "RGB", **options: Any) -> bytes:
    """Return an image in which no region is of one colour, so that a cut loses something."""
    _, drawn = draw("png 64x64 rgb")
    target = io.BytesIO()
    with Image.open(io.BytesIO(drawn)) as image:
        image.convert("L").convert(mode).save(target, file_format, **options)
    return target.getvalue()


def animation(file_format: str) -> bytes:
    return draw(f"{file_format} 64x64 rgb frames=3")[1]


def png(width: int, height: int) -> bytes:
    """Return a PNG whose header claims that size, and that holds no pixel."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def webp(chunk: bytes) -> bytes:
    """Return a WEBP of one *chunk*, which claims what it likes."""
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def lossy(width: int, height: int) -> bytes:
    return webp(b"VP8 \x14\0\0\0" + b"\x10\0\0\x9d\x01\x2a" + struct.pack("<HH", width, height) + bytes(10))


def lossless(width: int, height: int) -> bytes:
    return webp(b"VP8L\x14\0\0\0\x2f" + struct.pack("<I", width - 1 | height - 1 << 14) + bytes(15))


def extended(width: int, height: int) -> bytes:
    size = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    return webp(b"VP8X\x0a\0\0\0" + bytes(4) + size)


BAD = {
    # base64
    "wrong alphabet": ("data:image/png;base64,iVBO@w0K", "invalid-base64"),
    "no padding": ("data:image/png;base64,iVBORw0KGgo", "invalid-base64"),
    "a line break": ("data:image/png;base64,iVBO\r\nRw0K", "invalid-base64"),
    "white space at the end": (GOOD + "\n", "invalid-base64"),
    "URL-safe letters": ("data:image/png;base64,iVBO_-0K", "invalid-base64"),
    "percent-encoding": ("data:image/png;base64,iVBO%2Bw0K", "invalid-base64"),
    "not said to be base64": ("data:image/png,iVBORw0K", "invalid-base64"),
    # other addresses
    "a path": ("images/a.jpg", "unsupported-url-scheme"),
    "a path of Windows": (r"C:\images\a.jpg", "unsupported-url-scheme"),
    "a bucket": ("gs://bucket/a.jpg", "unsupported-url-scheme"),
    "bare base64": (GOOD.partition(",")[2], "unsupported-url-scheme"),
    "nothing": ("", "unsupported-url-scheme"),
    # no image, or one of a format that nobody takes
    "no bytes": ("data:image/png;base64,", "undecodable"),
    "text": (url(b"not an image"), "undecodable"),
    "JSON": (url(b'{"error": "not found"}'), "undecodable"),
    "HTML": (url(b"<!doctype html><title>404</title>"), "unsupported-format"),
    "SVG": (url(b'<svg xmlns="http://www.w3.org/2000/svg"/>'), "unsupported-format"),
    "PDF": (url(b"%PDF-1.7\n"), "unsupported-format"),
    "HEIC": (url(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"), "unsupported-format"),
    "AVIF": (url(b"\0\0\0\x1cftypavif\0\0\0\0avifmif1"), "unsupported-format"),
    "BMP labelled as PNG": (url(saved("BMP")), "unsupported-format"),
    "TIFF": (data_url("tiff 24x24 rgb"), "unsupported-format"),
    "GIF": (data_url("gif 24x24 p"), "unsupported-format"),
    "animated GIF": (data_url("gif 24x24 p frames=3"), "unsupported-format"),
    # cut
    "cut JPEG": (url(saved("JPEG")[:-200], "image/jpeg"), "truncated"),
    "cut progressive JPEG": (url(saved("JPEG", progressive=True)[:-200], "image/jpeg"), "truncated"),
    "JPEG cut in its header": (url(saved("JPEG")[:100], "image/jpeg"), "truncated"),
    "cut PNG": (url(saved("PNG")[:-40]), "truncated"),
    "PNG cut in its header": (url(saved("PNG")[:20]), "truncated"),
    "cut WEBP": (url(saved("WEBP")[:-40], "image/webp"), "truncated"),
    "cut animated WEBP": (url(animation("webp")[:-40], "image/webp"), "truncated"),
    # modes
    "CMYK": (data_url("jpeg 24x24 cmyk"), "unsupported-mode"),
    "grey JPEG": (data_url("jpeg 24x24 l"), "unsupported-mode"),
    "palette": (data_url("png 24x24 p"), "unsupported-mode"),
    "grey PNG": (data_url("png 24x24 l"), "unsupported-mode"),
    "grey and transparent": (data_url("png 24x24 la"), "unsupported-mode"),
    "16 bits": (data_url("png 24x24 i;16"), "unsupported-mode"),
    "one bit": (data_url("png 24x24 1"), "unsupported-mode"),
    # bombs
    "PNG bomb": (url(png(100_000, 100_000)), "too-many-pixels"),
    "flat PNG bomb": (url(png(2**31 - 1, 10)), "too-many-pixels"),
    "lossy WEBP bomb": (url(lossy(16_383, 16_383), "image/webp"), "too-many-pixels"),
    "lossless WEBP bomb": (url(lossless(16_384, 16_384), "image/webp"), "too-many-pixels"),
    "extended WEBP bomb": (url(extended(2**24, 200), "image/webp"), "too-many-pixels"),
    # what a trainer may stumble over
    "image/jpg": (data_url("jpeg 24x24 rgb as=image/jpg"), "nonstandard-media-type"),
    "PNG labelled as JPEG": (data_url("png 24x24 rgb as=image/jpeg"), "media-type-mismatch"),
    "no label": (GOOD.replace("image/jpeg", ""), "media-type-mismatch"),
    "APNG": (url(animation("png")), "animated"),
    "animated WEBP": (url(animation("webp"), "image/webp"), "animated"),
    "rotated": (data_url("jpeg 24x24 rgb exif=rotated"), "rotated-by-exif"),
    "of a place": (data_url("jpeg 24x24 rgb exif=gps"), "private-metadata"),
    "tracking pixel": (data_url("png 1x1 rgba"), "too-small"),
}
GOOD_TOO = {
    "a phone's two images": data_url("mpo 24x24 rgb frames=2 as=image/jpeg"),
    "EXIF that says nothing": data_url("jpeg 24x24 rgb exif=upright"),
    "letters of another case": GOOD.replace("data:image/jpeg;base64", "DATA:Image/JPEG;BASE64"),
    "a parameter": GOOD.replace("image/jpeg", "image/jpeg;charset=utf-8"),
    "progressive": url(saved("JPEG", progressive=True), "image/jpeg"),
    "lossless": url(saved("WEBP", lossless=True), "image/webp"),
    "transparent": data_url("webp 24x24 rgba"),
    "more behind its end": data_url("jpeg 24x24 rgb tail=9"),
    "10 pixels wide": data_url("png 10x400 rgb"),
}


def linted(*urls: str, depth: Depth) -> Report:
    write_jsonl("train.jsonl", [_example(number, one) for number, one in enumerate(urls)])
    return lint("train.jsonl", depth=depth, ignore=["file"])


def _example(number: int, image_url: str) -> dict[str, Any]:
    example = build_example(f"What is on image {number}?", f"Number {number}.", GOOD)
    example["messages"][0]["content"][1]["image_url"]["url"] = image_url
    return example


@DEPTHS
def test_sound_images_are_silent(depth: Depth) -> None:
    assert [(one.line, one.rule) for one in linted(*GOOD_TOO.values(), depth=depth).findings] == []


@DEPTHS
@pytest.mark.parametrize("name", BAD)
def test_bad_image_is_one_finding_of_its_rule(name: str, depth: Depth) -> None:
    bad, rule = BAD[name]

    report = linted(GOOD, bad, GOOD, depth=depth)

    assert [(one.line, one.rule) for one in report.findings] == [(2, f"image/{rule}")]
    assert report.findings[0].pointer == "/messages/0/content/1"


@DEPTHS
def test_no_bad_image_hides_another(depth: Depth) -> None:
    report = linted(*(bad for bad, _ in BAD.values()), depth=depth)

    found = {one.line: one.rule for one in report.findings}
    assert found == {line: f"image/{rule}" for line, (_, rule) in enumerate(BAD.values(), 1)}
    assert len(report.findings) == len(BAD)


def test_of_an_animation_the_first_frame_counts() -> None:
    """An APNG that is cut after its first frame is not damaged; libwebp rejects an incomplete animation."""
    cut = animation("png")[:-60]

    assert [one.rule for one in linted(url(cut), depth="full").findings] == ["image/animated"]


@DEPTHS
def test_bombs_take_no_memory(depth: Depth) -> None:
    resource = pytest.importorskip("resource")
    bombs = [bad for bad, rule in BAD.values() if rule == "too-many-pixels"]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    linted(*bombs, depth=depth)

    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kilobytes


@pytest.mark.parametrize(
    ("image_url", "message"),
    [
        ("images/a.jpg", "URL is a path; expected scheme data, http or https"),
        (r"C:\images\a.jpg", "URL is a path; expected scheme data, http or https"),
        ("/9j/4AAQSkZJRgABAQ", "URL is bare base64; expected scheme data, http or https"),
        (" ", "URL is empty; expected scheme data, http or https"),
        ("S3://bucket/a.jpg", "URL is of scheme s3; expected scheme data, http or https"),
    ],
)
def test_what_an_address_is_is_said_in_words(image_url: str, message: str) -> None:
    assert [one.message for one in linted(image_url, depth="header").findings] == [message]


WHOLE = [
    saved("JPEG"),
    saved("JPEG", progressive=True),
    saved("PNG"),
    saved("WEBP"),
    animation("png"),
    animation("webp"),
    *(
        draw(f"{kind} 24x24 rgb exif={exif}")[1]
        for kind in ("jpeg", "png", "webp")
        for exif in ("rotated", "gps")
    ),
]


@st.composite
def mutated(draw_: st.DrawFn) -> bytes:
    """Draw an image with bytes of it changed, left out, doubled or cut off."""
    data = bytearray(draw_(st.sampled_from(WHOLE)))
    for _ in range(draw_(st.integers(1, 4))):
        at = draw_(st.integers(0, len(data)))
        piece = draw_(st.binary(max_size=8))
        match draw_(st.sampled_from(["change", "insert", "leave out", "cut"])):
            case "change":
                data[at : at + len(piece)] = piece
            case "insert":
                data[at:at] = piece
            case "leave out":
                del data[at : at + 8]
            case "cut":
                del data[max(at, 12) :]
    return bytes(data)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(mutated(), min_size=1, max_size=6))
def test_whatever_a_decoder_raises_the_run_ends_and_repeats(images: list[bytes]) -> None:
    for depth in ("header", "full"):
        first = linted(*map(url, images), depth=depth)

        again = lint("train.jsonl", depth=depth, ignore=["file"])

        assert first.findings == again.findings
        assert [rule.tally for rule in first.rules] == [rule.tally for rule in again.rules]
        assert first.files[0].images == len(images)
