"""Saving of repaired pixels, near to how the source was saved."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from io import BytesIO
from typing import Any

from PIL import Image

from pytest_vft.encoding import MEDIA_TYPES
from pytest_vft.fixing.metadata import orientation_exif
from pytest_vft.fixing.mode import in_colours
from pytest_vft.fixing.opening import SourceImage
from pytest_vft.fixing.orientation import turned_tables

# Of a JPEG or WEBP without quantisation tables to keep: differences are not seen.
_QUALITY = 95
_STORED: Mapping[str, Collection[str]] = {
    "JPEG": ("L", "RGB", "CMYK"),
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    "WEBP": ("RGB", "RGBA"),
}


def chosen_format(
    image: Image.Image, source: SourceImage, formats: Collection[str] | None, *, small: bool
) -> str:
    """Return the format in which *image* is saved: that of *source* if it is one of *formats* (None: any).

    Otherwise an opaque image of a lossy format becomes a JPEG, and any other image a PNG. If *small*, each
    opaque image becomes a JPEG.
    """
    accepted = [name for name in MEDIA_TYPES if formats is None or name in formats]
    opaque = not image.has_transparency_data
    if small and opaque and "JPEG" in accepted:
        return "JPEG"
    if source.kind in accepted:
        return source.kind
    order = ("JPEG", "PNG", "WEBP") if source.is_lossy and opaque else ("PNG", "WEBP", "JPEG")
    return next((name for name in order if name in accepted), "PNG")


def saved(image: Image.Image, kind: str, source: SourceImage, *, turned: int, orientation: int) -> bytes:
    """Return *image* as a file of format *kind*.

    The pixels of *source* were turned by EXIF orientation *turned*; *orientation* is what remains to be
    applied, and stays as the only EXIF. A JPEG keeps the quantisation tables and the subsampling of a JPEG.
    """
    if image.mode not in _STORED[kind]:
        image = in_colours(image)
    if kind == "JPEG" and image.mode == "RGBA":
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    exif = orientation_exif(orientation)
    options: dict[str, Any] = {"exif": b"Exif\0\0" + exif} if exif else {}
    options["icc_profile"] = source.profile_for(image.mode)
    if kind == "JPEG":
        options |= _jpeg_options(source, turned)
    elif kind == "WEBP":
        options |= {"quality": _QUALITY} if source.is_lossy else {"lossless": True, "exact": True}
    image = image.copy()
    kept = {"transparency": image.info["transparency"]} if "transparency" in image.info else {}
    image.info.clear()  # Pillow would write comments and texts
    image.info.update(kept)
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _jpeg_options(source: SourceImage, turned: int) -> dict[str, Any]:
    if not source.tables:
        return {"quality": _QUALITY, "subsampling": 0}
    tables = turned_tables(source.tables, turned)
    # Half the colours on one axis only would be the other axis now, which Pillow does not write.
    sampling = 0 if tables is not source.tables and source.sampling == 1 else source.sampling
    return {"qtables": tables, "subsampling": sampling, "progressive": source.progressive}
