"""Out of memory is no damage: large images are decoded within bounds, and what is not decoded is said."""

from __future__ import annotations

import base64
import io
import json
import struct
import subprocess
import sys
import textwrap
import time
import zlib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from lossless_jpeg import lossless_jpeg
from PIL import Image

from pytest_vft import lint
from pytest_vft.checking.processes import processes
from pytest_vft.reading import images
from pytest_vft.reading.decoder_memory import MOST_MEMORY, decoder_memory, waiting_turn
from pytest_vft.reading.images import image_format, measure_image
from pytest_vft.reading.webp import webp_header
from pytest_vft.report.json import as_data
from pytest_vft.report.text import render_text

DAMAGE_RULES = ("image/truncated", "image/undecodable")


def saved(kind: str, mode: str = "RGB", size: tuple[int, int] = (64, 48), **options: Any) -> bytes:
    file = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert(mode).save(file, kind, **options)
    return file.getvalue()


def black_webp(width: int, height: int) -> bytes:
    """Return a lossless WEBP of some 30 bytes: each of its codes has one symbol, which takes no bits."""
    fields = [(0x2F, 8), (width - 1, 14), (height - 1, 14), (0, 1), (0, 3), *[(0, 1)] * 3]
    fields += [(0b0001, 4)] * 5
    number = at = 0
    for value, bits in fields:
        number |= value << at
        at += bits
    content = number.to_bytes(at + 15 >> 4 << 1, "little")
    chunk = b"VP8L" + struct.pack("<I", len(content)) + content
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def resized_jpeg(data: bytes, width: int, height: int) -> bytes:
    """Return the JPEG *data* with another size in its header."""
    at = next(at for marker in (b"\xff\xc0\0", b"\xff\xc2\0", b"\xff\xc3\0") if (at := data.find(marker)) > 0)
    return data[: at + 5] + struct.pack(">HH", height, width) + data[at + 9 :]


def resized_png(data: bytes, width: int, height: int) -> bytes:
    header = b"IHDR" + struct.pack(">II", width, height) + data[24:29]
    return data[:12] + header + zlib.crc32(header).to_bytes(4) + data[33:]


def write(path: Path, *contents: bytes) -> None:
    lines = []
    for content in contents:
        url = f"data:image/{image_format(content).lower()};base64,{base64.b64encode(content).decode()}"
        parts = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": url}}]
        messages = [{"role": "user", "content": parts}, {"role": "assistant", "content": "A dog."}]
        lines.append(json.dumps({"messages": messages}) + "\n")
    path.write_text("".join(lines), encoding="utf-8")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


# What is decoded at depth auto

PHOTO = (4_032, 3_024)  # of a telephone, 12 megapixels

ORDINARY = {
    "webp": black_webp(*PHOTO),
    "jpeg": resized_jpeg(saved("JPEG"), 16_000, 11_000),
    "progressive": resized_jpeg(saved("JPEG", progressive=True), 8_000, 6_000),
    "png": resized_png(saved("PNG", "RGBA"), 8_000, 6_000),
    "grey png": resized_png(saved("PNG", "L"), 13_000, 13_000),
}
LARGE = {
    "webp": black_webp(16_383, 10_900),
    "progressive": resized_jpeg(saved("JPEG", progressive=True, subsampling=0), 8_000, 6_000),
    "progressive cmyk": resized_jpeg(saved("JPEG", "CMYK", progressive=True), 8_000, 6_000),
    "lossless": resized_jpeg(lossless_jpeg((16, 16), 3), 8_000, 8_000),
    "png": resized_png(saved("PNG", "RGBA"), 8_000, 8_000),
}


@pytest.mark.parametrize("data", ORDINARY.values(), ids=ORDINARY)
def test_ordinary_image_is_decoded(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = []
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda image: loaded.append(image.size))

    assert measure_image(data, full=True).damage == "none"
    assert loaded


@pytest.mark.parametrize("data", LARGE.values(), ids=LARGE)
def test_image_that_takes_too_much_memory_is_not_decoded(data: bytes) -> None:
    measured = measure_image(data, full=True)

    assert measured.openable
    assert measured.is_undecoded
    assert (measured.width or 0) * (measured.height or 0) >= 48_000_000
    assert measure_image(data, full=False) == measured._replace(damage="none")


