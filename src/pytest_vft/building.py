"""Build training data that passes: images to data URLs, turns to examples, examples to a file.

    examples = (
        build_example("Who wrote this book?", row.author, row.cover, system="Answer briefly.")
        for row in rows
    )
    write_jsonl("train.jsonl", examples)

Pillow is imported only when an image is encoded.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, cast, get_args

from pytest_vft.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL import Image

ImageFormat = Literal["JPEG", "PNG", "WEBP"]
Detail = Literal["low", "high", "auto"]
ImageSource: TypeAlias = "Image.Image | str | os.PathLike[str]"
ImageSources: TypeAlias = "ImageSource | Sequence[ImageSource] | None"

_MEDIA_TYPES: dict[str, str] = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}


class FewShot(NamedTuple):
    """A turn shown before the question, with its answer; a plain tuple of the three does as well."""

    question: str
    answer: str
    image: ImageSources = None


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
    _check_encoding(format, quality)
    name = _name(image)
    try:
        return _encode(image, format, quality)
    except Exception as error:  # a decoder raises whatever it likes
        reason = f"{type(error).__name__}: {error}"
        raise UsageError(f"{name} cannot be encoded ({reason})") from error


def build_example(  # noqa: PLR0913 - one keyword for each part of an example
    question: str,
    answer: str | None = None,
    image: ImageSources = None,
    *,
    system: str | None = None,
    few_shot: Iterable[tuple[str, str, ImageSources]] = (),
    detail: Detail | None = None,
    format: ImageFormat | None = None,  # noqa: A002 - as in encode_image
    quality: int = 85,
) -> dict[str, Any]:
    """Return one training example, `{"messages": [...]}`, in OpenAI's format for vision.

    Its messages are the *system* prompt, the *few_shot* turns, the *question* with its images,
    and the *answer*; leave the answer out for a test split. A few-shot turn is a FewShot or a
    tuple (question, answer, image); its answer carries `"weight": 0`: it is shown, not trained on.

    *image*, here and in a few-shot turn, is one image, a list of them, or None. An image is a
    Pillow image, a path, or a str that starts with http://, https:// or data:, which is used as it
    is. So encode an image of many examples once, with encode_image, and hand over its data URL.

    *detail* is set on every image, or left out if None. *format* and *quality* are those of
    encode_image.

    Raises UsageError for a wrong argument and for an image that cannot be read or written.
    """
    _check_detail(detail)
    _check_encoding(format, quality)
    ask = partial(
        _user_message,
        encode=partial(encode_image, format=format, quality=quality),
        detail=detail,
    )
    messages: list[dict[str, Any]] = []
    if system is not None:
        messages.append({"role": "system", "content": _text(system, "system")})
    for number, turn in enumerate(few_shot):
        shown = _few_shot(turn, f"few_shot[{number}]")
        messages.append(ask(shown.question, shown.image))
        messages.append({"role": "assistant", "content": shown.answer, "weight": 0})
    messages.append(ask(_text(question, "question"), image))
    if answer is not None:
        messages.append({"role": "assistant", "content": _text(answer, "answer")})
    return {"messages": messages}


def write_jsonl(path: str | os.PathLike[str], examples: Iterable[Mapping[str, Any]]) -> int:
    r"""Write *examples* to *path*, one JSON object a line, and return how many there were.

    The file is UTF-8 without a byte-order mark, and every line ends with "\n". It is written under
    a temporary name in the same folder and renamed at the end: whatever fails, also in *examples*
    itself, *path* is what it was before.

    Raises UsageError for an example that is not a mapping or cannot stand in JSON, OSError if the
    file cannot be written.
    """
    target = Path(path).resolve()  # renaming onto a symbolic link would replace the link
    unfinished = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    written = 0
    try:
        with unfinished.open("xb") as file:
            for written, example in enumerate(examples, start=1):
                file.write(_json_line(example, f"example {written}"))
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
    return written


# ImageSources


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
        raise UsageError(f"an image is a Pillow image or a path, not {_kind(image)}")
    if _is_url(image):
        raise UsageError("encode_image takes a Pillow image or a path; this is a URL already")
    return os.fspath(image)


def _is_url(image: object) -> bool:
    return isinstance(image, str) and image[:8].lower().startswith(("http://", "https://", "data:"))


# Messages


def _user_message(
    question: str,
    image: ImageSources,
    *,
    encode: Callable[[ImageSource], str],
    detail: Detail | None,
) -> dict[str, Any]:
    images = _as_sequence(image)
    if not images:
        return {"role": "user", "content": question}
    urls = [str(image) if _is_url(image) else encode(image) for image in images]
    text_part = {"type": "text", "text": question}
    return {"role": "user", "content": [text_part, *(_image_part(url, detail) for url in urls)]}


def _as_sequence(image: ImageSources) -> Sequence[ImageSource]:
    if image is None:
        return ()
    return image if isinstance(image, Sequence) and not isinstance(image, str) else [image]


def _image_part(url: str, detail: Detail | None) -> dict[str, Any]:
    image_url = {"url": url} if detail is None else {"url": url, "detail": detail}
    return {"type": "image_url", "image_url": image_url}


def _few_shot(turn: object, name: str) -> FewShot:
    if not isinstance(turn, list | tuple) or len(turn) != len(FewShot._fields):
        raise UsageError(f"{name} is {_kind(turn)}, want FewShot(question, answer, image)")
    question, answer, image = turn
    return FewShot(_text(question, f"the question of {name}"), _text(answer, f"the answer of {name}"), image)


def _json_line(example: object, name: str) -> bytes:
    if not isinstance(example, Mapping):
        raise UsageError(f"{name} is {_kind(example)}, want a dict such as build_example returns")
    try:
        text = json.dumps(dict(example), ensure_ascii=False, allow_nan=False)
        return text.encode() + b"\n"
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"{name} cannot be written as JSON: {error}") from error


# Arguments


def _text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise UsageError(f"{name} is {_kind(value)}, want a str")
    return value


def _check_encoding(format_: object, quality: object) -> None:
    if format_ is not None and format_ not in get_args(ImageFormat):
        raise UsageError(f'format is {format_!r}, want "JPEG", "PNG", "WEBP" or None')
    if type(quality) is not int or not 1 <= quality <= 100:  # noqa: PLR2004 - a percentage
        raise UsageError(f"quality is {quality!r}, want a whole number from 1 to 100")


def _check_detail(detail: object) -> None:
    if detail is not None and detail not in get_args(Detail):
        raise UsageError(f'detail is {detail!r}, want "low", "high", "auto" or None')


def _kind(value: object) -> str:
    """Return 'None', or the name of the type of *value*: the value itself may be megabytes."""
    return "None" if value is None else f"of type {type(value).__name__}"
