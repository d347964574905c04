"""Objects in S3, Google Cloud Storage and Azure Blob Storage: listed, looked at and read by ranges.

obstore (extra "cloud") takes endpoint, region and credentials from the environment of this machine.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_vft.reading.object_environment import check_environment
from pytest_vft.reading.object_errors import CHANGED, NO_OBJECT, ODD_KEY, ObjectError, in_our_words
from pytest_vft.reading.object_paths import ObjectPath
from pytest_vft.reading.waiting import waited

if TYPE_CHECKING:
    from obstore import Bytes, GetOptions, GetResult
    from obstore.store import ObjectStore, RetryConfig

_URL = re.compile(r"(s3|gs|az)://([^/@]+)(?:/(.*))?", re.DOTALL)
# Of buckets, and of containers of Azure (https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata,
# read 2026-11-30). S3 and Google have stricter rules today, and buckets that are older.
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,221}")
_CONTAINER = re.compile(r"(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*")
_QUOTES = 'W/"'  # around an ETag in some answers of a server, and not in others
# Pauses double from 0.1 s up to 15 s. A mistake is told soon; what is being read is asked for longer.
_FIRST_RETRIES, RETRIES = 3, 10
_FIRST_PATIENCE = timedelta(seconds=30)  # after which a first request is not made again


class ObjectUrl(NamedTuple):
    """The parts of the URL of an object: s3, gs or az, the bucket or container, and the key."""

    scheme: str
    bucket: str
    key: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}/{self.key}"


def parse_url(url: str) -> ObjectUrl:
    """Return the parts of *url*. Raises ObjectError if it has no bucket, or an odd name."""
    found = _URL.fullmatch(url)
    if found is None:
        raise ObjectError(
            errno.EINVAL, "expected s3://BUCKET/KEY, gs://BUCKET/KEY or az://CONTAINER/KEY", url
        )
    place = ObjectUrl(*found.groups(default=""))
    if place.scheme == "az":
        is_name = _CONTAINER.fullmatch(place.bucket)
        words = "a container must have 3 to 63 lowercase letters, digits and single dashes"
    else:
        is_name = _BUCKET.fullmatch(place.bucket)
        words = "a bucket must have at least 3 letters, digits, dots, dashes and underscores"
    if not is_name:
        raise ObjectError(errno.EINVAL, f"the name of {words}", url)
    if "//" in f"/{place.key}":  # obstore would leave out the first and the last slash, and read another key
        raise ObjectError(errno.EINVAL, f"the key {ODD_KEY}", url)
    return place


def look_at(url: str) -> ObjectPath:
    """Return the object at *url* with its size and ETag. Raises ObjectError if it cannot be read."""
    import obstore  # noqa: PLC0415 - for object storage only

    place = parse_url(url)
    with in_our_words(place.scheme, str(place)):
        return _pinned(place, waited(lambda: obstore.head(store_of(place), place.key)))


def list_objects(folder: ObjectUrl, *, after: str = "") -> Iterator[ObjectPath]:
    """Yield the objects in *folder*, whose key is a prefix, and in folders inside it, in the server's order.

    Those with keys up to *after* are left out. Raises ObjectError, and KeyNotReadError for one of up to
    1,000 objects that the server sends at once.
    """
    import obstore  # noqa: PLC0415 - for object storage only

    with in_our_words(folder.scheme, str(folder)):
        batches = obstore.list(store_of(folder), folder.key.rstrip("/") or None, offset=after or None)
        while batch := waited(lambda: next(batches, None)):
            yield from (_pinned(folder, meta) for meta in batch)


def list_folder(folder: ObjectUrl) -> tuple[list[ObjectPath], list[ObjectUrl]]:
    """Return the objects directly in *folder*, whose key is a prefix, and the folders directly in it.

    Raises ObjectError, and KeyNotReadError if there is an object or folder that is not read.
    """
    import obstore  # noqa: PLC0415 - for object storage only

    with in_our_words(folder.scheme, str(folder)):
        prefix = folder.key.rstrip("/") or None
        listed = waited(lambda: obstore.list_with_delimiter(store_of(folder), prefix))
        folders = [folder._replace(key=f"{one}/") for one in listed["common_prefixes"]]
        return [_pinned(folder, meta) for meta in listed["objects"]], folders


def read_range(path: ObjectPath, start: int, end: int) -> memoryview:
    """Return the bytes of the object at *path* from *start* to *end*, which is inside it.

    Raises ObjectError, also if the object does not have the ETag of *path* any more.
    """
    import obstore  # noqa: PLC0415 - for object storage only

    place = parse_url(path)
    try:
        with in_our_words(place.scheme, str(place)):
            store = store_of(place, RETRIES)
            options: GetOptions = {"range": (start, end), "if_match": path.etag}
            etag, found = waited(lambda: _received(obstore.get(store, place.key, options=options)))
    except ObjectError as error:
        if error.strerror != NO_OBJECT:
            raise
        # A list leaves out a slash at the start or end of a key.
        words = "the object was deleted, or its key begins or ends with /, which is not read; run it again"
        raise ObjectError(errno.EIO, words, path) from None
    if etag and etag.strip(_QUOTES) != path.etag.strip(_QUOTES):  # of a server that ignores the condition
        raise ObjectError(errno.EIO, CHANGED, path)
    if len(found) != end - start:
        raise ObjectError(errno.EIO, "the server sent too few bytes; run it again", path)
    return memoryview(found)


def _received(answer: GetResult) -> tuple[str | None, Bytes]:
    return answer.meta["e_tag"], answer.bytes()


def read_start(url: str, most: int) -> tuple[bytes, int]:
    """Return the first bytes of the object at *url*, at most *most*, and its size. Raises ObjectError."""
    place = parse_url(url)
    with in_our_words(place.scheme, url):
        import obstore  # noqa: PLC0415 - for object storage only

        found = obstore.get(store_of(place), place.key, options={"range": (0, most)})
        return bytes(found.bytes()), found.meta["size"]


@cache
def _open_store(scheme: str, bucket: str, retries: int) -> ObjectStore:
    from obstore import store  # noqa: PLC0415 - for object storage only

    check_environment(scheme)
    kind: Any = {"s3": store.S3Store, "gs": store.GCSStore, "az": store.AzureStore}[scheme]
    config: RetryConfig = {"max_retries": retries}
    if retries == _FIRST_RETRIES:
        config["retry_timeout"] = _FIRST_PATIENCE
    opened: ObjectStore = kind(bucket, retry_config=config)
    return opened


def store_of(place: ObjectUrl, retries: int = _FIRST_RETRIES) -> ObjectStore:
    """Return the bucket of *place*, whose requests are made again up to *retries* times."""
    return _open_store(place.scheme, place.bucket, retries)


def _pinned(place: ObjectUrl, meta: Mapping[str, Any]) -> ObjectPath:
    url = str(place._replace(key=meta["path"]))
    if not meta["e_tag"]:
        raise ObjectError(errno.EIO, "the server gives no ETag, by which changes are noticed", url)
    return ObjectPath(url, meta["size"], meta["e_tag"])


def has_obstore() -> bool:
    """Return whether objects can be read."""
    return find_spec("obstore") is not None
