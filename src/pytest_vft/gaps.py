"""Why subjects of a rule were not judged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

# Only the header of the image was read, as the depth says; its URL has no final answer; it is damaged or in a
# format that is not decoded; it is a local one that was not opened; there are too many to compare without
# numpy; it was compared with some others only; it is too large to decode at this depth; at any depth; there
# is none: the file is missing, the URL leads to no image, or the content is not an image.
Cause = Literal[
    "header_only",
    "unfetched",
    "damaged",
    "unopened",
    "uncompared",
    "partly_compared",
    "undecoded",
    "oversized",
    "absent",
]
CAUSES: tuple[Cause, ...] = get_args(Cause)

# Numbers of unknown verdicts by cause and rule id.
Gaps = Mapping[tuple[Cause, str], int]
