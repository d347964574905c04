"""Characters that models read and people do not see."""

from __future__ import annotations

import re

from pytest_vft.text import FLAG

# Bidirectional controls other than the override to the left, and letters written from right to left.
_BIDI = "\u202a-\u202d\u2066-\u2069"
_RIGHT_TO_LEFT = re.compile(
    "[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]"
)
# Zero-width characters, marks of direction, fillers, annotations, and the variation selectors of the
# first plane; tag characters and the other variation selectors are in plane 14. The properties
# Default_Ignorable_Code_Point and Bidi_Control list them (https://www.unicode.org/reports/tr44/).
_ZERO_WIDTH = (
    "\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb"
)
# Two patterns, because re searches for characters of the first plane with a table, and for others slowly.
_SUSPECT = re.compile(f"[{_ZERO_WIDTH}]")
_SUSPECT_BEYOND = re.compile("[\U000e0000-\U000e0fff]")
_BLACK_FLAG = FLAG[0]
_RUN = 3  # one or two may be ordinary: in an emoji, in Persian or Khmer words, around a number
_INVISIBLE = re.compile(
    f"{FLAG}|[{_ZERO_WIDTH}\U000e0000-\U000e0fff]{{{_RUN},}}|[\u202e\U000e0000-\U000e007f]+|(?P<bidi>[{_BIDI}])"
)


def invisible_characters(text: str) -> int:
    """Return the number of characters in *text* that models read and people do not see.

    Ordinary ones are not counted: flags, and fewer than _RUN zero-width characters or variation selectors
    in a row. Controls of direction are ordinary in a text with letters from right to left.
    """
    if text.isascii() or not (_SUSPECT.search(text) or _SUSPECT_BEYOND.search(text)):
        return 0
    either_way = _RIGHT_TO_LEFT.search(text) is not None
    return sum(
        len(found[0])
        for found in _INVISIBLE.finditer(text)
        if not (found[0][0] == _BLACK_FLAG or (found["bidi"] and either_way))
    )
