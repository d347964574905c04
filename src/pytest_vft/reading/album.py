"""The distinct pictures of a run, each measured once."""

from __future__ import annotations

import re

import pybase64
from xxhash import xxh3_128_intdigest

from pytest_vft.reading.images import Picture, measure_picture

_TOKEN = re.compile(r"#[0-9a-f]{32}")  # "#" is no letter of base64: no payload looks like a token
_NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/=]")


class Album:
    """Pictures by the hash of their payload as written.

    xxh3 is fast and no proof against collisions made on purpose: who forges one hides a defect in a
    dataset of his own.
    """

    def __init__(self, *, full: bool) -> None:
        self._full = full
        self._pictures: dict[int, Picture] = {}

    def take(self, payload: memoryview | bytes) -> bytes | None:
        """Measure the picture that *payload* encodes; return the token that stands for it from now.

        None when it is not base64 (RFC 4648 with padding, no line breaks).
        """
        key = xxh3_128_intdigest(payload)
        if key not in self._pictures:
            try:
                data = pybase64.b64decode(payload, validate=True)
            except ValueError:
                return None
            self._pictures[key] = measure_picture(data, full=self._full)
        return b"#%032x" % key

    def look_up(self, payload: str) -> tuple[int, Picture | None]:
        """Return key and measurements for a token, or for a payload that was not lifted.

        The measurements are None when it is not base64.
        """
        if _TOKEN.fullmatch(payload):
            key = int(payload[1:], 16)
        else:
            data = payload.encode()
            self.take(data)
            key = xxh3_128_intdigest(data)
        return key, self._pictures.get(key)


def base64_problem(payload: str) -> str:
    """Return in words why *payload* is not base64."""
    wrong = _NOT_BASE64.search(payload)
    if wrong is None:
        return f"its {len(payload):,} characters are badly padded"
    letter = wrong[0]
    place = f"character {wrong.start() + 1:,} is {letter!r}"
    if letter in "-_":
        return f"{place}, of the URL-safe alphabet"
    if letter == "%":
        return f"{place}, of percent-encoding"
    if letter.isspace():
        return f"{place}, white space"
    return place
