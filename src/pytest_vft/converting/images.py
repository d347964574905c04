"""Images of examples: kept as they are, written to files, or embedded."""

from __future__ import annotations

import os
from collections import defaultdict
from typing import NamedTuple

import pybase64
from xxhash import xxh3_128_hexdigest, xxh3_128_intdigest

from pytest_vft.converting.entries import Payloads
from pytest_vft.converting.plan import ConversionPlan
from pytest_vft.converting.repairs import ImageFixer, decode_loosely, decode_strictly
from pytest_vft.formats.base import ImagePart
from pytest_vft.formats.conversation import NotConvertedError
from pytest_vft.reading.image_cache import MeasuredImage
from pytest_vft.reading.image_store import ImageStore, KnownImages
from pytest_vft.reading.images import image_format
from pytest_vft.reading.links import masked
from pytest_vft.reading.local_images import LocalImages, image_roots
from pytest_vft.reading.parquet import BYTES_MARK
from pytest_vft.reading.roots import OUTSIDE, UNREADABLE, PathTarget
from pytest_vft.regular_files import read_bytes
from pytest_vft.text import safe

FOLDER = "images"
BUCKETS = ("s3", "gs")  # schemes
SUFFIXES = {
    "JPEG": ".jpg",
    "PNG": ".png",
    "WEBP": ".webp",
    "GIF": ".gif",
    "BMP": ".bmp",
    "TIFF": ".tiff",
    "HEIC": ".heic",
    "AVIF": ".avif",
}
_MEDIA_TYPES = {".jpg": "image/jpeg"}
# How image files are opened; there may be a million.
_OPENED = os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0)
_NEW = _OPENED | os.O_EXCL
_MODE = 0o666
_MOST_KNOWN = 100_000  # images whose names are remembered


class ImageContent(NamedTuple):
    """The content of an image, and its format by its first bytes."""

    data: bytes
    kind: str

    @property
    def url(self) -> str:
        """The image as a data URL."""
        return f"data:{_media_type(self.kind)};base64,{pybase64.b64encode(self.data).decode()}"


