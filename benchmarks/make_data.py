"""Write a dataset to measure with: COUNT examples of a kind, the same ones each time.

    python benchmarks/make_data.py KIND COUNT FILE

    unique    one JPEG of about 27 kB, 512x384, on each line
    distinct  as unique, each JPEG drawn anew, so that no two look alike
    exif      as unique, each JPEG with EXIF
    png       one PNG of about 27 kB
    webp      one WEBP of about 27 kB
    small     one JPEG of about 1 kB
    large     one JPEG of about 3 MB
    few-shot  seven JPEGs of 27 kB on each line, six of them the same on all lines
    urls      one URL and no embedded image
    faulty    one small JPEG and seven findings on each line
    damaged   as unique, every 67th JPEG, from the sixth on, cut in half

No image occurs twice, except in few-shot. Drawing and encoding take longer than anything that is
measured, so a few images are drawn but in distinct, and each copy gets a number in a place that decoders
ignore.
"""

from __future__ import annotations

import base64
import random
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from functools import cache, partial
from io import BytesIO
from typing import Any

from PIL import ExifTags, Image

from pytest_vft import build_example, write_jsonl

DRAWN = 64
DANBO = "Danbo Lee"

Example = dict[str, Any]


def noise(seed: int, size: tuple[int, int], scale: int, mode: str = "RGB") -> Image.Image:
    """Return an image of blurred noise; its JPEG is about as large as that of a photo."""
    small = (size[0] // scale, size[1] // scale)
    pixels = random.Random(seed).randbytes(small[0] * small[1] * 3)  # noqa: S311 - noise, no secret
    return Image.frombytes("RGB", small, pixels).resize(size).convert(mode)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    """Return the file that Pillow writes."""
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def metadata() -> Image.Exif:
    """Return EXIF with a rotation and a position."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (52.0, 31.0, 12.0)
    return exif


def upright() -> Image.Exif:
    """Return EXIF without any finding."""
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "A camera"
    return exif


class Images:
    """Data URLs of images, all of them distinct."""

    def __init__(self, media_type: str, draw: Callable[[int], bytes], drawn: int = DRAWN) -> None:
        self._head = f"data:{media_type};base64,"
        self._stamp = _STAMPS[media_type]
        self._draw = cache(draw)
        self._drawn = drawn

    def __getitem__(self, number: int) -> str:
        data = self._stamp(self._draw(number % self._drawn), b"%08d" % number)
        return self._head + base64.b64encode(data).decode()


def _stamp_jpeg(data: bytes, text: bytes) -> bytes:
    """Insert a comment after the first segment (ITU-T T.81, B.2.4.5)."""
    end = 4 + int.from_bytes(data[4:6])
    return data[:end] + b"\xff\xfe" + struct.pack(">H", 2 + len(text)) + text + data[end:]


def _stamp_png(data: bytes, text: bytes) -> bytes:
    """Insert a text chunk after the header, which ends at byte 33 (https://www.w3.org/TR/png-3/#11tEXt)."""
    chunk = b"tEXt" + b"Comment\0" + text
    whole = struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return data[:33] + whole + data[33:]


def _stamp_webp(data: bytes, text: bytes) -> bytes:
    """Replace the placeholder in the XMP by *text*."""
    return data.replace(b"00000000", text)


_STAMPS = {
    "image/jpeg": _stamp_jpeg,
    "image/jpg": _stamp_jpeg,
    "image/png": _stamp_png,
    "image/webp": _stamp_webp,
}


def jpeg(seed: int, *, size: tuple[int, int] = (512, 384), **options: Any) -> bytes:
    """Return a JPEG, by default of about 27 kB."""
    return saved(noise(seed, size, 8), "JPEG", quality=45, **options)


def photo(seed: int) -> bytes:
    """Return a JPEG of about 3 MB."""
    return saved(noise(seed, (4000, 3000), 8), "JPEG", quality=82)


def png(seed: int) -> bytes:
    """Return a PNG of about 27 kB."""
    return saved(noise(seed, (512, 384), 32).point(lambda value: value & 0xC0), "PNG")


def webp(seed: int) -> bytes:
    """Return a WEBP of about 27 kB, with a placeholder in its XMP."""
    return saved(noise(seed, (512, 384), 8), "WEBP", quality=65, xmp=b"00000000")


def grey(seed: int) -> bytes:
    """Return a small grey JPEG with EXIF that has findings."""
    return saved(noise(seed, (64, 48), 4, "L"), "JPEG", exif=metadata())


def one_image(images: Images, count: int) -> Iterator[Example]:
    """Yield examples with one image each."""
    for number in range(count):
        yield build_example(
            f"Who wrote book {number}?",
            f"{DANBO} {number}",
            images[number],
            system="Answer from the picture.",
            detail="low",
        )


def few_shot(count: int) -> Iterator[Example]:
    """Yield examples with one image of their own after the same six images."""
    images = Images("image/jpeg", jpeg)
    shots = [(f"Who wrote shown book {shot}?", f"{DANBO} {shot}", images[shot]) for shot in range(6)]
    for number in range(6, 6 + count):
        answer = f"{DANBO} {number}"
        yield build_example(f"Who wrote book {number}?", answer, images[number], few_shot=shots, detail="low")


def urls(count: int) -> Iterator[Example]:
    """Yield examples whose images are behind URLs."""
    for number in range(count):
        url = f"https://host-{number % 40}.example/covers/{number}.jpg"
        yield build_example(f"Who wrote book {number}?", f"{DANBO} {number}", url, detail="low")


def faulty(count: int) -> Iterator[Example]:
    """Yield examples with seven findings: mode, media type, detail, rotation, position, key, empty text."""
    images = Images("image/jpg", grey)
    for number, example in enumerate(one_image(images, count)):
        example["messages"][0]["content"] = ""
        example["messages"][1]["content"][1]["image_url"]["detail"] = "medium"
        yield {**example, "number": number}


def damaged(count: int) -> Iterator[Example]:
    """Yield examples with one image each, of which every 67th ends too early: 299 of 20,000."""
    for number, example in enumerate(one_image(Images("image/jpeg", jpeg), count)):
        if number % 67 == 5:
            image = example["messages"][1]["content"][1]["image_url"]
            head, _, payload = image["url"].partition(",")
            image["url"] = f"{head},{payload[: len(payload) // 8 * 4]}"
        yield example


def jpegs(draw: Callable[[int], bytes], drawn: int = DRAWN) -> Callable[[int], Iterator[Example]]:
    """Return a function that yields examples with one drawn JPEG each."""
    return lambda count: one_image(Images("image/jpeg", draw, drawn), count)


KINDS: dict[str, Callable[[int], Iterator[Example]]] = {
    "unique": jpegs(jpeg),
    "distinct": lambda count: jpegs(jpeg, drawn=count)(count),
    "exif": jpegs(partial(jpeg, exif=upright())),
    "png": lambda count: one_image(Images("image/png", png), count),
    "webp": lambda count: one_image(Images("image/webp", webp), count),
    "small": jpegs(partial(jpeg, size=(64, 48))),
    "large": jpegs(photo, drawn=2),
    "few-shot": few_shot,
    "urls": urls,
    "faulty": faulty,
    "damaged": damaged,
}


if __name__ == "__main__":
    kind, count, path = sys.argv[1:]
    write_jsonl(path, KINDS[kind](int(count)))
