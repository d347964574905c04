"""Encode images as data URLs that providers accept. Pillow is imported when an image is encoded."""

from __future__ import annotations

import base64
import os
from io import BytesIO
from typing import TYPE_CHECKING, Literal, TypeAlias, cast, get_args

from pytest_vft.errors import UsageError
from pytest_vft.regular_files import read_bytes

if TYPE_CHECKING:
    from PIL import Image

ImageFormat = Literal["JPEG", "PNG", "WEBP"]
ImageSource: TypeAlias = "Image.Image | str | os.PathLike[str]"

_MEDIA_TYPES: dict[str, str] = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}


def encode_image(
    image: ImageSource,
    *,
    format: ImageFormat | None = None,  # noqa: A002 - as in Pillow
    quality: int = 85,
) -> str:
    """Return *image* as a data URL that providers accept: `data:image/jpeg;base64,...`.

    *image* is a Pillow image or the path of a file that Pillow opens; of several frames, the current or
    first one is used. The result has mode RGB, or RGBA if any pixel is transparent. An EXIF rotation is
    applied, and metadata is removed. 16-bit grey keeps its scale; 32-bit integers and floats, which do
    not have a fixed scale, are stretched from their darkest to their lightest value.

    *format* None means JPEG, or PNG for an image with transparency; with "JPEG", such an image is put on
    white. *quality*, from 1 to 100, applies to JPEG and WEBP.

    With *format* None, a JPEG, PNG or WEBP file of mode RGB or RGBA with one frame and without EXIF,
    XMP, IPTC or PNG text is used byte for byte, with its colour profile or JPEG comment.

    Raises UsageError for an invalid argument and for an image that cannot be read or written.
    """
    check_encoding(format, quality)
    name = _name(image)
    try:
        return _encode(image, format, quality)
    except Exception as error:  # decoders raise exceptions of any type
        raise UsageError(f"{name} cannot be encoded ({type(error).__name__}: {error})") from error


def check_encoding(format_: object, quality: object) -> None:
    """Raise UsageError unless encode_image accepts this format and quality."""
    if format_ is not None and format_ not in get_args(ImageFormat):
        raise UsageError(f'format is {format_!r}; expected "JPEG", "PNG", "WEBP" or None')
    if type(quality) is not int or not 1 <= quality <= 100:  # noqa: PLR2004 - a percentage
        raise UsageError(f"quality is {quality!r}; expected a whole number from 1 to 100")


def is_url(image: object) -> bool:
    """Return whether *image* is an http, https or data URL."""
    return isinstance(image, str) and image[:8].lower().startswith(("http://", "https://", "data:"))


def type_of(value: object) -> str:
    """Return "None" or the name of the type of *value*: the value itself may be megabytes."""
    return "None" if value is None else f"of type {type(value).__name__}"


def _encode(image: ImageSource, format_: ImageFormat | None, quality: int) -> str:
    from PIL import Image  # noqa: PLC0415 - see the module's docstring

    if isinstance(image, Image.Image):
        return _reencode(image, format_, quality)
    content = read_bytes(image)  # raises OSError for a pipe, which Image.open would wait for
    with Image.open(image) as opened:
        opened.load()
        if format_ is None and _is_fit(opened):
            return _data_url(str(opened.format), content)
        return _reencode(opened, format_, quality)


def _is_fit(image: Image.Image) -> bool:
    """Return whether the file that *image* was loaded from can be used unchanged."""
    return (
        image.format in _MEDIA_TYPES
        and image.mode in {"RGB", "RGBA"}
        and getattr(image, "n_frames", 1) == 1
        and image.info.keys().isdisjoint({"exif", "xmp", "photoshop"})
        and not getattr(image, "text", None)
    )


def _reencode(image: Image.Image, format_: ImageFormat | None, quality: int) -> str:
    from PIL import Image, ImageOps  # noqa: PLC0415 - see the module's docstring

    clean = _rgb_or_rgba(ImageOps.exif_transpose(image))
    clean.info.clear()  # Pillow would write comments and colour profiles
    chosen = format_ or ("PNG" if clean.mode == "RGBA" else "JPEG")
    if chosen == "JPEG" and clean.mode == "RGBA":
        clean = Image.alpha_composite(Image.new("RGBA", clean.size, "white"), clean).convert("RGB")
    file = BytesIO()
    clean.save(file, chosen, quality=quality)
    return _data_url(chosen, file.getvalue())


def _rgb_or_rgba(image: Image.Image) -> Image.Image:
    """Return a copy of *image* as RGB, or as RGBA if any pixel is transparent."""
    if image.mode in {"I", "F"} or image.mode.startswith("I;16"):
        return _eight_bit_grey(image).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    if image.mode == "La":  # Pillow does not convert it to RGBA directly
        image = image.convert("LA")
    transparent = image.convert("RGBA")
    opaque = transparent.getchannel("A").getextrema() == (255, 255)
    return transparent.convert("RGB") if opaque else transparent


def _eight_bit_grey(image: Image.Image) -> Image.Image:
    """Return *image*, which has one channel of more than 8 bits, as mode L; Pillow would clip it at 255."""
    floats = image.convert("F")
    floats.info.clear()  # a transparent grey value would have the old scale
    fixed = (0, 65535) if image.mode.startswith("I;16") else None
    darkest, lightest = fixed or cast("tuple[float, float]", floats.getextrema())
    scale = 255 / ((lightest - darkest) or 1)
    offset = 0.5 - darkest * scale  # Pillow truncates; adding a half rounds
    return floats.point(lambda level: level * scale + offset).convert("L")


def _data_url(format_: str, data: bytes) -> str:
    return f"data:{_MEDIA_TYPES[format_]};base64,{base64.b64encode(data).decode('ascii')}"


def _name(image: object) -> str:
    """Return the name of *image* for messages. Raises UsageError if it is not an image source."""
    from PIL import Image  # noqa: PLC0415 - see the module's docstring

    if isinstance(image, Image.Image):
        return f"the image ({image.mode}, {image.width}x{image.height})"
    if not isinstance(image, str | os.PathLike):
        raise UsageError(f"an image is {type_of(image)}; expected a Pillow image or a path")
    if is_url(image):
        raise UsageError("encode_image accepts a Pillow image or a path, not a URL")
    return os.fspath(image)
