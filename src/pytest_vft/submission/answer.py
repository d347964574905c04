"""The words of a server, whatever shape its answer has."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping

# The keys of OpenAI's errors, of problem details (RFC 9457), of FastAPI and of other servers.
_KEYS = ("message", "title", "detail", "details", "msg", "error", "error_description", "reason", "errors")
_UNSEEN = re.compile(r"<(script|style)\b.*?</\1\s*>|<!--.*?-->|<[^>]*>", re.DOTALL | re.IGNORECASE)


def answer_text(answer: object) -> str:
    """Return the words of *answer*, JSON data or text, in one line; "" without any."""
    if isinstance(answer, str) and answer.lstrip()[:1] == "<":  # HTML or XML
        answer = html.unescape(_UNSEEN.sub(" ", answer))
    return " ".join(": ".join(dict.fromkeys(_words(answer))).split())


def _words(answer: object) -> Iterator[str]:
    if isinstance(answer, str):
        yield answer
    elif isinstance(answer, Mapping):
        place = answer.get("loc")  # of FastAPI: ["body", "model"]
        if isinstance(place, list):
            yield ".".join(map(str, place))
        known = [answer[key] for key in _KEYS if answer.get(key)]
        for value in known:
            yield from _words(value)
        if answer and not known:
            yield json.dumps(answer, ensure_ascii=False, default=str)
    elif isinstance(answer, list):
        yield "; ".join(filter(None, map(answer_text, answer)))
    elif answer is not None:
        yield str(answer)
