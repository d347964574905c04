"""The words of a server, whatever shape its answer has."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping

# The keys of OpenAI's errors, of problem details (RFC 9457), of FastAPI and of other servers.
_KEYS = ("message", "title", "detail", "details", "msg", "error", "error_description", "reason", "errors")
_DEEPEST = 8  # levels of an answer that are read
_LONGEST = 10_000  # characters of a text that are read
_UNSEEN = re.compile(r"<(script|style)\b.*?</\1\s*>|<!--.*?-->|<[^>]*>", re.DOTALL | re.IGNORECASE)


def answer_text(answer: object) -> str:
    """Return the words of *answer*, JSON data or text, in one line; "" without any."""
    return " ".join(": ".join(dict.fromkeys(filter(None, _words(answer, 0)))).split())


def _words(answer: object, depth: int) -> Iterator[str]:
    if depth > _DEEPEST:
        yield "…"
    elif isinstance(answer, str):
        yield _plain(answer)
    elif isinstance(answer, Mapping):
        place = answer.get("loc")  # of FastAPI: ["body", "model"]
        if isinstance(place, list):
            yield ".".join(map(str, place))
        known = [answer[key] for key in _KEYS if answer.get(key)]
        for value in known:
            yield from _words(value, depth + 1)
        if answer and not known:
            words = {key: ": ".join(_words(value, depth + 1)) for key, value in answer.items()}
            yield ", ".join(f"{key}: {value}" for key, value in words.items() if value)
    elif isinstance(answer, list):
        yield "; ".join(filter(None, (": ".join(_words(value, depth + 1)) for value in answer)))
    elif answer is not None:
        yield str(answer)


def _plain(text: str) -> str:
    """Return *text* without the tags of HTML or XML; the end of a long text is left out."""
    if len(text) > _LONGEST:
        text = text[:_LONGEST].rpartition(" ")[0]  # half a key could not be masked
    if text.lstrip()[:1] == "<":
        return html.unescape(_UNSEEN.sub(" ", text))
    return text
