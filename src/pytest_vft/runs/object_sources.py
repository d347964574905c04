"""The objects in object storage that a URL names: one, a folder, or a glob."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from pytest_vft.errors import UsageError
from pytest_vft.reading.object_errors import INSTALL, NO_OBJECT, KeyNotReadError, ObjectError
from pytest_vft.reading.object_paths import ObjectPath, without_password
from pytest_vft.reading.objects import ObjectUrl, has_obstore, list_objects, look_at, parse_url
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
            found = _in_folder(place, suffixes)
        else:
            found = _matching(place) if _MAGIC.search(place.key) else []
            found = found or [_named(place)]
    except ObjectError as error:
        words = error.strerror
        if words == NO_OBJECT:
            is_glob = _MAGIC.search(place.key)
            words = "no object matches" if is_glob else f"{NO_OBJECT}; a folder ends with /"
        raise UsageError(f"{without_password(given)}: {words}") from None
    if not found:
        raise UsageError(f"{given}: the folder has no objects whose names end in {either(suffixes)}")
    return sorted(found)


def _named(place: ObjectUrl) -> ObjectPath:
    """Return the object at *place*. Raises ObjectError if it cannot be read, or if its bucket is missing."""
    try:
        return look_at(str(place))
    except ObjectError as error:
        if error.strerror == NO_OBJECT:  # also for a missing bucket, which only a list tells
            next(list_objects(place, deep=False), None)
        raise


def _in_folder(place: ObjectUrl, suffixes: tuple[str, ...]) -> list[ObjectPath]:
    names = ((path, path.removeprefix(str(place)).split("/")) for path in list_objects(place))
    return [
        path
        for path, parts in names
        if parts[-1].lower().endswith(suffixes) and not any(part.startswith(".") for part in parts)
    ]


def _matching(place: ObjectUrl) -> list[ObjectPath]:
    """Return the objects whose keys match that of *place*, a glob."""
    magic = _MAGIC.search(place.key)
    literal = place.key[: magic.start() if magic else None]
    pattern = place.key.split("/")
    if pattern[-1] == ANY_DEPTH:
        pattern.append("*")
    folder = place._replace(key=literal[: literal.rfind("/") + 1])
    deep = "/" in place.key[len(literal) :] or ANY_DEPTH in pattern
    try:
        listed = list(_with_prefix(folder, literal, deep=deep))
    except KeyNotReadError:
        if deep:
            raise
        listed = list(list_objects(folder, deep=False))  # the key may be in another folder
    return [path for path in listed if _matches(parse_url(path).key.split("/"), pattern)]


def _with_prefix(folder: ObjectUrl, literal: str, *, deep: bool) -> Iterator[ObjectPath]:
    """Yield the objects in *folder* whose keys start with *literal*; few others are listed."""
    if folder.bucket.endswith(_UNORDERED) or literal == folder.key:
        yield from list_objects(folder, deep=deep)
        return
    just_before = literal[:-1] + chr(max(ord(literal[-1]) - 1, ord(" ")))
    within = False
    for path in list_objects(folder, after=just_before):
        if parse_url(path).key.startswith(literal):
            within = True
            yield path
        elif within:
            return


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    if not pattern:
        return not parts
    first, *rest = pattern
    if first == ANY_DEPTH:
        inside = bool(parts) and not parts[0].startswith(".") and _matches(parts[1:], pattern)
        return inside or _matches(parts, rest)
    if not parts or (parts[0].startswith(".") and not first.startswith(".")):
        return False
    return fnmatchcase(parts[0], first) and _matches(parts[1:], rest)
