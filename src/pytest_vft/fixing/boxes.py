"""Whether an example has boxes, whose coordinates a turned or scaled image no longer has."""

from __future__ import annotations

import re

# Keys of boxes (ms-swift: objects.bbox; Qwen: bbox_2d; COCO: bbox), and marks of boxes in texts of
# Qwen-VL, Florence and PaliGemma.
_BOXES = re.compile(
    rb'\\?"(?:objects|bbox|bboxes|bbox_2d|boxes|points?_2d|keypoints)\\?"\s*:'
    rb"|<\|box_|<\|object_ref|<(?:box|bbox|ref|point|points)[ >]|<loc_?\d"
)


def has_boxes(raw: bytes) -> bool:
    """Return whether *raw*, an example as it is written, has coordinates of boxes or points."""
    return _BOXES.search(raw) is not None
