"""References to images that an example does not have: placeholders in its texts, and keys."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_vft.facts.hidden import NONE
from pytest_vft.formats.base import MessageRow
from pytest_vft.formats.keys import IMAGE_KEYS
from pytest_vft.text import count

# First characters of placeholders.
FIRST_CHARACTERS = frozenset("<[{")

_ROLES = frozenset({"system", "user"})
_PLACEHOLDER = (
    r"(?:<image(?:_?\d+|_placeholder|_soft_token)?>|<\|image(?:_?\d+|_pad)?\|>|<\|vision_(?:start|end)\|>"
    r"|<start_of_image>|<img>[^<\n]+</img>|\[img\]|\[image(?: ?\d+)?\]|\{image\}|\{\{ ?image ?\}\})"
)
_ROW = rf"{_PLACEHOLDER}(?:[ \t]*{_PLACEHOLDER})*+"
# Placeholders stand at the start of a text, at its end after a sentence, or on a line of their own. The
# pattern is compiled at its first use, because few datasets need it.
# Markdown writes [image](URL), [image][1] and [image]: URL.
_STANDING = (
    rf"\A{_ROW}(?![\[(:`>.,;/=|-])|^(?:\w{{1,20}} ?\d{{1,4}}: ?)?{_ROW}[ \t]*\r?$|(?<=[.?!:])[ \t]*{_ROW}\Z"
)
_FLAGS = re.IGNORECASE | re.MULTILINE
_CODE = re.compile(r"^ {0,3}(```|~~~).*?(?:^ {0,3}\1|\Z)", re.MULTILINE | re.DOTALL)
_QWEN = re.compile(r"<img>[^<\n]+</img>")
_CLOSING = re.compile(r"</[A-Za-z]|\[/img\]", re.IGNORECASE)
_DIGIT = re.compile(r"\d")


def missing_image(rows: Sequence[MessageRow], others: Mapping[str, Any], images: int) -> str:
    """Return what refers to an image that an example with *images* images lacks: "a key images ..."; "none".

    *rows* are its messages and *others* its other keys.
    """
    if not images:
        for key in others:
            if key in IMAGE_KEYS and others[key]:
                return f"a key {key}, but no image"
    named: list[str] = []
    for position, role, _, texts, *_ in rows:
        for text in texts if role in _ROLES else ():
            found = placeholders(text) if any(map(text.__contains__, FIRST_CHARACTERS)) else ()
            if found and not images:
                return f"{found[0]} in message {position + 1}, but no image"
            named += found
    if len(named) <= images:  # the usual case, in which nothing is counted
        return NONE
    counts = Counter(one for one in named if not _DIGIT.search(one))
    name, number = max(counts.items(), key=lambda item: item[1], default=("", 0))
    return f"{number:,} times {name}, but {count(images, 'image')}" if number > images > 0 else NONE


def has_unread_image(rows: Sequence[MessageRow]) -> bool:
    """Return whether a message of *rows* has an image in a key that is not read."""
    return any(fault.path[-1] in IMAGE_KEYS for row in rows for fault in row[7])


def placeholders(text: str) -> list[str]:
    """Return the placeholders in *text* that stand for images, not those in code, markup or a sentence."""
    text = _CODE.sub("", text.strip())
    if _CLOSING.search(_QWEN.sub("", text)):
        return []
    return [
        one
        for found in re.finditer(_STANDING, text, _FLAGS)
        for one in re.findall(_PLACEHOLDER, found[0], _FLAGS)
    ]
