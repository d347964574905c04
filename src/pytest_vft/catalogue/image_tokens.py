"""Images that the cases of rule files describe in a few words."""

from __future__ import annotations

import re
from io import BytesIO
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

from pytest_vft.text import count, nearest

if TYPE_CHECKING:
    from PIL import Image

_MODES = ("rgb", "rgba", "l", "la", "p", "cmyk", "1", "i;16")
_OPTIONS = ("bytes", "cut", "tail", "frames", "exif", "as", "shows")
_SCENES = ("gradient", "shapes", "other-shapes", "dark", "bright", "blurred", "grey", "flat", "face")
_NOISE = 8  # levels that lossy encoding changes
_FACE = (255, 0, 255)  # what stands for a face: cases of rules need no model
_LONGEST_COMMENT = 65_533
# Bounds of an image, far above the needs of shipped rules: a stranger may have written the rule file.
_MAX_PIXELS = 4_000_000  # of an image, in all of its frames
_MAX_BYTES = 12_000_000  # of an image
_MOST = {"bytes": _MAX_BYTES, "cut": _MAX_BYTES, "tail": 255, "frames": 100}


class ImageToken(NamedTuple):
    """An image as a case describes it: see draw(). None is for what the token does not mention."""

    kind: str
    size: tuple[int, int]
    mode: str
    bytes: int | None
    cut: int
    tail: int
    frames: int | None
    exif: str | None
    media_type: str
    shows: str

    @property
    def pixels(self) -> int:
        """The number of pixels in all frames."""
        return self.size[0] * self.size[1] * (self.frames or 1)


def read_token(token: str) -> ImageToken:
    """Return the content of *token*. Raises ValueError, also if it is out of bounds."""
    words = token.split()
    if len(words) < 3:  # noqa: PLR2004 - format, size, mode
        raise ValueError(f"$image: {token}: expected FORMAT WxH MODE")
    kind, size, mode, *rest = words
    options = dict(word.partition("=")[::2] for word in rest)
    for name in options:
        if name not in _OPTIONS:
            raise ValueError(f"$image: {token}: unknown option {name!r}{nearest(name, _OPTIONS)}")
    if mode not in _MODES:
        raise ValueError(f"no mode {mode!r}{nearest(mode, _MODES)}")
    numbers = {
        name: _number(token, name, options[name], most) for name, most in _MOST.items() if name in options
    }
    image = ImageToken(
        kind=kind,
        size=_size(token, size),
        mode=mode,
        bytes=numbers.get("bytes"),
        cut=numbers.get("cut", 0),
        tail=numbers.get("tail", 0),
        frames=numbers.get("frames"),
        exif=options.get("exif"),
        media_type=options.get("as", f"image/{kind}"),
        shows=options.get("shows", "gradient"),
    )
    if image.shows not in _SCENES:
        raise ValueError(f"$image: {token}: no scene {image.shows!r}{nearest(image.shows, _SCENES)}")
    if image.pixels > _MAX_PIXELS:
        frames = f" in {count(image.frames, 'frame')}" if image.frames else ""
        raise ValueError(
            f"$image: {token}: has {count(image.pixels, 'pixel')}{frames}; expected at most {_MAX_PIXELS:,}"
        )
    return image


def _size(token: str, text: str) -> tuple[int, int]:
    """Return the *text* WxH of *token* as width and height. Raises ValueError."""
    found = re.fullmatch("([1-9][0-9]{0,4})x([1-9][0-9]{0,4})", text)
    if found is None:
        raise ValueError(f"$image: {token}: size is {text!r}; expected WIDTHxHEIGHT, as in 16x16")
    return int(found[1]), int(found[2])


def _number(token: str, name: str, text: str, most: int) -> int:
    """Return *text*, the number *name* of *token*, from 0 to *most*. Raises ValueError."""
    if not re.fullmatch("[0-9]{1,9}", text) or int(text) > most:
        raise ValueError(f"$image: {token}: {name} is {text!r}; expected a number from 0 to {most:,}")
    return int(text)


def encode(image: ImageToken) -> bytes:
    """Return the bytes of *image*. Raises ValueError if there is no such image."""
    data = _pad(image.kind, _encode(image), image.bytes)
    return data[: max(len(data) - image.cut, 0)] + bytes(range(1, 1 + image.tail))