def test_large_image_that_is_damaged_is_still_a_finding() -> None:
    """At an eighth its decoder takes little, and the whole image would take too much."""
    cut = resized_jpeg(saved("JPEG"), 16_000, 11_000)[:-10]

    assert measure_image(cut, full=True).damage == "truncated"


def test_memory_is_that_of_the_components_of_a_jpeg() -> None:
    pixels = 64 * 48
    baseline = saved("JPEG")
    assert decoder_memory(baseline, "JPEG", "RGB", pixels, factor=8) == pixels * 4 // 64 + 3 * len(baseline)
    for subsampling, per_pixel in (("4:4:4", 6), ("4:2:2", 4), ("4:2:0", 3)):
        data = saved("JPEG", progressive=True, subsampling=subsampling)
        memory = decoder_memory(data, "JPEG", "RGB", pixels, factor=8) - 3 * len(data)
        assert memory == pixels * per_pixel + pixels * 4 // 64


def test_a_jpeg_without_a_frame_may_take_the_most() -> None:
    assert decoder_memory(b"\xff\xd8\xff\xd9", "JPEG", None, 100) >= 800
    assert (
        decoder_memory(b"\xff\xd8\xff\xff\xff\x01\xff\xc0\0\x08\x08\0\x01\0\x01\0", "JPEG", None, 100) >= 800
    )


def chunk(name: bytes, body: bytes) -> bytes:
    return len(body).to_bytes(4) + name + body + zlib.crc32(name + body).to_bytes(4)


TEXTS = {
    "a text": [chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(60_000_000), 1))],
    "an international text": [chunk(b"iTXt", b"k\0\1\0\0\0" + zlib.compress(bytes(2_000_000)))],
    "a colour profile": [chunk(b"iCCP", b"k\0\0" + zlib.compress(bytes(2_000_000)))],
    "many texts": [chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(1_000_000)))] * 80,
}


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("chunks", TEXTS.values(), ids=TEXTS)
def test_texts_that_exceed_a_limit_of_pillow_are_no_damage(chunks: list[bytes], place: str) -> None:
    png = saved("PNG")
    at = 33 if place == "before" else len(png) - 12  # the pixels

    for full in (True, False):
        measured = measure_image(png[:at] + b"".join(chunks) + png[at:], full=full)
        assert (measured.openable is not False, measured.decoder_error) == (True, None)
        assert measured.damage in (None, *([] if full else ["none"]))
    assert measure_image(png[:at] + b"".join(chunks) + png[at:-12], full=True).damage in (None, "truncated")


# What is said


def unknown(report: Any) -> dict[str, int]:
    return {rule.id: rule.tally.unknown for rule in report.rules if rule.tally.unknown}


def test_report_says_what_was_not_decoded(here: Path) -> None:
    write(here / "train.jsonl", black_webp(16_383, 10_900), black_webp(16, 16), black_webp(16_383, 10_900))

    report = lint("train.jsonl", offline=True)
    text = render_text(report)

    assert unknown(report) == dict.fromkeys(DAMAGE_RULES, 2)
    assert not [finding for finding in report.findings if finding.rule in DAMAGE_RULES]
    assert (
        "not checked: 2 images: too large to decode here; depth full decodes one at a\n"
        "  time (image/truncated and 1 more rule)\n"
    ) in text
    assert [one["undecoded"] for one in as_data(report)["rules"] if one["id"] in DAMAGE_RULES] == [2, 2]
    assert not lint("train.jsonl", offline=True, require_checked=True, select="image/truncated").ok


def test_urls_that_are_offline_are_told_apart(here: Path) -> None:
    write(here / "train.jsonl", black_webp(16_383, 10_900), b"GIF89a")
    line = (here / "train.jsonl").read_text(encoding="utf-8")
    (here / "train.jsonl").write_text(
        line.replace("data:image/gif;base64,R0lGODlh", "https://a.example/1.png")
    )

    text = render_text(lint("train.jsonl", offline=True))

    assert "not checked: 1 image: too large to decode here;" in text
    assert "not checked: 1 image: offline (" in text


# Memory, in a process of its own


def decoding() -> tuple[float, float]:
    """Return when a large image begins and ends to be decoded."""
    with waiting_turn(MOST_MEMORY + 1):
        begun = time.monotonic()
        time.sleep(0.2)
        return begun, time.monotonic()


