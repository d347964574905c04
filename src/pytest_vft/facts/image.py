"""Facts about one image: its part in the message, its URL and its content."""

from __future__ import annotations

import json
import re
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple, cast

from xxhash import xxh3_128_intdigest

from pytest_vft.facts.image_facts import ImageFacts, Match
from pytest_vft.formats.base import ImageRow
from pytest_vft.gaps import Cause
from pytest_vft.model import Split
from pytest_vft.reading.base64_variants import decode_variant
from pytest_vft.reading.context import FetchContext
from pytest_vft.reading.decoding import MOST_DECODED_PIXELS, takes_a_turn
from pytest_vft.reading.image_store import ImageStore, base64_problem
from pytest_vft.reading.images import ImageMeasurements, is_opened
from pytest_vft.reading.links import Link, read_link, without_scheme
from pytest_vft.reading.object_paths import bucket_of, is_object
from pytest_vft.reading.parquet import BYTES_MARK
from pytest_vft.reading.remote import Remote, not_fetched
from pytest_vft.reading.roots import OUTSIDE, UNREADABLE

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]+(?=:)")  # a single letter is a Windows drive
_FETCHED = ("http", "https")
_STORES = ("gs", "s3")  # object storage, which is opened if it is fetched from

# https://www.iana.org/assignments/media-types; aliases written by older browsers and cameras
_MEDIA_TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
_ALIASES = {"image/jpg": "JPEG", "image/pjpeg": "JPEG", "image/x-png": "PNG"}


class Image(NamedTuple):
    """An image of an example: positions of message and part, key, facts, URL or path."""

    message: int
    part: int
    key: int
    facts: ImageFacts
    reference: str


_UNKNOWN: Any = {
    **dict.fromkeys(name for name in ImageFacts.__annotations__ if name in ImageFacts.__required_keys__),
    "unknown_keys": (),
    "expires": "never",
    "expired": False,
    "local": False,
}  # copying it is faster than a dict display
# What all data URLs have in common.
DATA_URL = (("scheme", "data"), ("expires", "never"), ("expired", False), ("local", False))
_CACHED_HEADS = 64  # a dataset has few different heads of data URLs
_LONGEST_HEAD = 256  # characters, detail included; longer heads are not cached


def image_facts(
    image: ImageRow, role: str, split: Split, store: ImageStore, context: FetchContext
) -> tuple[int, ImageFacts]:
    """Return the key and the facts of *image*: the hash of its content, or of its reference if unknown."""
    _, reference, detail, local, _ = image
    if not isinstance(detail, str):
        shown = "[...]" if isinstance(detail, list) else "{...}" if isinstance(detail, dict) else None
        detail = shown or json.dumps(detail)
    if local:
        return _local_facts(split, role, detail, reference, context)
    if reference[:5].lower() != "data:":
        return _link_facts(split, role, detail, reference, context)
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
        facts["base64_variant"] = decode_variant(payload) is not None
    return key, facts


@lru_cache(_CACHED_HEADS)
def _data_facts(split: Split, role: str, detail: str, head: str, format_: str | None) -> ImageFacts:
    """Return the facts that data URLs with the same *head* (the part before the comma) share, to be copied.

    *format_* is the format of the image; None if the payload is not base64.
    """
    facts = _new_facts(split, role, detail, "data", "of scheme data")
    media_type, _, marked = head[5:].partition(";")
    facts["media_type"] = media_type or "text/plain"
    is_base64 = marked.lower().endswith("base64")
    if is_base64 and format_ is not None:
        facts["encoding"] = "base64"
        facts["media_type_match"] = _match(media_type, format_)
    else:
        facts["encoding"] = "other"
        facts["encoding_error"] = None if is_base64 else 'the URL does not contain ";base64"'
        facts["format"] = "none"
        facts["openable"] = False
    if BYTES_MARK in head:  # trainers read it as they read a file
        facts["scheme"], facts["address"] = "path", "bytes of a table"
        facts["media_type"], facts["media_type_match"] = None, "exact"
    return facts


def _link_facts(
    split: Split, role: str, detail: str, url: str, context: FetchContext
) -> tuple[int, ImageFacts]:
    found = _SCHEME.match(url)
    scheme = found[0].lower() if found else "none"
    address = f"of scheme {scheme}" if found else without_scheme(url)
    facts = _new_facts(split, role, detail, scheme, address)
    remote = content = None
    if scheme in _FETCHED:
        link = read_link(url)
        if link.has_expired(context.now):
            remote = Remote(False, "its signature has expired", public=link.public)
        else:
            remote = context.remotes.get(url) or not_fetched(link, allow_private=context.allow_private)
        content = remote.content
        _add_link(facts, link, remote, context.now)
    elif context.buckets and scheme in _STORES and is_object(url):
        remote = context.remotes.get(url)
        facts["host"] = bucket_of(url)
        if remote and remote.reachable:
            content, facts["reachable"] = remote.content, True
            facts["served"] = "image" if remote.image else remote.served
    if remote and remote.image:
        declared = remote.media_type
        facts["media_type_match"] = _match(declared, remote.image.format) if declared else "exact"
        _add_measurements(facts, remote.image)
    elif remote.reachable is not None if remote else scheme not in _STORES:
        facts["format"] = "none"
        facts["openable"] = False
    return xxh3_128_intdigest(url.encode()) if content is None else content, facts


