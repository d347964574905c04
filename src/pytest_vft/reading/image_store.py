"""Measurements of the distinct images of a run, each measured once."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence

import pybase64
from xxhash import xxh3_128, xxh3_128_intdigest

from pytest_vft.reading.image_cache import ImageCache, MeasuredImage
from pytest_vft.reading.image_reader import ImageReader
from pytest_vft.reading.images import ImageMeasurements
from pytest_vft.reading.lines import lift
from pytest_vft.reading.measurers import Content, Measurer, is_measured
from pytest_vft.reading.shards import LongLine

_NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/=]")
# Starts of payloads, and characters, that show what went wrong.
_MISTAKES = (
    (("b'", 'b"'), "it is Python's b'...'; encode with b64encode(data).decode()"),
    ("data:", "it is another data URL; write the prefix data: once"),
)
_PATH = re.compile(r"[^\0-\x1f]+\.(?:jpe?g|png|webp|gif)", re.IGNORECASE)
_LONGEST_PATH = 1_024
_PIECE = 3 * 1024 * 1024  # bytes of an image that are encoded together, a multiple of three
_FOREIGN = {"-": "of the URL-safe alphabet", "_": "of the URL-safe alphabet", "%": "of percent-encoding"}


class KnownImages:
    """The images that several stores of one process share, so that none measures an image again."""

    def __init__(self) -> None:
        self._images: dict[ImageReader, dict[int, ImageMeasurements | None]] = {}

    def measured_by(self, reader: ImageReader) -> dict[int, ImageMeasurements | None]:
        """Return the images as *reader* measures them, by key, to be added to."""
        return self._images.setdefault(reader, {})


class ImageStore:
    """Measurements of images by the hash of their base64 text; None for text that is not valid base64.

    *full*, *bounded* and *measurers* are those of ImageReader. What the cache has of other measurers stays.
    *known* are the images of other stores, to which this one adds.

    xxh3 is fast but not resistant to collisions; a forged collision only hides a defect in the user's own
    dataset.
    """

    def __init__(
        self,
        *,
        full: bool,
        bounded: bool = True,
        cache: ImageCache | None = None,
        measurers: tuple[Measurer, ...] = (),
        known: KnownImages | None = None,
    ) -> None:
        self._reader = ImageReader(full, bounded, measurers)
        self._cache = cache
        self._images = (known or KnownImages()).measured_by(self._reader)
        self._tokens: dict[str, int] = {}
        self._pending: dict[int, memoryview | bytes] = {}
        self._measured: list[MeasuredImage] = []
        self._others: dict[int, Content] = {}

    def close(self) -> None:
        """Close the cache."""
        if self._cache:
            self._cache.close()

    def lift(self, lines: Sequence[bytes | LongLine]) -> list[bytes | None]:
        """Measure the images in *lines* and return the lines with tokens in place of payloads.

        Payloads that are not base64 (RFC 4648 with padding, no line breaks) are kept; a LongLine becomes
        None. The tokens are valid until the next call.
        """
        self._tokens.clear()
        lifted = [None if isinstance(raw, LongLine) else lift(raw, self._take) for raw in lines]
        if self._measure():
            return lifted
        return [None if isinstance(raw, LongLine) else lift(raw, self._take) for raw in lines]

    def look_up(self, payload: str) -> tuple[int, ImageMeasurements | None]:
        """Return key and measurements for a token or a payload; None for a payload that is not base64."""
        key = self._tokens.get(payload)
        if key is None:
            data = payload.encode()
            key = xxh3_128_intdigest(data)
            self._take(data)
            self._measure()
        return key, self._images[key]

    def measure(self, data: bytes) -> tuple[int, ImageMeasurements]:
        """Return key and measurements of the image *data*."""
        key = content_key(data)
        return key, self.measure_keyed(key, data)

    def measure_keyed(self, key: int, data: bytes) -> ImageMeasurements:
        """Return the measurements of the image *data*, whose content_key() is *key*."""
        image = self._images.get(key)
        if image is None:
            length = -(-len(data) // 3) * 4  # of its base64 text
            known = self._cached({key: length}).get(key)
            (image,) = [known] if known else self._reader.measure([data])
            self._images[key] = image
            if not known:
                self._note(key, length, image)
        return image

    def pop_measured(self) -> list[MeasuredImage]:
        """Return and forget the measurements that were made since the last call and are not in the cache."""
        measured, self._measured = self._measured, []
        return measured

    def _take(self, payload: memoryview | bytes) -> bytes | None:
        """Return the token for *payload*; a new payload is measured by _measure()."""
        key = xxh3_128_intdigest(payload)
        if key not in self._images:
            self._pending[key] = payload
        elif self._images[key] is None:
            return None
        token = f"#{key:032x}"  # "#" is not in the base64 alphabet
        self._tokens[token] = key
        return token.encode()

    def _measure(self) -> bool:
        """Measure pending payloads that are not in the cache; return whether all are base64."""
        if not self._pending:
            return True
        if self._cache:
            self._images |= self._cached({key: len(data) for key, data in self._pending.items()})
        lengths: deque[tuple[int, int]] = deque()
        for image in self._reader.measure(self._decoded(lengths)):
            key, length = lengths.popleft()
            self._images[key] = image
            if self._cache:
                self._note(key, length, image)
        sound = None not in map(self._images.get, self._pending)
        self._pending.clear()
        return sound

    def _decoded(self, lengths: deque[tuple[int, int]]) -> Iterator[bytes]:
        """Yield pending images that are new, and add the key and length of each payload to *lengths*."""
        for key, payload in self._pending.items():
            if key in self._images:
                continue
            try:
                data = pybase64.b64decode(payload, validate=True)
            except ValueError:
                self._images[key] = None
                continue
            lengths.append((key, len(payload)))
            yield data

    def _cached(self, lengths: Mapping[int, int]) -> dict[int, ImageMeasurements]:
        """Return the measurements in the cache, of images about which it knows all that is asked."""
        if self._cache is None:
            return {}
        found = self._cache.look_up(lengths)
        measurers = self._reader.measurers
        asked = {measurer.id for measurer in measurers}
        for key, image in list(found.items()):
            if image.content.keys() == asked:
                continue
            if image.width is None or is_measured(image.content, measurers):
                content = {id_: image.content[id_] for id_ in image.content.keys() & asked}
                found[key] = image.with_content(content)
            else:
                self._others[key] = image.content
                del found[key]
        return found

    def _note(self, key: int, length: int, image: ImageMeasurements) -> None:
        """Note a new measurement for the cache, with what the cache has of other measurers."""
        if self._cache and not image.is_undecoded:
            others = self._others.pop(key, None)
            if others:
                image = image.with_content({**others, **image.content})
            self._measured.append(MeasuredImage(key, length, image))


def content_key(data: bytes) -> int:
    """Return the key of the image *data*, that of its canonical base64 text (RFC 4648)."""
    if len(data) <= _PIECE:
        return xxh3_128_intdigest(pybase64.b64encode(data))
    hashed = xxh3_128()
    for start in range(0, len(data), _PIECE):
        hashed.update(pybase64.b64encode(data[start : start + _PIECE]))
    return hashed.intdigest()


def base64_problem(payload: str) -> str:
    """Return a description of why *payload* is not base64."""
    for start, problem in _MISTAKES:
        if payload[:5].lower().startswith(start):
            return problem
    if len(payload) <= _LONGEST_PATH and _PATH.fullmatch(payload.strip()):
        return "it is a path; encode the content of the file"
    wrong = _NOT_BASE64.search(payload)
    if wrong is None:
        return f"its {len(payload):,} characters are badly padded"
    letter = wrong[0]
    place = f"character {wrong.start() + 1:,} is {letter!r}"
    kind = "white space; remove it" if letter.isspace() else _FOREIGN.get(letter)
    return f"{place}, {kind}" if kind else place