def test_large_images_are_decoded_one_at_a_time() -> None:
    with processes(2, 10**12) as executor:
        assert executor is not None
        futures = [executor.submit(decoding) for _ in range(3)]
        times = sorted(future.result() for future in futures)

    assert all(end <= begun for (_, end), (begun, _) in pairwise(times))


def run(program: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.stderr
    return done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_process_stays_below_300_megabytes(here: Path) -> None:
    write(here / "train.jsonl", *ORDINARY.values(), *LARGE.values())

    peak = run("""
        import re
        from pathlib import Path
        from pytest_vft import lint

        lint("train.jsonl")
        print(re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1])
    """)

    assert 200_000 < int(peak) < 300_000  # not ru_maxrss, which starts at the peak of the process that forked


SHORT = """
    import resource, sys
    from pathlib import Path
    from pytest_vft import lint

    def undecoded():
        report = lint("train.jsonl", depth="full", offline=True)
        failed = [rule.id for rule in report.rules if rule.tally.failed and "image" in rule.id]
        return failed, sum(rule.gaps.get("oversized", 0) for rule in report.rules)

    Path("train.jsonl").rename("other.jsonl")
    Path("train.jsonl").write_bytes(b"")
    lint("train.jsonl")  # loads all modules
    Path("other.jsonl").rename("train.jsonl")
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + int(sys.argv[1]), -1))
    print(*undecoded())
    resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
    print(*undecoded())
"""
GRADIENT = {
    "webp": black_webp(3_000, 2_000),
    "progressive": saved("JPEG", size=(4_000, 3_000), progressive=True, subsampling=0),
    "png": saved("PNG", "RGBA", size=(4_000, 3_000), compress_level=1),
}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("data", GRADIENT.values(), ids=GRADIENT)
def test_memory_that_is_short_is_no_finding_and_is_not_remembered(here: Path, data: bytes) -> None:
    write(here / "train.jsonl", data)

    assert run(SHORT, "30000000") == "[] 2\n[] 0\n"


# Headers


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize("lossless", [False, True])
def test_header_of_a_webp_is_that_of_pillow(mode: str, frames: int, *, lossless: bool) -> None:
    picture = Image.linear_gradient("L").resize((65, 47)).convert(mode)
    if mode == "RGBA":
        picture.putalpha(Image.linear_gradient("L").resize((65, 47)))
    more = [picture.rotate(90 * turn) for turn in range(1, frames)]
    exif = Image.Exif()
    exif[0x0112] = 6
    for about in ({}, {"exif": exif.tobytes()}):
        file = io.BytesIO()
        picture.save(file, "WEBP", save_all=frames > 1, append_images=more, lossless=lossless, **about)
        data = file.getvalue()
        header = webp_header(data)
        with Image.open(io.BytesIO(data)) as opened:
            assert header is not None
            assert header[:4] == (opened.mode, *opened.size, opened.n_frames)
            assert header.exif == opened.info.get("exif")


def test_header_that_is_broken_has_no_size() -> None:
    for data in (black_webp(16, 16), saved("WEBP"), saved("WEBP", "RGBA", exif=b"Exif\0\0")):
        assert [webp_header(data[:end]) for end in range(25)] == [None] * 25
    assert webp_header(saved("WEBP")[:23] + bytes(40)) is None


# A lossless JPEG, which its decoder refuses at an eighth


@pytest.mark.parametrize("components", [1, 3])
@pytest.mark.parametrize("size", [(16, 16), (101, 43)])
def test_lossless_jpeg_is_decoded_whole(size: tuple[int, int], components: int) -> None:
    data = lossless_jpeg(size, components)

    assert measure_image(data, full=True).damage == "none"
    assert measure_image(data, full=True)[3:6] == ("L" if components == 1 else "RGB", *size)
    assert measure_image(data[: len(data) // 2], full=True).damage == "truncated"


def test_any_jpeg_that_only_the_eighth_refuses_is_decoded_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("not at this size")

    monkeypatch.setattr(images, "decode_ordinary", lambda *_: None)
    monkeypatch.setattr("PIL.JpegImagePlugin.JpegImageFile.draft", refuse)

    assert measure_image(saved("JPEG"), full=True).damage == "none"
    assert measure_image(saved("JPEG")[:-300], full=True).damage == "truncated"