def _local_facts(
    split: Split, role: str, detail: str, path: str, context: FetchContext
) -> tuple[int, ImageFacts]:
    facts = _new_facts(split, role, detail, "path", "a path")
    facts["local"], facts["path"] = True, path or '""'
    if context.files is None:
        return xxh3_128_intdigest(path.encode()), facts
    target, key, image = context.files.look_up(path)
    facts["leads_to"] = target.kind
    if image:
        facts["media_type_match"] = "exact"
        _add_measurements(facts, image)
    elif target.kind == OUTSIDE:
        facts["outside_because"], facts["outside_path"] = target.words, target.path
    elif target.kind == UNREADABLE:
        facts["read_error"] = target.words
    else:
        facts["format"] = "none"
        facts["openable"] = False
    return key, facts


def _new_facts(split: Split, role: str, detail: str, scheme: str, address: str) -> ImageFacts:
    facts: ImageFacts = _UNKNOWN.copy()
    facts["split"], facts["role"], facts["detail"] = split, role, detail
    facts["scheme"], facts["address"] = scheme, address
    return facts


def _add_link(facts: ImageFacts, link: Link, remote: Remote, now: datetime) -> None:
    facts["media_type"] = remote.media_type
    facts["host"] = link.host
    facts["public"] = remote.public
    facts["reachable"] = remote.reachable
    facts["unreachable_because"] = remote.cause
    if remote.reachable:
        facts["served"] = "image" if remote.image else remote.served
        facts["redirected_to"] = remote.redirected_to or "nowhere"
    expired = link.has_expired(now)
    if link.expires and (expired or remote.reachable is not False):
        facts["expires"] = f"{link.expires:%Y-%m-%d %H:%M} UTC"
        facts["expired"] = expired
        facts["days_left"] = (link.expires - now).days


def _add_measurements(facts: ImageFacts, image: ImageMeasurements) -> None:
    # Unpacking is faster than access to each field.
    size, format_, openable, mode, width, height, damage, error, frames, orientation, geotagged, shown = image
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
    if shown:
        for columns in shown.values():
            facts.update(cast("ImageFacts", columns))


def repaired_facts(facts: ImageFacts, image: ImageMeasurements) -> ImageFacts:
    """Return *facts* after the content of their image has become *image*, declared with its media type.

    Optional facts that depend on it are up to date if *facts* has them.
    """
    new = facts.copy()
    if facts["scheme"] == "data":
        media_type = new["media_type"] = _MEDIA_TYPES.get(image.format, "")
        if "head" in facts:
            new["head"] = f"data:{media_type};base64"
        new["encoding"], new["encoding_error"], new["base64_variant"] = "base64", None, None
    new["media_type_match"] = "exact"
    _add_measurements(new, image)
    if "aspect_ratio" in facts:
        add_shape(new)
    return new


def add_shape(facts: ImageFacts) -> None:
    """Add the optional facts on the ratio of the sides to *facts*."""
    width, height = facts["width"], facts["height"]
    if not width or not height:
        facts["aspect_ratio"] = facts["narrowness"] = None
        return
    longer, shorter = max(width, height), min(width, height)
    facts["aspect_ratio"] = -(-longer // shorter)
    facts["narrowness"] = 100 * shorter // longer


def unknown_because(facts: ImageFacts, *, full: bool, bounded: bool) -> tuple[Cause | None, Cause]:
    """Return why the content of the image, and what it shows, are not known in a run that decodes if *full*.

    The first is None if the image was opened. If *bounded*, large images are not decoded, and only the
    headers of images behind URLs are read.
    """
    content = _unopened_because(facts)
    if not full and content != "absent":
        return content, "header_only"
    rest: Cause = "header_only" if bounded and facts["host"] is not None else "oversized"
    return content, content or rest


def _unopened_because(facts: ImageFacts) -> Cause | None:
    kind, damage, pixels = facts["format"], facts["damage"], facts["pixels"]
    if kind is None:
        return "unopened" if facts["local"] or facts["scheme"] in _STORES else "unfetched"
    if kind == "none":
        return "absent"
    if facts["openable"] is False or damage not in (None, "none"):
        return "damaged"
    if pixels is not None and pixels > MOST_DECODED_PIXELS:
        return "oversized"
    if damage is None and is_opened(kind):
        return "undecoded" if takes_a_turn(pixels or 0, facts["bytes"] or 0) else "oversized"
    return None


def _match(media_type: str, format_: str) -> Match:
    name = media_type.strip().lower()
    if name == _MEDIA_TYPES.get(format_):
        return "exact"
    return "alias" if _ALIASES.get(name) == format_ else "none"
