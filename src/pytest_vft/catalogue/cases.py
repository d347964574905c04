"""The cases in rule files: lines with image tokens, and the files that they describe."""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Mapping, Sequence
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
# Bounds of the images in cases, which rule files of strangers describe.
_MAX_PIXELS = 40_000_000
_MAX_BYTES = 64_000_000
_MAX_IMAGES = 1_000  # of a case
_MOST = {"bytes": _MAX_BYTES, "cut": _MAX_BYTES, "tail": 255, "frames": 100}
_MOST_DRAWN = 64  # images that are kept for other cases


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


def read_cases(rule: Rule) -> list[Case]:
    """Return the cases of *rule*. Raises RuleFileError for an invalid image token."""
    cases = []
    for number, content in enumerate(read_toml(rule.path).get("cases", ()), 1):
        name = f"{content['verdict']}-{number}"
        try:
            cases.append(_case(name, content))
        except ValueError as error:
            raise RuleFileError(f"{rule.path}: case {name}: {error}") from None
    return cases


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
    tokens = [token[1] for token in _TOKEN.finditer(lines)]
    if len(tokens) > _MAX_IMAGES:
        raise ValueError(f"has {count(len(tokens), 'image')}; expected at most {_MAX_IMAGES:,}")
    sizes = {token: len(data_url(token)) for token in set(tokens)}
    if sum(map(sizes.__getitem__, tokens)) > _MAX_BYTES * 4 // 3:
        raise ValueError(f"its images have more than {_MAX_BYTES:,} bytes")
    return _TOKEN.sub(lambda token: data_url(token[1]), lines).encode()


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
    given = _MOST.keys() & options.keys()
    numbers = {name: _number(token, name, options[name], _MOST[name]) for name in given}
    data = _encode(kind.upper(), _size(token, size), mode, numbers.get("frames"), options.get("exif"))
    data = _pad(kind, data, numbers.get("bytes", len(data)))
    data = data[: max(len(data) - numbers.get("cut", 0), 0)] + bytes(range(1, 1 + numbers.get("tail", 0)))
    return options.get("as", f"image/{kind}"), data


def _size(token: str, text: str) -> tuple[int, int]:
    """Return the *text* WxH of *token* as width and height. Raises ValueError."""
    found = re.fullmatch("([1-9][0-9]{0,4})x([1-9][0-9]{0,4})", text)
    if found is None:
        raise ValueError(f"$image: {token}: size is {text!r}; expected WIDTHxHEIGHT, as in 16x16")
    width, height = int(found[1]), int(found[2])
    if width * height > _MAX_PIXELS:
        raise ValueError(f"$image: {token}: size is {text}; expected at most {_MAX_PIXELS:,} pixels")
    return width, height


def _number(token: str, name: str, text: str, most: int) -> int:
    """Return *text*, the number *name* of *token*, from 0 to *most*. Raises ValueError."""
    if not re.fullmatch("[0-9]{1,9}", text) or int(text) > most:
        raise ValueError(f"$image: {token}: {name} is {text!r}; expected a number from 0 to {most:,}")
    return int(text)


def _encode(kind: str, size: tuple[int, int], mode: str, frames: int | None, exif: str | None) -> bytes:
    from PIL import Image  # noqa: PLC0415 - for cases only

    # Gradients, since a cut must remove data, not a run of one colour.
    gradient = Image.linear_gradient("L").resize(size)
    image = Image.merge("RGB", [gradient, gradient.rotate(90), gradient.rotate(180)])
    if mode == "rgba":
        image.putalpha(gradient)  # WEBP saves opaque images as RGB
    if mode in ("la", "i;16", "1"):
        image = image.convert("L")
    image = image.convert(mode.upper())
    saving: dict[str, Any] = {} if exif is None else {"exif": _exif(exif)}
    if frames is not None:
        if frames * size[0] * size[1] > _MAX_PIXELS:
            raise ValueError(f"{count(frames, 'frame')} have more than {_MAX_PIXELS:,} pixels")
        others = [image.rotate(90 * turn) for turn in range(1, frames)]
        saving |= {"save_all": True, "append_images": others}
    target = BytesIO()
    try:
        image.save(target, kind, **saving)
    except (KeyError, OSError) as error:
        raise ValueError(f"Pillow cannot write {kind} of mode {mode}: {error}") from None
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


def _pad(kind: str, data: bytes, size: int) -> bytes:
    """Return *data* padded to *size* bytes where its format allows arbitrary bytes."""
    missing = size - len(data)
    if missing == 0:
        return data
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
