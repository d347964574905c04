"""Images to data URLs that providers accept.

Pillow is imported only when an image is encoded.
"""

from __future__ import annotations

import base64
import os
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, cast, get_args

from pytest_vft.errors import UsageError

if TYPE_CHECKING:
    from PIL import Image

ImageFormat = Literal["JPEG", "PNG", "WEBP"]
ImageSource: TypeAlias = "Image.Image | str | os.PathLike[str]"

_MEDIA_TYPES: dict[str, str] = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}


def encode_image(
    image: ImageSource,
    *,
    format: ImageFormat | None = None,  # noqa: A002 - Pillow's own word for it
    quality: int = 85,
) -> str:
    """Return *image* as a data URL that providers accept: `data:image/jpeg;base64,...`.

    *image* is a Pillow image or the path of any file that Pillow opens; of several frames, the
    current or first one counts. The result has mode RGB, or RGBA if something in the image can
    be seen through. It stands upright (an EXIF rotation is carried out) and carries no metadata.
    16-bit grey keeps its scale; 32-bit integers and floats, which have no fixed scale, are
    stretched from their darkest to their lightest value.

    *format* None means JPEG, or PNG for an image that can be seen through; JPEG has no
    transparency, so if it is asked for, such an image is put on white. *quality*, from 1 to 100,
    is for JPEG and WEBP.

    Nothing is lost where nothing must change: with *format* None, a JPEG, PNG or WEBP file of mode
    RGB or RGBA with one frame and without EXIF, XMP, IPTC or PNG text is used byte for byte (a
    colour profile or a JPEG comment stays in it).

    Raises UsageError for a wrong argument and for an image that cannot be read or written.
    """
    check_encoding(format, quality)
    name = _name(image)
    try:
        return _encode(image, format, quality)
    except Exception as error:  # a decoder raises whatever it likes
        reason = f"{type(error).__name__}: {error}"
        raise UsageError(f"{name} cannot be encoded ({reason})") from error


def check_encoding(format_: object, quality: object) -> None:
    """Raise UsageError unless encode_image takes this format and quality."""
    if format_ is not None and format_ not in get_args(ImageFormat):
        raise UsageError(f'format is {format_!r}, want "JPEG", "PNG", "WEBP" or None')
    if type(quality) is not int or not 1 <= quality <= 100:  # noqa: PLR2004 - a percentage
        raise UsageError(f"quality is {quality!r}, want a whole number from 1 to 100")


def is_url(image: object) -> bool:
    """Return whether *image* is a URL already, also a data URL."""
    return isinstance(image, str) and image[:8].lower().startswith(("http://", "https://", "data:"))


def type_of(value: object) -> str:
    """Return 'None', or the name of the type of *value*: the value itself may be megabytes."""
    return "None" if value is None else f"of type {type(value).__name__}"


def _encode(image: ImageSource, format_: ImageFormat | None, quality: int) -> str:
    from PIL import Image  # noqa: PLC0415 - see the module's docstring

    if isinstance(image, Image.Image):
        return _reencode(image, format_, quality)
    with Image.open(image) as opened:
        opened.load()
        if format_ is None and _is_fit(opened):
            return _data_url(str(opened.format), Path(image).read_bytes())
        return _reencode(opened, format_, quality)


def _is_fit(image: Image.Image) -> bool:
    """Say whether the file that *image* was loaded from can be used as it is."""
    return (
        image.format in _MEDIA_TYPES
        and image.mode in {"RGB", "RGBA"}
        and getattr(image, "n_frames", 1) == 1
        and image.info.keys().isdisjoint({"exif", "xmp", "photoshop"})
        and not getattr(image, "text", None)
    )


def _reencode(image: Image.Image, format_: ImageFormat | None, quality: int) -> str:
    from PIL import ImageOps  # noqa: PLC0415 - see the module's docstring

    clean = _rgb_or_rgba(ImageOps.exif_transpose(image))
    clean.info.clear()  # Pillow would write some of it: comments, colour profiles
    chosen = format_ or ("PNG" if clean.mode == "RGBA" else "JPEG")
    if chosen == "JPEG" and clean.mode == "RGBA":
        clean = _on_white(clean)
    file = BytesIO()
    clean.save(file, chosen, quality=quality)
    return _data_url(chosen, file.getvalue())


def _rgb_or_rgba(image: Image.Image) -> Image.Image:
    """Return a copy of *image* as RGB, or as RGBA if something in it can be seen through."""
    if image.mode in {"I", "F"} or image.mode.startswith("I;16"):
        return _eight_bit_grey(image).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    if image.mode == "La":  # Pillow knows no direct way from it
        image = image.convert("LA")
    see_through = image.convert("RGBA")
    opaque = see_through.getchannel("A").getextrema() == (255, 255)
    return see_through.convert("RGB") if opaque else see_through


def _eight_bit_grey(image: Image.Image) -> Image.Image:
    """Return *image*, of one deep channel, as mode L; Pillow would cut off all above 255."""
    floats = image.convert("F")
    floats.info.clear()  # a transparent grey would be one of the old scale
    fixed = (0, 65535) if image.mode.startswith("I;16") else None
    darkest, lightest = fixed or cast("tuple[float, float]", floats.getextrema())
    scale = 255 / ((lightest - darkest) or 1)
    offset = 0.5 - darkest * scale  # Pillow cuts, so a half more rounds
    return floats.point(lambda level: level * scale + offset).convert("L")


def _on_white(image: Image.Image) -> Image.Image:
    from PIL import Image  # noqa: PLC0415 - see the module's docstring

    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("RGB")


def _data_url(format_: str, data: bytes) -> str:
    return f"data:{_MEDIA_TYPES[format_]};base64,{base64.b64encode(data).decode('ascii')}"


def _name(image: object) -> str:
    """Return what to call *image* in a message; raise UsageError if it is no image at all."""
    from PIL import Image  # noqa: PLC0415 - see the module's docstring

    if isinstance(image, Image.Image):
        return f"the image ({image.mode}, {image.width}x{image.height})"
    if not isinstance(image, str | os.PathLike):
        raise UsageError(f"an image is a Pillow image or a path, not {type_of(image)}")
    if is_url(image):
        raise UsageError("encode_image takes a Pillow image or a path; this is a URL already")
    return os.fspath(image)
