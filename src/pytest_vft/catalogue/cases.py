"""The cases in rule files: lines with image tokens, and the files that they describe."""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from io import BytesIO
from typing import Any, NamedTuple
from zlib import crc32

from pytest_vft.catalogue.files import read_toml
from pytest_vft.catalogue.load import Rule
from pytest_vft.errors import RuleFileError
from pytest_vft.model import Split, Verdict
from pytest_vft.reading.image_store import content_key
from pytest_vft.reading.images import measure_image
from pytest_vft.reading.remote import Remote
from pytest_vft.text import count, nearest

# The time at which cases run, so that signatures expire relative to a fixed date.
CASE_TIME = datetime(2026, 1, 1, tzinfo=UTC)

_TOKEN = re.compile(r'\$image: ([^"]*)')
_MODES = ("rgb", "rgba", "l", "la", "p", "cmyk", "1", "i;16")
_OPTIONS = ("bytes", "cut", "tail", "frames", "exif", "as")
_LONGEST_COMMENT = 65_533
# Bounds of the images in cases, which rule files of strangers describe: far above the needs of shipped rules.
_MAX_PIXELS = 4_000_000  # of an image, in all of its frames
_MAX_BYTES = 12_000_000  # of an image
_MAX_FILE_PIXELS = 10_000_000  # of all images of a rule file
_MAX_FILE_BYTES = 64_000_000
_MAX_FILE_IMAGES = 1_000
_MOST = {"bytes": _MAX_BYTES, "cut": _MAX_BYTES, "tail": 255, "frames": 100}
_MOST_DRAWN = 8  # images that are kept for other cases


class CaseFile(NamedTuple):
    """One file of a case; *content* is None for a file that does not exist."""

    split: Split
    content: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An example in a rule file, with the verdict that it must get.

    *message* is the expected message of a failing case; *images* are the bytes of images by their paths
    in the folder of the files; *values* are limits and parameters that replace the default ones; *also*
    names other rules that the case inevitably fails; *fetched* maps URLs to what a request would find.
    """

    name: str
    verdict: Verdict
    message: str | None
    data_format: str
    files: Sequence[CaseFile]
    images: Mapping[str, bytes]
    values: Mapping[str, Any]
    also: Collection[str]
    fetched: Mapping[str, Remote]


class _ImageToken(NamedTuple):
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

    @property
    def pixels(self) -> int:
        """The number of pixels in all frames."""
        return self.size[0] * self.size[1] * (self.frames or 1)


def read_cases(rule: Rule) -> list[Case]:
    """Return the cases of *rule*. Raises RuleFileError for invalid image tokens and for too many images."""
    contents = read_toml(rule.path).get("cases", ())
    names = [f"{content['verdict']}-{number}" for number, content in enumerate(contents, 1)]
    images: list[_ImageToken] = []
    for name, content in zip(names, contents, strict=True):
        with _naming(rule, name):
            images += map(_read_token, _tokens(content))
    for problem in _excesses(images):
        raise RuleFileError(f"{rule.path}: {problem}")
    cases = []
    for name, content in zip(names, contents, strict=True):
        with _naming(rule, name):
            cases.append(_case(name, content))
    return cases


@contextmanager
def _naming(rule: Rule, case: str) -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise RuleFileError(f"{rule.path}: case {case}: {error}") from None


def _tokens(content: object) -> Iterator[str]:
    """Yield each image token in *content*, a case or a part of one."""
    if isinstance(content, str):
        yield from (token[1] for token in _TOKEN.finditer(content))
    elif isinstance(content, Mapping | list):
        for inner in content.values() if isinstance(content, Mapping) else content:
            yield from _tokens(inner)


def _excesses(images: Sequence[_ImageToken]) -> Iterator[str]:
    """Yield a message for each bound of all *images* of a rule file that is exceeded."""
    for found, noun, most in (
        (len(images), "image", _MAX_FILE_IMAGES),
        (sum(image.pixels for image in images), "pixel", _MAX_FILE_PIXELS),
        (sum(image.bytes or 0 for image in images), "byte", _MAX_FILE_BYTES),
    ):
        if found > most:
            its = "has" if noun == "image" else "the images of its cases have"
            yield f"{its} {count(found, noun)}; expected at most {most:,}"


def _case(name: str, content: Mapping[str, Any]) -> Case:
    return Case(
        name=name,
        verdict=Verdict[content["verdict"].upper()],
        message=content.get("message"),
        data_format=content.get("data_format", "openai"),
        files=[
            CaseFile(file.get("split", "train"), _bytes(file)) for file in content.get("files", [content])
        ],
        images={path: _image(found) for path, found in content.get("images", {}).items()},
        values={**content.get("params", {}), **content.get("limits", {})},
        also=content.get("also", ()),
        fetched={url: _remote(found) for url, found in content.get("fetched", {}).items()},
    )


def _bytes(file: Mapping[str, Any]) -> bytes | None:
    if file.get("missing"):
        return None
    if "base64" in file:
        return base64.b64decode(file["base64"], validate=True)
    lines: str = file["lines"]
    urls = {token: data_url(token) for token in set(_tokens(lines))}
    return _TOKEN.sub(lambda token: urls[token[1]], lines).encode()


def _image(found: str) -> bytes:
    """Return the bytes of the image that *found* describes, or *found* itself, which is not an image."""
    token = _TOKEN.fullmatch(found)
    return draw(token[1])[1] if token else found.encode()


def _remote(found: str | Mapping[str, Any]) -> Remote:
    """Return what a case describes as *found*: an image, a cause of failure, or a table with fields."""
    if isinstance(found, Mapping):
        fields = {"reachable": "cause" not in found, **found}
        if "image" in found:
            fetched = _remote(found["image"])
            fields |= {"image": fetched.image, "content": fetched.content}
        return Remote(**fields)
    token = _TOKEN.fullmatch(found)
    if token is None:
        return Remote(reachable=False, cause=found)
    _, data = draw(token[1])
    return Remote(reachable=True, image=measure_image(data, full=False), content=content_key(data))


def data_url(token: str) -> str:
    """Return the data URL of the image that *token* describes."""
    media_type, data = draw(token)
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


@lru_cache(_MOST_DRAWN)
def draw(token: str) -> tuple[str, bytes]:
    """Return media type and bytes of the image that *token* describes.

    FORMAT WxH MODE [bytes=N] [cut=N] [tail=N] [frames=N] [exif=upright|rotated|gps] [as=MEDIA/TYPE]:
    *bytes* pads the file to that size, *cut* removes bytes at its end, *tail* appends bytes. Raises
    ValueError, which names the invalid word.
    """
    image = _read_token(token)
    data = _pad(image.kind, _encode(image), image.bytes)
    data = data[: max(len(data) - image.cut, 0)] + bytes(range(1, 1 + image.tail))
    return image.media_type, data


def _read_token(token: str) -> _ImageToken:
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
    image = _ImageToken(
        kind=kind,
        size=_size(token, size),
        mode=mode,
        bytes=numbers.get("bytes"),
        cut=numbers.get("cut", 0),
        tail=numbers.get("tail", 0),
        frames=numbers.get("frames"),
        exif=options.get("exif"),
        media_type=options.get("as", f"image/{kind}"),
    )
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


def _encode(token: _ImageToken) -> bytes:
    from PIL import Image  # noqa: PLC0415 - for cases only

    # Gradients, since a cut must remove data, not a run of one colour.
    gradient = Image.linear_gradient("L").resize(token.size)
    image = Image.merge("RGB", [gradient, gradient.rotate(90), gradient.rotate(180)])
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
