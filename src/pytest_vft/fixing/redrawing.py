"""Repairs that change pixels, in one decoding and one encoding."""

from __future__ import annotations

from collections.abc import Collection

from PIL import Image

from pytest_vft.fixing.limits import ImageLimits
from pytest_vft.fixing.mode import in_mode
from pytest_vft.fixing.opening import CannotRepairError, SourceImage, opened
from pytest_vft.fixing.orientation import upright
from pytest_vft.fixing.saving import chosen_format, saved
from pytest_vft.fixing.scaling import scaled, share_for
from pytest_vft.text import count

# The repairs that need the pixels.
REDRAWS = frozenset({"convert-mode", "convert-format", "rotate", "scale-down", "first-frame"})
_UPRIGHT = 1
_MOST_TRIES = 8  # sizes that are tried until an image has few enough bytes


def redraw(  # noqa: PLR0913 - all by keyword but four
    data: bytes,
    kind: str,
    repairs: Collection[str],
    limits: ImageLimits,
    *,
    orientation: int,
    bounded: bool,
    small: bool = False,
) -> bytes:
    """Return the image *data* of format *kind* after *repairs*, within *limits*.

    *orientation* is that of EXIF, and stays unless it is applied. If *small*, an opaque image becomes a
    JPEG. Raises CannotRepairError.
    """
    turned = orientation if "rotate" in repairs else _UPRIGHT
    left = orientation if turned == _UPRIGHT else _UPRIGHT
    with opened(data, kind, bounded=bounded) as source:
        if source.frames > 1 and "first-frame" not in repairs:
            raise CannotRepairError(f"--unsafe: only the first of its {count(source.frames, 'frame')} stays")
        image = upright(source.pixels, turned)
        try:
            if "convert-mode" in repairs or "convert-format" in repairs:
                image = in_mode(image, limits.modes)
            target = chosen_format(image, source, limits.formats, small=small)
            if "scale-down" not in repairs:
                return saved(image, target, source, turned=turned, orientation=left)
            return _within(image, target, source, limits, turned, left)
        except (ValueError, OSError) as error:
            raise CannotRepairError(f"it cannot be saved again ({error})") from error


def _within(  # noqa: PLR0913, PLR0917 - one call
    image: Image.Image, target: str, source: SourceImage, limits: ImageLimits, turned: int, orientation: int
) -> bytes:
    """Return *image* as a file within the maxima of *limits*."""
    if image.mode not in ("L", "LA", "RGB", "RGBA", "CMYK"):  # others cannot be scaled smoothly
        image = in_mode(image, ("RGB", "RGBA"))
    most, share = limits.maxima.get("bytes"), 1.0
    for _ in range(_MOST_TRIES):
        smaller = scaled(image, limits.maxima, share)
        found = saved(smaller, target, source, turned=turned, orientation=orientation)
        if most is None or len(found) <= most:
            return found
        share *= share_for(len(found), most)
    raise CannotRepairError("it does not become small enough")
