"""Encode images as data URLs that providers accept. Pillow is imported when an image is encoded."""

from __future__ import annotations

import base64
import os
from array import array
from collections.abc import Mapping
from io import BytesIO
from math import isfinite
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, Protocol, TypeAlias, cast, get_args

from pytest_vft.errors import UsageError
from pytest_vft.regular_files import read_bytes
from pytest_vft.text import count

if TYPE_CHECKING:
    from PIL import Image


class ImageArray(Protocol):
    """An array of NumPy, or of another library with the interface of NumPy's arrays."""

    @property
    def __array_interface__(self) -> dict[str, Any]:
        """Shape, type and place of the data."""


ImageFormat = Literal["JPEG", "PNG", "WEBP"]
ImageSource: TypeAlias = (
    "Image.Image | str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | ImageArray"
    " | Mapping[str, Any]"
)

_LIGHTEST = 255
_EXPECTED = "a Pillow image, a path, bytes, a file object, a NumPy array or {'bytes': ..., 'path': ...}"
MEDIA_TYPES: Mapping[str, str] = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}


def encode_image(
    image: ImageSource,
    *,
    format: ImageFormat | None = None,  # noqa: A002 - as in Pillow
    quality: int = 85,
) -> str:
    """Return *image* as a data URL that providers accept: `data:image/jpeg;base64,...`.

    *image* is a Pillow image, the path of a file that Pillow opens, the content of such a file as bytes or
    as a binary file object, a NumPy array, or a mapping `{"bytes": ..., "path": ...}` as in datasets of
    Hugging Face, whose bytes take precedence over the path. An array has the shape (height, width),
    (height, width, 1), (height, width, 3) or (height, width, 4), and values from 0 to 255 for colours.

    Of several frames, the current or first one is used. The result has mode RGB, or RGBA if any pixel is
    transparent. An EXIF rotation is applied, and metadata is removed. Grey values of more than 8 bits do
    not have a fixed scale: a 12-bit scan is stored in 16 bits. They are stretched from the darkest to the
    lightest value, alike for 16-bit and 32-bit integers and floats. Integers that are all between 0 and
    255 are 8-bit values and are kept, and an image of only one value keeps the scale of its bits.

    *format* None means JPEG, or PNG for an image with transparency; with "JPEG", such an image is put on
    white. *quality*, from 1 to 100, applies to JPEG and WEBP.

    With *format* None, a JPEG, PNG or WEBP file of mode RGB or RGBA with one frame and without EXIF,
    XMP, IPTC or PNG text is used byte for byte, with its colour profile or JPEG comment.

    Raises UsageError for an invalid argument and for an image that cannot be read or written.
    """
    check_encoding(format, quality)
    name, source = _named(image)
    try:
        return _encode(source, format, quality)
    except Exception as error:  # decoders raise exceptions of any type
        said = str(error).partition(" <_io.")[0]  # not the address of our file object
        raise UsageError(f"{name} cannot be encoded ({type(error).__name__}: {said})") from error


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


def _encode(image: Image.Image | str | bytes | ImageArray, format_: ImageFormat | None, quality: int) -> str:
    from PIL import Image  # noqa: PLC0415 - see the module's docstring

    if isinstance(image, Image.Image):
        return _reencode(image, format_, quality)
    if not isinstance(image, str | bytes):
        return _reencode(_from_array(image), format_, quality)
    content = image if isinstance(image, bytes) else read_bytes(image)  # OSError for a pipe, without waiting
    with Image.open(BytesIO(content)) as opened:
        opened.load()
        if format_ is None and _is_fit(opened):
            return _data_url(str(opened.format), content)
        return _reencode(opened, format_, quality)


