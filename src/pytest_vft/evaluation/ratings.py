"""The ratings of a judge, and how they are read from its answers.

A judge is asked for a JSON object, but not every server enforces it: the object may be inside a code fence
or behind other text, a rating in lower case, or the rating may be all there is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

RATINGS = ("Very Similar", "Mostly Similar", "Somewhat Similar", "Incorrect")
PASSING = ("Very Similar", "Mostly Similar")

_BY_WORDS = {rating.casefold(): rating for rating in RATINGS}
_LABEL = re.compile(r"(?:the |my |final )*rating (?:is )?")
_MOST_READ = 20_000  # characters; reasons are one sentence


class Rating(NamedTuple):
    """What a judge said about an answer: *rating* and *reason*, or None if it *said* none of RATINGS."""

    rating: str | None
    said: str
    reason: str = ""


def read_rating(text: str) -> tuple[str, str] | None:
    """Return rating and reason in *text*, None if there is no rating."""
    text = text[-_MOST_READ:]
    for found in reversed(list(json_objects(text))):
        fields = {str(key).casefold(): value for key, value in found.items()}
        if "rating" in fields:
            rating = known_rating(fields["rating"])
            return None if rating is None else (rating, str(fields.get("reason", "")))
    *reason, last = text.strip().strip("`").strip().split("\n")
    rating = known_rating(last)
    return None if rating is None else (rating, "\n".join(reason).strip())


def known_rating(value: object) -> str | None:
    """Return the rating that *value* means, in any case and with any marks around it."""
    if not isinstance(value, str):
        return None
    words = " ".join(re.findall(r"[^\W_]+", value.casefold()))
    found = _LABEL.match(words)
    return _BY_WORDS.get(words[found.end() :] if found else words)


def json_objects(text: str) -> Iterator[Mapping[str, Any]]:
    """Yield the JSON objects in *text* that are not inside others."""
    decoder = json.JSONDecoder()
    start = text.find("{")
    while start >= 0:
        end = start + 1
        try:
            value, end = decoder.raw_decode(text, start)
            yield value
        except (ValueError, RecursionError):
            pass
        start = text.find("{", end)
