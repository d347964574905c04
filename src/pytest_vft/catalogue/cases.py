"""The cases in rule files: lines with image tokens, and the files that they describe."""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
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
from pytest_vft.text import nearest

# The time at which cases run, so that signatures expire relative to a fixed date.
CASE_TIME = datetime(2026, 1, 1, tzinfo=UTC)

_TOKEN = re.compile(r'\$image: ([^"]*)')
_MODES = ("rgb", "rgba", "l", "la", "p", "cmyk", "1", "i;16")
_OPTIONS = ("bytes", "cut", "tail", "frames", "exif", "as")
_LONGEST_COMMENT = 65_533


class CaseFile(NamedTuple):
    """One file of a case; *content* is None for a file that does not exist."""

    split: Split
    content: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An example in a rule file, with the verdict that it must get.

    *message* is the expected message of a failing case; *values* are limits and parameters that replace
    the default ones; *also* names other rules that the case inevitably fails; *fetched* maps URLs
    to what a request would find.
    """

    name: str
    verdict: Verdict
    message: str | None
    files: Sequence[CaseFile]
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
        files=[
            CaseFile(file.get("split", "train"), _bytes(file)) for file in content.get("files", [content])
        ],
        values={**content.get("params", {}), **content.get("limits", {})},
        also=content.get("also", ()),
        fetched={url: _remote(found) for url, found in content.get("fetched", {}).items()},
    )


def _bytes(file: Mapping[str, Any]) -> bytes | None:
    if file.get("missing"):
        return None
    if "base64" in file:
        return base64.b64decode(file["base64"], validate=True)
    return _TOKEN.sub(lambda token: data_url(token[1]), file["lines"]).encode()


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


@cache
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
    data = _encode(kind.upper(), size, mode, options)
    data = _pad(kind, data, int(options.get("bytes", len(data))))
    data = data[: len(data) - int(options.get("cut", 0))] + bytes(range(1, 1 + int(options.get("tail", 0))))
    return options.get("as", f"image/{kind}"), data


def _encode(kind: str, size: str, mode: str, options: Mapping[str, str]) -> bytes:
    from PIL import Image  # noqa: PLC0415 - for cases only

    if mode not in _MODES:
        raise ValueError(f"no mode {mode!r}{nearest(mode, _MODES)}")
    width, _, height = size.partition("x")
    # Gradients, since a cut must remove data, not a run of one colour.
    gradient = Image.linear_gradient("L").resize((int(width), int(height)))
    image = Image.merge("RGB", [gradient, gradient.rotate(90), gradient.rotate(180)])
    if mode == "rgba":
        image.putalpha(gradient)  # WEBP saves opaque images as RGB
    if mode in ("la", "i;16", "1"):
        image = image.convert("L")
    image = image.convert(mode.upper())
    saving: dict[str, Any] = {"exif": _exif(options["exif"])} if "exif" in options else {}
    if "frames" in options:
        others = [image.rotate(90 * turn) for turn in range(1, int(options["frames"]))]
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
