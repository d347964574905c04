"""The orientation of an image and whether it contains a position, by its EXIF data."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from PIL import ExifTags, Image

UPRIGHT = 1  # the first of the eight orientations
_MOST_EXIF = 65_536  # EXIF is one JPEG segment, with a length of 16 bits (ITU-T T.81, B.1.1.4)


def read_exif(data: bytes) -> tuple[int, bool]:
    """Return the orientation in EXIF *data*, and whether it contains a position."""
    if len(data) > _MOST_EXIF:
        return UPRIGHT, False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # broken EXIF is common and does not affect training
            exif = Image.Exif()
            exif.load(data)
            orientation = exif.get(ExifTags.Base.Orientation, UPRIGHT)
            geotagged = any(number > 0 for number in _position(exif.get_ifd(ExifTags.IFD.GPSInfo)))
    except Exception:  # noqa: BLE001 - as above
        return UPRIGHT, False
    return (int(orientation) if orientation in range(1, 9) else UPRIGHT), geotagged


def _position(gps: Mapping[int, Any]) -> Iterator[Any]:
    """Yield the numbers of latitude and longitude; cameras without a position write 0, 0/0 or nothing."""
    for tag in (ExifTags.GPS.GPSLatitude, ExifTags.GPS.GPSLongitude):
        value = gps.get(tag, 0)
        yield from value if isinstance(value, tuple) else (value,)
