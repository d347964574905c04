"""The repairs that rule files may name, in words."""

from __future__ import annotations

from collections.abc import Mapping

REPAIRS: Mapping[str, str] = {
    "remove-line": "The line is removed.",
    "remove-byte-order-mark": "The byte-order mark is removed.",
    "decode-base64": (
        "White space, the URL-safe alphabet, missing padding and a second layer of base64 are decoded; "
        "the image is written as base64 of RFC 4648."
    ),
    "declare-media-type": "The media type of the bytes is declared.",
    "convert-mode": (
        "The image becomes RGB, or RGBA if any pixel is transparent. "
        "Grey values of 16 bits are divided by 257."
    ),
    "convert-format": (
        "The image becomes a PNG with the same pixels, or a JPEG of quality 95 if its format was lossy."
    ),
    "rotate": (
        "The EXIF orientation is applied to the pixels; a JPEG keeps its quantisation tables. "
        "--unsafe is needed where the example has boxes or points."
    ),
    "remove-metadata": "EXIF, XMP and IPTC are removed without a change of pixels; an orientation stays.",
    "move-detail": "The key detail is moved from the content part into its image_url.",
    "first-frame": "Only the first frame is kept.",
    "scale-down": "The image is scaled down until it is within the limit.",
    "zero-weight": 'The few-shot answer gets "weight": 0 in each example, in the data format openai.',
    "remove-duplicate": "All copies of the example but the first are removed.",
    "remove-leak": "The example is removed from train if its target turn is in another split.",
}
