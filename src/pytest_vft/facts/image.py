"""Facts of one image: an `image_url` part and the image that it stands for."""

from __future__ import annotations

import json
import re
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal, NamedTuple, TypedDict

from xxhash import xxh3_128_intdigest

from pytest_vft.formats.base import ImageRow
from pytest_vft.model import Split
from pytest_vft.reading.image_store import ImageStore, base64_problem
from pytest_vft.reading.images import Damage, ImageMeasurements
from pytest_vft.reading.links import Link, read_link
from pytest_vft.reading.remote import FetchContext, Remote, unasked

Match = Literal["exact", "alias", "none"]

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]+(?=:)")  # one letter is a drive of Windows
_BARE_BASE64 = re.compile(r"/9j/|iVBORw0KGgo|UklGR|R0lGOD")  # JPEG, PNG, WEBP, GIF
_FETCHED = ("http", "https")

# https://www.iana.org/assignments/media-types; the aliases are what browsers and cameras once wrote
_MEDIA_TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
_ALIASES = {"image/jpg": "JPEG", "image/pjpeg": "JPEG", "image/x-png": "PNG"}


class ImageFacts(TypedDict):
    """What is measured in an image."""

    split: Split
    """The split of its file: train, validation or test."""
    role: str
    """The role of the message that holds it."""
    detail: str
    """As written; "auto" when absent, "null" for a JSON null."""
    scheme: str
    """The scheme of its URL in lower case: data, https, file ...; "none" when it has none."""
    address: str
    """What the URL is, in words: of scheme s3, a path, bare base64, empty."""
    media_type: str | None
    """What a data URL declares, as written: image/jpeg; text/plain when it says nothing (RFC 2397);
    what the server of a fetched one declares, None when it says nothing of use."""
    media_type_match: Match | None
    """How that fits the bytes: "exact" (so does a server that says nothing), "alias" (image/jpg for a
    JPEG) or "none"; None for what cannot be opened."""
    encoding: str | None
    """"base64", or "other" when a data URL's payload is not valid base64; None for other URLs."""
    encoding_error: str | None
    """Why it is not."""
    bytes: int | None
    """Size of the image, decoded from base64."""
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
    pixels: int | None
    """Width times height."""
    frames: int | None
    """As the header says; a JPEG has 1, whatever stands behind its image."""
    orientation: int | None
    """Of EXIF: 1 (as it lies) to 8; 1 when EXIF says nothing or cannot be read."""
    geotagged: bool | None
    """Whether EXIF holds a latitude or longitude."""
    damage: Damage | None
    """"none" as far as the depth tells, "truncated" or "undecodable"."""
    decoder_error: str | None
    """What the decoder said."""
    reachable: bool | None
    """Whether a URL could be fetched; None when that is not settled."""
    unreachable_because: str | None
    """Why not."""
    host: str | None
    """The host of an http or https URL, in lower case."""
    public: bool | None
    """Whether all addresses of that host are public; None when its name was not looked up."""
    served: str | None
    """What a server sent: image, an HTML page ...; None when nothing was fetched."""
    redirected_to: str | None
    """Where the image came from, without secrets; "nowhere" else when the URL did not redirect,
    None when nothing was fetched."""
    expires: str
    """When its signature expires; "never" when it has none, or is known to be unreachable."""
    days_left: int | None
    """Whole days until then."""


class Image(NamedTuple):
    """An image of an example: its message and part, the key of its content, its facts, its reference."""

    message: int
    part: int
    key: int
    facts: ImageFacts
    reference: str


_UNKNOWN: Any = dict.fromkeys(ImageFacts.__annotations__)  # a copy is faster than a display of that many
_HEADS = 64  # of data URLs, with all that is the same for many: a dataset has few
_LONGEST_HEAD = 256  # characters, with the detail: longer ones are nobody's, and are not kept


def image_facts(
    image: ImageRow, role: str, split: Split, store: ImageStore, context: FetchContext
) -> tuple[int, ImageFacts]:
    """Return the key of the content of *image*, and its facts."""
    _, reference, detail, local = image
    if not isinstance(detail, str):
        detail = _in_words(detail)
    if local or reference[:5].lower() != "data:":
        return xxh3_128_intdigest(reference.encode()), _link_facts(split, role, detail, reference, context)
    head, _, payload = reference.partition(",")
    key, measured = store.look_up(payload)
    data_facts = _data_facts if len(head) + len(detail) <= _LONGEST_HEAD else _data_facts.__wrapped__
    if measured is not None:
        facts = data_facts(split, role, detail, head, measured.format).copy()
        if facts["encoding"] == "base64":
            _add_measurements(facts, measured)
    else:
        facts = data_facts(split, role, detail, head, None).copy()
        facts["encoding_error"] = facts["encoding_error"] or base64_problem(payload)
    return key, facts