def _from_array(pixels: Any) -> Image.Image:
    from PIL import Image  # noqa: PLC0415 - see the module's docstring

    shape, kind = pixels.__array_interface__["shape"], pixels.__array_interface__["typestr"]
    expected = (
        f"its shape is {tuple(shape)} and its type {kind}; expected (height, width) or "
        "(height, width, 3) with whole numbers from 0 to 255: array.astype('uint8')"
    )
    if kind == "|i1":  # Pillow would read -1 as 255
        raise TypeError(expected)
    try:
        _height, _width, *channels = shape
        return Image.fromarray(pixels[..., 0] if channels == [1] else pixels)
    except (TypeError, ValueError):
        raise TypeError(expected) from None


def _is_fit(image: Image.Image) -> bool:
    """Return whether the file that *image* was loaded from can be used unchanged."""
    return (
        image.format in MEDIA_TYPES
        and image.mode in {"RGB", "RGBA"}
        and getattr(image, "n_frames", 1) == 1
        and image.info.keys().isdisjoint({"exif", "xmp", "photoshop"})
        and not getattr(image, "text", None)
    )


def _reencode(image: Image.Image, format_: ImageFormat | None, quality: int) -> str:
    from PIL import Image, ImageOps  # noqa: PLC0415 - see the module's docstring

    clean = rgb_or_rgba(ImageOps.exif_transpose(image))
    clean.info.clear()  # Pillow would write comments and colour profiles
    chosen = format_ or ("PNG" if clean.mode == "RGBA" else "JPEG")
    if chosen == "JPEG" and clean.mode == "RGBA":
        clean = Image.alpha_composite(Image.new("RGBA", clean.size, "white"), clean).convert("RGB")
    file = BytesIO()
    clean.save(file, chosen, quality=quality)
    return _data_url(chosen, file.getvalue())


def rgb_or_rgba(image: Image.Image) -> Image.Image:
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
    if not isfinite(sum(array("f", floats.tobytes()))):
        raise ValueError("it has values that are not numbers or are infinite")
    darkest, lightest = cast("tuple[float, float]", floats.getextrema())
    if image.mode != "F" and darkest >= 0 and (lightest <= _LIGHTEST or darkest == lightest):
        bits = max(int(lightest).bit_length(), _LIGHTEST.bit_length())
        darkest, lightest = 0, 2**bits - 1
    scale = _LIGHTEST / ((lightest - darkest) or 1)
    offset = 0.5 - darkest * scale  # Pillow truncates; adding a half rounds
    return floats.point(lambda level: level * scale + offset).convert("L")


def _data_url(format_: str, data: bytes) -> str:
    return f"data:{MEDIA_TYPES[format_]};base64,{base64.b64encode(data).decode('ascii')}"


def _named(image: object) -> tuple[str, Any]:
    """Return the name of *image* for messages, and the image, array, path or bytes that it stands for.

    Raises UsageError if *image* is not an image source.
    """
    from PIL import Image  # noqa: PLC0415 - see the module's docstring

    if isinstance(image, Image.Image):
        return f"the image ({image.mode}, {image.width}x{image.height})", image
    if isinstance(image, Mapping):
        return _named_mapping(image)
    if isinstance(image, bytes | bytearray | memoryview):
        return f"the image ({count(len(bytes(image)), 'byte')})", bytes(image)
    if hasattr(image, "__array_interface__"):
        return "the array", image
    if hasattr(image, "read") and hasattr(image, "seek"):
        image.seek(0)  # as Pillow does, since a file that was just written is at its end
        data = image.read()
        if isinstance(data, bytes):
            return f"the image ({count(len(data), 'byte')})", data
    if not isinstance(image, str | os.PathLike):
        raise UsageError(f"an image is {type_of(image)}; expected {_EXPECTED}")
    if is_url(image):
        raise UsageError(f"encode_image accepts {_EXPECTED}, not a URL")
    path = os.fspath(image)
    return path, path


def _named_mapping(image: Mapping[Any, Any]) -> tuple[str, Any]:
    data, path = image.get("bytes"), image.get("path")
    if data is None and path is None:
        raise UsageError('an image is a mapping without bytes and path; expected {"bytes": ..., "path": ...}')
    name, source = _named(path if data is None else data)
    return (name if data is None or not isinstance(path, str) else path), source
