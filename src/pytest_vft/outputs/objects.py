"""Writing of objects in object storage; those that others wrote stay."""

from __future__ import annotations

import errno
from pathlib import Path

from pytest_vft.reading.object_errors import NO_OBJECT, ObjectError, described
from pytest_vft.reading.object_paths import ObjectPath
from pytest_vft.reading.objects import RETRIES, look_at, parse_url, read_range, store_of
from pytest_vft.reading.waiting import waited

WHOLE = 8 * 1024 * 1024  # bytes; larger files are written in parts of this size or, for 80 GB, larger ones
_MOST_PARTS = 9_999  # of an object in S3: 10,000
_PARTS_AT_ONCE = 4


def put_file(url: str, path: Path, *, replaces: bool) -> str:
    """Write the file at *path* to the object at *url*, and return its ETag.

    Unless it *replaces*, an object that is there already stays. Then ObjectError is raised if its content is
    another one; the same content may have come from a request whose answer was lost. The server itself
    refuses to replace an object by a file of up to WHOLE bytes; for a larger one it is asked just before.
    Raises ObjectError, and OSError if the file cannot be read.
    """
    import obstore  # noqa: PLC0415 - for object storage only
    from obstore.exceptions import AlreadyExistsError  # noqa: PLC0415 - as above

    place = parse_url(url)
    size = path.stat().st_size
    in_parts = size > WHOLE
    try:
        if in_parts and not replaces and (there := _find(url)):
            return _same(there, path)
        written = waited(
            lambda: obstore.put(
                store_of(place, RETRIES),
                place.key,
                path,
                mode="overwrite" if in_parts or replaces else "create",
                use_multipart=in_parts,
                chunk_size=max(WHOLE, -(-size // _MOST_PARTS)),
                max_concurrency=_PARTS_AT_ONCE,
            )
        )
    except AlreadyExistsError:
        if there := _find(url):
            return _same(there, path)
        raise ObjectError(errno.EAGAIN, "another process writes this object", url) from None
    except Exception as error:  # noqa: BLE001 - obstore raises any exception
        raise described(error, place.scheme, url) from None
    return written["e_tag"] or ""


def delete_object(url: str) -> None:
    """Delete the object at *url*. Raises ObjectError."""
    import obstore  # noqa: PLC0415 - for object storage only

    place = parse_url(url)
    try:
        waited(lambda: obstore.delete(store_of(place), place.key))
    except Exception as error:  # noqa: BLE001 - as above
        raise described(error, place.scheme, url) from None


def _find(url: str) -> ObjectPath | None:
    try:
        return look_at(url)
    except ObjectError as error:
        if error.strerror == NO_OBJECT:
            return None
        raise


def _same(there: ObjectPath, path: Path) -> str:
    """Return the ETag of the object *there*. Raises ObjectError unless it has the content of *path*."""
    with path.open("rb") as file:
        same = path.stat().st_size == there.size and all(
            read_range(there, start, min(start + WHOLE, there.size)) == file.read(WHOLE)
            for start in range(0, there.size, WHOLE)
        )
    if not same:
        raise ObjectError(errno.EEXIST, "exists already; --force replaces it", str(there))
    return there.etag