def _encode(token: ImageToken) -> bytes:
    from PIL import Image  # noqa: PLC0415 - for cases only

    # A gradient, because one colour is compressed to so little that a cut would not remove any of it.
    gradient = Image.linear_gradient("L").resize(token.size)
    image = Image.merge("RGB", [gradient, gradient.rotate(90), gradient.rotate(180)])
    if token.shows != "gradient":
        image = _scene(token.shows, token.size)
    if token.mode == "rgba":
        image.putalpha(gradient)  # WEBP saves opaque images as RGB
    if token.mode in ("la", "i;16", "1"):
        image = image.convert("L")
    image = image.convert(token.mode.upper())
    saving: dict[str, Any] = {} if token.exif is None else {"exif": _exif(token.exif)}
    if token.frames is not None:
        others = [image.rotate(90 * turn) for turn in range(1, token.frames)]
        saving |= {"save_all": True, "append_images": others}
    target, kind = BytesIO(), token.kind.upper()
    try:
        image.save(target, kind, **saving)
    except Exception as error:  # noqa: BLE001 - encoders raise any exception
        raise ValueError(f"Pillow cannot write {kind} of mode {token.mode}: {error}") from None
    return target.getvalue()


def _scene(shows: str, size: tuple[int, int]) -> Image.Image:
    """Return an image of rectangles in random colours, or what *shows* makes of it."""
    from PIL import Image, ImageDraw, ImageFilter  # noqa: PLC0415 - as above

    random = Random(shows == "other-shapes")  # noqa: S311 - no secret
    width, height = size
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    for _ in range(60):
        left, top = random.randrange(width), random.randrange(height)
        corner = left + random.randrange(1, 1 + width // 3), top + random.randrange(1, 1 + height // 3)
        draw.rectangle(((left, top), corner), (*random.randbytes(3),))
    if shows == "blurred":
        return image.filter(ImageFilter.GaussianBlur(4))
    if shows == "grey":
        return image.convert("L").convert("RGB")
    if shows == "face":
        return Image.new("RGB", size, _FACE)
    if shows == "flat":
        return Image.new("RGB", size, (120, 130, 140))
    slope, start = {"dark": (0.25, 0), "bright": (0.04, 244)}.get(shows, (1, 0))
    return image.point(lambda level: start + slope * level)


def is_stand_in(image: Image.Image) -> bool:
    """Return whether *image*, in mode RGB, is one that shows what stands for a face."""
    colour = image.resize((1, 1)).getpixel((0, 0))
    assert isinstance(colour, tuple)  # noqa: S101 - the mode is RGB
    return all(abs(a - b) <= _NOISE for a, b in zip(colour, _FACE, strict=True))


def _exif(what: str) -> bytes:
    from PIL import ExifTags, Image  # noqa: PLC0415 - as above

    exif = Image.Exif()
    gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
    gps[ExifTags.GPS.GPSLatitudeRef] = "N"  # phones without permission to read their position write this much
    if what == "rotated":
        exif[ExifTags.Base.Orientation] = 6
    elif what == "gps":
        gps[ExifTags.GPS.GPSLatitude] = (52.0, 31.0, 12.0)
    elif what == "upright":
        exif[ExifTags.Base.Orientation] = 1
    else:
        raise ValueError(f"no exif {what!r}{nearest(what, ('upright', 'rotated', 'gps'))}")
    return exif.tobytes()


def _pad(kind: str, data: bytes, size: int | None) -> bytes:
    """Return *data* padded to *size* bytes, if any, where its format allows arbitrary bytes."""
    if size is None or size == len(data):
        return data
    missing = size - len(data)
    if missing < 0:
        raise ValueError(f"the image already has {len(data)} bytes, more than {size}")
    if kind == "jpeg":
        return data[:2] + _comments(missing) + data[2:]
    if kind == "png" and missing >= 12:  # noqa: PLR2004 - length, name and checksum of a chunk
        body = b"vfPd" + bytes(missing - 12)
        return data[:-12] + (missing - 12).to_bytes(4) + body + crc32(body).to_bytes(4) + data[-12:]
    raise ValueError(f"a {kind} cannot be padded by {missing} bytes")


def _comments(size: int) -> bytes:
    """Return JPEG comment segments of *size* bytes; up to three bytes are fill bytes before a marker."""
    segments = []
    while size >= 4:  # noqa: PLR2004 - marker and length
        body = min(size - 4, _LONGEST_COMMENT)
        segments.append(b"\xff\xfe" + (body + 2).to_bytes(2) + bytes(body))
        size -= body + 4
    return b"".join(segments) + b"\xff" * size
