"""Text for people: escape untrusted data, fill templates, suggest names, count nouns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

LIMIT = 60
_LONGEST_NAME = 100  # characters of a name that is compared with others
_SHORTEST_START = 3  # letters of an abbreviation

# The flags of England, Scotland and Wales, for example: a black flag, the tag characters of a region
# and its subdivision, and the end tag (https://www.unicode.org/reports/tr51/#valid-emoji-tag-sequences).
FLAG = "\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f"
# C0, DEL and C1 controls; soft hyphens; bidirectional marks; line and paragraph separators; zero-width
# characters; lone surrogates, which UTF-8 cannot encode; interlinear annotations; tag characters.
# Joiners are left as they are between two emoji, and between letters of Arabic and Indic scripts, of Myanmar
# and of Khmer, whose words need them (https://www.unicode.org/reports/tr31/#Layout_and_Format_Control_Characters).
_EMOJI = "\u203c-\u3299\ufe0f\U0001f000-\U0001faff"
_LETTERS = "\u0600-\u06ff\u0750-\u077f\u08a0-\u0dff\u1000-\u109f\u1780-\u17ff"
_JOINER = f"(?!(?<=[{_EMOJI}])\u200d[{_EMOJI}]|(?<=[{_LETTERS}])[\u200c\u200d][{_LETTERS}])[\u200c\u200d]"
_HARMFUL = re.compile(
    f"{FLAG}|{_JOINER}|[\x00-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)
_COMMAND = re.compile(r"##(?=\w*\[)")
_PLACEHOLDER = re.compile(r"\{(\w+)(:[\w -]+|/100)?\}")


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
    if limit is None or len(text) <= limit:
        return text
    return text[: limit - 1].rstrip("\u200c\u200d") + "…"  # a joiner at the end joins nothing


def _escape(match: re.Match[str]) -> str:
    if len(match[0]) > 1:  # a flag
        return match[0]
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"  # noqa: PLR2004 - one byte, two bytes


def placeholders(template: str) -> dict[str, str]:
    """Return the names in the placeholders of *template*, with what follows: ":noun", "/100" or nothing."""
    return dict(_PLACEHOLDER.findall(template))


def stray_brace(template: str) -> str:
    """Return the text from the first { of *template* that starts no placeholder, "" if there is none."""
    start = _PLACEHOLDER.sub(lambda match: " " * len(match[0]), template).find("{")
    return re.findall(r"\{[^}]*\}*", template[start:])[0][:LIMIT] if start >= 0 else ""


def fill(template: str, values: Mapping[str, object]) -> str:
    """Return *template* with each placeholder replaced by its escaped value.

    {bytes} becomes "1,024", and of integers {bytes:byte} becomes "1,024 bytes" and {bytes/100} "10.24". None
    becomes "unknown", and an empty list "none".
    str.format is not used because it gives access to attributes ({x.__class__}).
    """
    first, fields = _pieces(template)
    return first + "".join([_show(values[name], form) + after for name, form, after in fields])


@lru_cache(1024)
def _pieces(template: str) -> tuple[str, Sequence[tuple[str, str | None, str]]]:
    """Return the text before the first placeholder of *template*; name, form and the text after each."""
    first, *pieces = _PLACEHOLDER.split(template)
    return first, list(zip(pieces[0::3], pieces[1::3], pieces[2::3], strict=True))


def _show(value: object, form: str | None) -> str:
    if type(value) is int:
        if form == "/100":
            return f"{value / 100:,.2f}"
        return count(value, form[1:]) if form else f"{value:,}"
    if isinstance(value, Safe):
        return value
    return safe(_words(value))


def _words(value: object) -> str:
    match value:
        case None:
            return "unknown"
        case True | False:
            return str(value).lower()
        case Choices() if value:
            return either(value)
        case list() | tuple():
            return ", ".join(map(str, value)) or "none"
    return str(value)


def either(options: Sequence[object]) -> str:
    """Return *options* as a choice: "a", "a or b", "a, b or c"."""
    return enumerated(options, "or")


def enumerated(items: Sequence[object], word: str) -> str:
    """Return *items*, at least one, with commas, and with *word* before the last one."""
    *first, last = map(str, items)
    return f"{', '.join(first)} {word} {last}" if first else last


def nearest(name: str, known: Iterable[str]) -> str:
    """Return " (did you mean X?)" for the known name nearest to *name*, or "" if none is near.

    A name is near if at most a third of its letters are wrong, missing, superfluous or swapped, or if it
    starts with *name*. The scope of a rule, such as image/, and the dashes of an option do not count if
    they are equal.
    """
    scope = name[: name.rfind("/") + 1] or ("--" if name.startswith("--") else "")
    best, least = "", _LONGEST_NAME
    for other in known if len(name) <= _LONGEST_NAME else ():
        start = len(scope) if other.startswith(scope) else 0
        one, two = name[start:].lower(), other[start:].lower()
        difference = abs(len(one) - len(two))  # the least distance
        if len(one) >= _SHORTEST_START and two.startswith(one):
            distance = most = difference
        else:
            most = max(len(one), 3) // 3
            distance = _distance(one, two) if difference <= most else difference
        if distance <= most and distance < least:
            best, least = other, distance
    return f" (did you mean {best!r}?)" if best else ""


def _distance(one: str, two: str) -> int:
    """Return the number of letters to insert, delete, replace or swap with their neighbour."""
    above: list[int] = []
    row = list(range(len(two) + 1))
    for at, letter in enumerate(one, 1):
        before, row = row, [at]
        for column, other in enumerate(two, 1):
            distance = min(before[column] + 1, row[-1] + 1, before[column - 1] + (letter != other))
            if above and column > 1 and letter == two[column - 2] and one[at - 2] == other:
                distance = min(distance, above[column - 2] + 1)
            row.append(distance)
        above = before
    return row[-1]


def count(number: int, noun: str) -> str:
    """Return *number* with *noun* in the singular or plural: "1 line", "2,000 lines"."""
    return f"{number:,} {noun if number == 1 else _plural(noun)}"


@lru_cache(256)
def _plural(noun: str) -> str:
    return re.sub("(?<![aeiou])y$", "ie", noun) + "s"