@lru_cache(_HEADS)
def _data_facts(split: Split, role: str, detail: str, head: str, format_: str | None) -> ImageFacts:
    """Return what all data URLs with *head* before the comma have in common, to be copied.

    *format_* is that of the image; None when the payload is not base64.
    """
    facts = _said(split, role, detail, "data", "of scheme data")
    media_type, _, marked = head[5:].partition(";")
    facts["media_type"] = media_type or "text/plain"
    is_base64 = marked.lower().endswith("base64")
    if is_base64 and format_ is not None:
        facts["encoding"] = "base64"
        facts["media_type_match"] = _match(media_type, format_)
    else:
        facts["encoding"] = "other"
        facts["encoding_error"] = None if is_base64 else 'it does not say ";base64"'
        facts["format"] = "none"
        facts["openable"] = False
    return facts


def _link_facts(split: Split, role: str, detail: str, url: str, context: FetchContext) -> ImageFacts:
    found = _SCHEME.match(url)
    scheme = found[0].lower() if found else "none"
    facts = _said(split, role, detail, scheme, f"of scheme {scheme}" if found else _no_scheme(url))
    remote = None
    if scheme in _FETCHED:
        link = read_link(url)
        remote = context.remotes.get(url) or unasked(link)
        facts["media_type"] = remote.media_type
        _add_link(facts, link, remote, context.now)
    if remote and remote.image:
        declared = remote.media_type
        facts["media_type_match"] = _match(declared, remote.image.format) if declared else "exact"
        _add_measurements(facts, remote.image)
    elif remote is None or remote.reachable is not None:
        facts["format"] = "none"
        facts["openable"] = False
    return facts


def _said(split: Split, role: str, detail: str, scheme: str, address: str) -> ImageFacts:
    facts: ImageFacts = _UNKNOWN.copy()
    facts["split"] = split
    facts["role"] = role
    facts["detail"] = detail
    facts["scheme"] = scheme
    facts["address"] = address
    facts["expires"] = "never"
    return facts


def _add_link(facts: ImageFacts, link: Link, remote: Remote, now: datetime) -> None:
    facts["host"] = link.host
    facts["public"] = remote.public
    facts["reachable"] = remote.reachable
    facts["unreachable_because"] = remote.cause
    if remote.reachable:
        facts["served"] = "image" if remote.image else remote.served
        facts["redirected_to"] = remote.redirected_to or "nowhere"
    if link.ends and remote.reachable is not False:
        facts["expires"] = _shown(link.ends)
        facts["days_left"] = (link.ends - now).days
    elif link.ends and link.ends < now:
        facts["unreachable_because"] = f"{remote.cause}; its signature ended {_shown(link.ends)}"


def _add_measurements(facts: ImageFacts, image: ImageMeasurements) -> None:
    # Taking it apart is faster than asking for each field.
    size, format_, openable, mode, width, height, damage, error, frames, orientation, geotagged = image
    facts["bytes"] = size
    facts["format"] = format_
    facts["openable"] = openable
    if not openable:
        facts["media_type_match"] = None
    facts["mode"] = mode
    facts["width"] = width
    facts["height"] = height
    if width is not None and height is not None:
        facts["pixels"] = width * height
    facts["frames"] = frames
    facts["orientation"] = orientation
    facts["geotagged"] = geotagged
    facts["damage"] = damage
    facts["decoder_error"] = error


def _match(media_type: str, format_: str) -> Match:
    name = media_type.strip().lower()
    if name == _MEDIA_TYPES.get(format_):
        return "exact"
    return "alias" if _ALIASES.get(name) == format_ else "none"


def _no_scheme(url: str) -> str:
    if not url.strip():
        return "empty"
    return "bare base64" if _BARE_BASE64.match(url) else "a path"


def _shown(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"


def _in_words(detail: object) -> str:
    if isinstance(detail, list | dict):
        return "[...]" if isinstance(detail, list) else "{...}"
    return json.dumps(detail)
