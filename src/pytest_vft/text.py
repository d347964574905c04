"""Text for people: escape untrusted data, fill templates, suggest names, count nouns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

LIMIT = 60
# Similarity of names that are near, of a name that contains the other, and their fewest letters.
_NEAR, _HALF, _SHORTEST = 0.8, 0.5, 3

# The flags of England, Scotland and Wales, for example: a black flag, the tag characters of a region
# and its subdivision, and the end tag (https://www.unicode.org/reports/tr51/#valid-emoji-tag-sequences).
FLAG = "\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f"
# C0, DEL and C1 controls; soft hyphens; bidirectional marks; line and paragraph separators; zero-width
# characters; lone surrogates, which UTF-8 cannot encode; interlinear annotations; tag characters.
_HARMFUL = re.compile(
    f"{FLAG}|[\x00-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)
_COMMAND = re.compile(r"##(?=\w*\[)")
_PLACEHOLDER = re.compile(r"\{(\w+)(?::([\w -]+))?\}")


class Safe(str):
    """Text in which all untrusted data is escaped already; it may have several lines."""

    __slots__ = ()


class Choices(list[object]):
    """Alternative values, which fill() joins with "or"."""


def safe(value: object, limit: int | None = LIMIT) -> str:
    """Return *value* as text without commands to terminals, logs and CI runners, at most *limit* characters.

    GitHub's runner reads a line that starts with `::`, or contains `##[` anywhere, as a command
    (https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands); Azure's
    reads `##vso[` (https://learn.microsoft.com/azure/devops/pipelines/scripts/logging-commands).
    """
    text = str(value)
    if limit is not None and len(text) > limit:
        text = text[: limit - 1] + "…"
    text = _COMMAND.sub(r"#\\x23", _HARMFUL.sub(_escape, text))
    if text.lstrip().startswith("::"):
        text = text.replace("::", r"\x3a:", 1)
    return text if limit is None or len(text) <= limit else text[: limit - 1] + "…"


def _escape(match: re.Match[str]) -> str:
    if len(match[0]) > 1:  # a flag
        return match[0]
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"  # noqa: PLR2004 - one byte, two bytes


def placeholders(template: str) -> dict[str, str]:
    """Return the names of the placeholders {name} and {name:noun} of *template*, with the nouns or ""."""
    return dict(_PLACEHOLDER.findall(template))


def stray_brace(template: str) -> str:
    """Return the text from the first { of *template* that starts no placeholder, "" if there is none."""
    found = re.search(r"\{[^}]*\}?", _PLACEHOLDER.sub("", template))
    return found[0][:LIMIT] if found else ""


def fill(template: str, values: Mapping[str, object]) -> str:
    """Return *template* with each placeholder replaced by its escaped value.

    {bytes} becomes "1,024", and {bytes:byte}, which must be an integer, "1,024 bytes".
    str.format is not used because it gives access to attributes ({x.__class__}).
    """
    return _PLACEHOLDER.sub(lambda match: _show(values[match[1]], match[2]), template)


def _show(value: object, noun: str | None) -> str:
    if type(value) is int:
        return count(value, noun) if noun else f"{value:,}"
    if isinstance(value, Safe):
        return value
    if isinstance(value, Choices) and value:
        return safe(either(value))
    if isinstance(value, list | tuple):
        return safe(", ".join(map(str, value)))
    return safe(value)


def either(options: Sequence[object]) -> str:
    """Return *options* as a choice: "a", "a or b", "a, b or c"."""
    *first, last = map(str, options)
    return f"{', '.join(first)} or {last}" if first else last


def nearest(name: str, known: Iterable[str]) -> str:
    """Return " (did you mean X?)" for the known name nearest to *name*, or "" if none is near.

    A name is near if four fifths of it are the same, if one letter is wrong or two are swapped, or if it
    contains the other name or is contained in it.
    """
    import difflib  # noqa: PLC0415 - for mistakes only

    def similarity(other: str) -> float:
        one, two = name.lower().lstrip("-"), other.lower().lstrip("-")
        ratio = difflib.SequenceMatcher(None, one, two, autojunk=False).ratio()
        contained = ratio >= _HALF and min(len(one), len(two)) >= _SHORTEST and (one in two or two in one)
        return ratio if ratio >= _NEAR or contained or _is_one_edit(one, two) else 0

    best = max(known, key=similarity, default="") if len(name) <= LIMIT else ""
    return f" (did you mean {best!r}?)" if best and similarity(best) else ""


def _is_one_edit(one: str, two: str) -> bool:
    """Return whether *one* becomes *two* by one insertion, deletion, replacement or swap of letters."""
    if min(len(one), len(two)) < _SHORTEST:
        return False
    while one and two and one[0] == two[0]:
        one, two = one[1:], two[1:]
    while one and two and one[-1] == two[-1]:
        one, two = one[:-1], two[:-1]
    return max(len(one), len(two)) <= 1 or (len(one) == 2 and one == two[::-1])  # noqa: PLR2004 - a swap


def count(number: int, noun: str) -> str:
    """Return *number* with *noun* in the singular or plural: "1 line", "2,000 lines"."""
    plural = re.sub("(?<![aeiou])y$", "ie", noun) + "s"
    return f"{number:,} {noun if number == 1 else plural}"
