"""Facts of one image: an `image_url` part and the picture that it stands for."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, TypedDict

from xxhash import xxh3_128_intdigest

from pytest_vft.model import Split
from pytest_vft.reading.album import Album, base64_problem
from pytest_vft.reading.images import Damage
from pytest_vft.reading.remote import Remote

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*(?=:)")
_FETCHED = ("http", "https")
_NOT_FETCHED = Remote(None)


class ImageFacts(TypedDict):
    """What is measured in an image."""

    split: Split
    role: str
    """The role of the message that holds it."""
    detail: str
    """As written; "auto" when absent, "null" for a JSON null."""
    scheme: str
    """The scheme of its URL in lower case: data, https, file ...; "none" when it has none."""
    media_type: str | None
    """What a data URL declares, as written: image/jpeg; None for other URLs."""
    encoding: str | None
    """"base64", or "other" when a data URL's payload is not valid base64; None for other URLs."""
    encoding_error: str | None
    """Why it is not."""
    bytes: int | None
    """Size of the picture, decoded from base64."""
    format: str | None
    """The format that its first bytes stand for: JPEG, HEIC, HTML, unrecognised ...; "none" when
    there are no bytes to be had."""
    openable: bool | None
    """Whether a decoder made sense of its header; None when there are no bytes yet."""
    mode: str | None
    """Pillow's mode: RGB, RGBA, L, P, CMYK ..."""
    width: int | None
    """In pixels."""
    height: int | None
    """In pixels."""
    damage: Damage | None
    """"none" as far as the depth tells, "truncated" or "undecodable"."""
    decoder_error: str | None
    """What the decoder said."""
    reachable: bool | None
    """Whether a URL could be fetched; None when that is not settled."""
    unreachable_because: str | None
    """Why not."""


def image_facts(
    image_url: Mapping[str, Any], role: str, split: Split, album: Album, remotes: Mapping[str, Remote]
) -> tuple[int, ImageFacts]:
    """Return the key of the picture's content, and the facts of the image."""
    url: str = image_url["url"]
    reachable = because = media_type = encoding = problem = None
    if url[:5].lower() == "data:":
        scheme = "data"
        head, _, payload = url.partition(",")
        media_type, _, marked = head[5:].partition(";")
        key, picture = album.look_up(payload)
        is_base64 = marked.lower().endswith("base64")
        if picture is not None and is_base64:
            encoding = "base64"
        else:
            picture, encoding = None, "other"
            problem = base64_problem(payload) if is_base64 else 'it does not say ";base64"'
        settled = True
    else:
        found = _SCHEME.match(url)
        scheme = found[0].lower() if found else "none"
        key = xxh3_128_intdigest(url.encode())
        remote = remotes.get(url, _NOT_FETCHED)
        picture, reachable, because = remote.picture, remote.reachable, remote.cause
        settled = scheme not in _FETCHED or reachable is False
    return key, {
        "split": split,
        "role": role,
        "detail": _detail(image_url),
        "scheme": scheme,
        "media_type": media_type,
        "encoding": encoding,
        "encoding_error": problem,
        "bytes": picture.bytes if picture else None,
        "format": picture.format if picture else "none" if settled else None,
        "openable": picture.openable if picture else False if settled else None,
        "mode": picture.mode if picture else None,
        "width": picture.width if picture else None,
        "height": picture.height if picture else None,
        "damage": picture.damage if picture else None,
        "decoder_error": picture.decoder_error if picture else None,
        "reachable": reachable,
        "unreachable_because": because,
    }


def _detail(image_url: Mapping[str, Any]) -> str:
    detail = image_url.get("detail", "auto")
    if isinstance(detail, str):
        return detail
    if isinstance(detail, list | dict):
        return "[...]" if isinstance(detail, list) else "{...}"
    return json.dumps(detail)