class ImagePlacer:
    """Places the images of one file by a plan.

    *changes* counts what was done, and *names* has the image files in use, each with whether it is new.

    Images that are *known* are not measured again.
    """

    def __init__(self, plan: ConversionPlan, known: KnownImages | None = None) -> None:
        self.changes: defaultdict[str, int] = defaultdict(int)
        self.names: dict[str, bool] = {}
        self._plan = plan
        self._is_table = plan.is_table
        roots = image_roots(plan.source.path, plan.image_roots)
        self._files = LocalImages(roots, ImageStore(full=False))
        self._fixer = ImageFixer(plan.repair, known)
        self._known: dict[int, str] = {}
        self._sound: set[tuple[int, str]] = set()
        self._in_folder: set[str] = set()
        self._had_images = os.path.isdir(f"{plan.folder}/{FOLDER}")  # noqa: PTH112 - of any length

    def close(self) -> None:
        """Close the folders of local images."""
        self._files.close()

    def pop_measured(self) -> list[MeasuredImage]:
        """Return what was measured of images since the last call and is not in the cache, and forget it."""
        return self._fixer.pop_measured()

    def place(self, image: ImagePart, payloads: Payloads) -> ImagePart:
        """Return *image* as the target takes it. Raises NotConvertedError if its content cannot be had."""
        reference, mode = image.reference, self._plan.images
        if self._is_table:
            reference = reference.replace(f"{BYTES_MARK};base64,", ";base64,", 1)
            image = image._replace(reference=reference)
        if not image.local and reference[:5].lower() == "data:":
            return self._as_payload_file(image, payloads) if mode == "files" else self._kept(image, payloads)
        if not image.local and mode == "keep":
            self._check_bucket(reference)
            return image
        content = self._local(reference) if image.local else self._fetched(reference)
        return self.put(image, content, payloads)

    def put(self, image: ImagePart, content: ImageContent, payloads: Payloads) -> ImagePart:
        """Return *image* with this *content*, after its safe repairs, as the target takes it."""
        content, mode = self.repaired(content, payloads), self._plan.images
        if mode == "embed" or (mode == "keep" and not (image.local and self._plan.local)):
            self.changes["embedded"] += image.reference[:5].lower() != "data:"
            return image._replace(reference=content.url, local=False)
        return self._as_file(image, self._write(content))

    def content(self, image: ImagePart, payloads: Payloads) -> ImageContent | None:
        """Return the content of *image*, None for one that stays behind its URL.

        Raises NotConvertedError if it cannot be had.
        """
        if image.local:
            return self._local(image.reference)
        if image.reference[:5].lower() == "data:":
            payload = payloads.of(image.reference)
            data = decode_strictly(payload) or decode_loosely(payload)
            if data is None:
                raise NotConvertedError("a data URL has no valid base64")
            return _content(data, "a data URL")
        if self._plan.images == "keep":
            self._check_bucket(image.reference)
            return None
        return self._fetched(image.reference)

    def _check_bucket(self, url: str) -> None:
        """Raise NotConvertedError for an image in a bucket of a scheme that the target does not read."""
        scheme = url.partition("://")[0].lower()
        if self._plan.bucket and scheme in BUCKETS and scheme != self._plan.bucket:
            raise NotConvertedError(  # without the address, so that it is said once
                f"an image is in {scheme}://, and {self._plan.target} reads images from "
                f"{self._plan.bucket}://; copy the images, and write paths instead"
            )

    def _kept(self, image: ImagePart, payloads: Payloads) -> ImagePart:
        """Return *image*, a data URL, as it is or repaired; what is no image is left to the check.

        Raises NotConvertedError for an image that is judged, and that the target does not take.
        """
        payload = payloads.of(image.reference)
        head = image.reference.partition(",")[0]
        key = xxh3_128_intdigest(payload), head
        if key in self._sound:
            return image
        strict = decode_strictly(payload)
        data = strict or decode_loosely(payload)
        kind = image_format(data or b"")
        if data is None or kind not in SUFFIXES:
            if self._plan.judged:
                self.content(image, payloads)  # which raises an error
            return image
        content = self.repaired(ImageContent(data, kind), payloads)
        if content.data is strict and head == f"data:{_media_type(kind)};base64":
            if len(self._sound) >= _MOST_KNOWN:
                self._sound.clear()
            self._sound.add(key)
            return image
        self.changes["repaired"] += content.data is data  # a repair of the content is counted already
        return image._replace(reference=content.url)

    def _as_payload_file(self, image: ImagePart, payloads: Payloads) -> ImagePart:
        """Return *image*, a data URL, as a file."""
        payload = payloads.of(image.reference)
        data = decode_strictly(payload) or decode_loosely(payload)
        if data is None:
            raise NotConvertedError("a data URL has no valid base64")
        key = xxh3_128_intdigest(data)
        name = self._known.get(key)
        if name is None:
            name = self._write(self.repaired(_content(data, "a data URL"), payloads))
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[key] = name
        return self._as_file(image, name)

    def repaired(self, content: ImageContent, payloads: Payloads) -> ImageContent:
        """Return *content* after its safe repairs, as it is written.

        Raises NotConvertedError for an image that is judged, and that the target does not take.
        """
        judged = self._plan.judged
        fixed = self._fixer.fixed(content.data, payloads.has_boxes, judged=judged)
        if judged and fixed.problem:
            raise NotConvertedError(fixed.problem)
        if fixed.data is None:
            return content
        self.changes["repaired"] += 1
        return ImageContent(fixed.data, image_format(fixed.data))

    def _as_file(self, image: ImagePart, name: str) -> ImagePart:
        self.names[name] = name not in self._in_folder
        self.changes["written to files"] += 1
        part, _, detail, _, unknown = image
        return ImagePart(part, self._plan.prefix + name, detail, not self._plan.prefix, unknown)

    def _write(self, content: ImageContent) -> str:
        """Write *content* to a file of its own, unless there is one, and return its name.

        Of two processes that write the same file, each writes the same bytes to it.
        """
        name = f"{FOLDER}/{xxh3_128_hexdigest(content.data)}{SUFFIXES[content.kind]}"
        path, size = f"{self._plan.staged}/{name}", len(content.data)
        if self._had_images and _has_size(f"{self._plan.folder}/{name}", size):
            self._in_folder.add(name)
            return name
        try:
            file = os.open(path, _NEW, _MODE)
        except FileExistsError:
            if _has_size(path, size):
                return name
            file = os.open(path, _OPENED | os.O_TRUNC, _MODE)  # a process was killed here
        try:
            written = os.write(file, content.data)
            while written < size:  # a disk that gets full takes a part
                written += os.write(file, memoryview(content.data)[written:])
        finally:
            os.close(file)
        return name

    def _local(self, path: str) -> ImageContent:
        data = self._files.read(path)
        if data is None:
            target = self._files.look_up(path).target
            raise NotConvertedError(f"{safe(path)}: {_trouble(target)}")
        return _content(data, path)

    def _fetched(self, url: str) -> ImageContent:
        shown = masked(url)
        if self._plan.bodies is not None:
            path = f"{self._plan.bodies}/{body_name(url)}"
            if os.path.exists(path):  # noqa: PTH110 - as above
                self.changes["fetched"] += 1
                return _content(read_bytes(path), shown)
        cause = self._plan.causes.get(url)
        if cause is None:
            cause = (
                "only images behind http:// and https:// are fetched; copy the images beside the file, and "
                "write paths instead"
            )
        raise NotConvertedError(f"image cannot be fetched: {safe(shown)}: {cause}")


def _trouble(target: PathTarget) -> str:
    """Return why no image can be read from *target*."""
    if target.kind == OUTSIDE:
        return f"the path {target.words}; --image-root=DIR names another root"
    if target.kind == UNREADABLE:
        return f"the path is unreadable: {target.words}"
    return f"the path leads to {target.kind}"


def body_name(url: str) -> str:
    """Return the name of the file with the body of *url*."""
    return xxh3_128_hexdigest(url.encode(errors="surrogatepass"))


def _content(data: bytes, shown: str) -> ImageContent:
    kind = image_format(data)
    if kind not in SUFFIXES:
        raise NotConvertedError(f"{safe(shown)} is not an image: {kind}")
    return ImageContent(data, kind)


def _media_type(kind: str) -> str:
    suffix = SUFFIXES[kind]
    return _MEDIA_TYPES.get(suffix, f"image/{suffix[1:]}")


def _has_size(path: str, size: int) -> bool:
    """Return whether the file at *path*, named by its content, is there and complete."""
    try:
        return os.stat(path).st_size == size  # noqa: PTH116 - as above
    except OSError:
        return False
