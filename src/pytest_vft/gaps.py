"""Why subjects of a rule were not judged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

Cause = Literal[
    "header_only",  # the depth of the run reads only the header of the image
    "unfetched",  # its URL has no final answer
    "damaged",  # or in a format that is not decoded
    "unopened",  # it is a local image
    "uncompared",  # there are too many images to compare without numpy
    "partly_compared",  # with some other images only
    "undecoded",  # too large at this depth
    "oversized",  # too large at each depth
    "absent",  # the file is missing, the URL leads to no image, or the content is not an image
]
CAUSES: tuple[Cause, ...] = get_args(Cause)

# Numbers of unknown verdicts by cause and rule id.
Gaps = Mapping[tuple[Cause, str], int]
