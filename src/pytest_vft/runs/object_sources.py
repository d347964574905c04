"""The objects in object storage that a URL names: one, a folder, or a glob."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from itertools import pairwise

from pytest_vft.errors import UsageError
from pytest_vft.reading.object_errors import (
    INSTALL,
    NO_OBJECT,
    ODD_KEY,
    KeyNotReadError,
    ObjectError,
)
from pytest_vft.reading.object_paths import ObjectPath, without_password
from pytest_vft.reading.objects import (
    ObjectUrl,
    has_obstore,
    list_folder,
    list_objects,
    look_at,
    parse_url,
)
from pytest_vft.runs.globs import ANY_DEPTH
from pytest_vft.text import either

_MAGIC = re.compile(r"[*?\[]")
_UNORDERED = "--x-s3"  # ends the name of a directory bucket, whose objects are listed in no order


def expand_objects(given: str, suffixes: tuple[str, ...]) -> list[str]:
    """Return the objects that the URL *given* names, with their sizes and ETags, sorted.

    A URL that ends with / is a folder, in which objects with *suffixes* are looked for; hidden ones are left
    out. Raises UsageError if there are none, and if the storage cannot be read.
    """
    if not has_obstore():
        raise UsageError(f"{given}: object storage needs obstore: {INSTALL}")
    try:
        place = parse_url(given)
        if place.key == "" or place.key.endswith("/"):
            in_folder = _matching(place, "", [ANY_DEPTH, "*"])
            found = [path for path in in_folder if path.lower().endswith(suffixes)]
        else:
            found = _of_glob(place) if _MAGIC.search(place.key) else []
            found = found or [_named(place)]
    except ObjectError as error:
        words = error.strerror
        if words == NO_OBJECT:
            is_glob = _MAGIC.search(place.key)
            words = "no object matches" if is_glob else f"{NO_OBJECT}; a folder ends with /"
        elif isinstance(error, KeyNotReadError):
            words = f"{words}; rename the object, or name the other objects one by one"
        raise UsageError(f"{without_password(given)}: {words}") from None
    if not found:
        raise UsageError(f"{given}: the folder has no objects whose names end in {either(suffixes)}")
    paths = sorted(found)
    for first, second in pairwise(paths):
        if first == second:  # obstore leaves out a slash at the start or end of a key
            raise UsageError(
                f"{first}: there is another object whose key has a / before or after this one; rename it"
            )
    return [*paths]


def _named(place: ObjectUrl) -> ObjectPath:
    """Return the object at *place*. Raises ObjectError if it cannot be read, or if its bucket is missing."""
    try:
        return look_at(str(place))
    except ObjectError as error:
        if error.strerror == NO_OBJECT:  # also for a missing bucket, which only a list tells
            list_folder(place)
        raise


def _of_glob(place: ObjectUrl) -> list[ObjectPath]:
    """Return the objects whose keys match that of *place*, a glob."""
    magic = _MAGIC.search(place.key)
    literal = place.key[: magic.start() if magic else None]
    folder = place._replace(key=literal[: literal.rfind("/") + 1])
    pattern = place.key.removeprefix(folder.key).split("/")
    if pattern[-1] == ANY_DEPTH:
        pattern.append("*")
    return _matching(folder, literal.removeprefix(folder.key), pattern)


def _matching(folder: ObjectUrl, start: str, pattern: Sequence[str]) -> list[ObjectPath]:
    """Return the objects in *folder* that match *pattern*, the parts of a glob that begins with *start*.

    Raises KeyNotReadError only for a key in a folder whose objects may match.
    """
    is_flat = len(pattern) == 1
    try:
        if start and not folder.bucket.endswith(_UNORDERED):
            listed = list(_from(folder, start))
        else:
            listed = list_folder(folder)[0] if is_flat else list(list_objects(folder))
    except KeyNotReadError:
        listed = list(_walked(folder, folder, pattern))
    return [path for path in listed if _matches(_parts(folder, parse_url(path)), pattern)]


def _from(folder: ObjectUrl, start: str) -> Iterator[ObjectPath]:
    """Yield the objects in *folder* whose names begin with *start*; few others are listed."""
    just_before = folder.key + start[:-1] + chr(max(ord(start[-1]) - 1, ord(" ")))
    within = False
    for path in list_objects(folder, after=just_before):
        if path.startswith(f"{folder}{start}"):
            within = True
            yield path
        elif within:
            return


def _walked(top: ObjectUrl, folder: ObjectUrl, pattern: Sequence[str]) -> Iterator[ObjectPath]:
    """Yield the objects in *folder*, which is in *top*, and in those of its folders that may have matches."""
    objects, folders = list_folder(folder)
    yield from objects
    for inner in folders:
        if _matches(_parts(top, inner)[:-1], pattern, leads=True):
            if inner.key == "/":
                words = f"the objects in {folder} cannot be listed: a key that begins with / {ODD_KEY}"
                raise KeyNotReadError(errno.EINVAL, words, str(folder))
            yield from _walked(top, inner, pattern)


def _parts(top: ObjectUrl, place: ObjectUrl) -> list[str]:
    return place.key.removeprefix(top.key).split("/")


def _matches(parts: Sequence[str], pattern: Sequence[str], *, leads: bool = False) -> bool:
    """Return whether the name *parts* matches *pattern*, or *leads* to names that do."""
    if leads and not parts:
        return bool(pattern)
    if not pattern:
        return not parts
    first, *rest = pattern
    if first == ANY_DEPTH:
        inside = bool(parts) and not parts[0].startswith(".") and _matches(parts[1:], pattern, leads=leads)
        return inside or _matches(parts, rest, leads=leads)
    if not parts or (parts[0].startswith(".") and not first.startswith(".")):
        return False
    return fnmatchcase(parts[0], first) and _matches(parts[1:], rest, leads=leads)
