"""The input and the output of OpenAI's Batch API.

https://developers.openai.com/api/docs/guides/batch (read 2026-11-29)
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from pytest_vft.evaluation.questions import Question, read_prompts

MOST_REQUESTS = 50_000  # in a file
MOST_BYTES = 200_000_000  # of a file
FAILED = "failed"  # finish reason of a request that has no answer

_TEXT_PARTS = ("text", "output_text")
_LINE = "line-{}"  # custom id of a question that has no other id
_OF_LINE = re.compile(r"line-(\d{1,9})")


class WrittenBatch(NamedTuple):
    """A file of input for the questions of the test split *test*: the number of its requests and bytes."""

    path: str
    test: str
    requests: int
    bytes: int


def requests(questions: Mapping[str, Question], model: str, parameters: Mapping[str, Any]) -> Iterator[bytes]:
    """Yield a line of input for each of *questions*, all of one file, by their custom ids."""
    custom_ids = {question.line: custom_id for custom_id, question in questions.items()}
    split = next(question.split for question in questions.values())
    for line, (messages, _) in read_prompts(split, custom_ids):
        body = {"model": model, "messages": messages, **parameters}
        request = {"custom_id": custom_ids[line], "method": "POST", "url": "/v1/chat/completions"}
        yield orjson.dumps({**request, "body": body}) + b"\n"


def line_label(question: Question) -> str:
    """Return the custom id of a *question* without an id."""
    return _LINE.format(question.line)


def is_output(fields: Mapping[str, Any]) -> bool:
    """Return whether *fields* are a line of output."""
    return "custom_id" in fields and "response" in fields


def unnested(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a line of output with id and predicted answer at the top; a failed request has no answer."""
    custom_id, response = str(fields.get("custom_id", "")), as_object(fields.get("response"))
    body = as_object(response.get("body"))
    answered = body and response.get("status_code", 200) == 200  # noqa: PLR2004 - HTTP's OK
    answer = _answer(body) if answered else {"finish_reason": FAILED}
    found = _OF_LINE.fullmatch(custom_id)
    label = {"line": int(found[1])} if found else {"id": custom_id}
    others = {name: value for name, value in fields.items() if name != "id"}
    return {**others, **label, "predicted_answer": "", **answer}


def _answer(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer in *body*, of the endpoint for chat completions or for responses."""
    choices = as_list(body.get("choices"))
    choice = as_object(choices[0]) if choices else {}
    message = as_object(choice.get("message"))
    outputs = [as_object(one) for one in as_list(body.get("output"))]
    texts = [text_of(one.get("content")) for one in outputs if one.get("type") == "message"]
    return {
        "predicted_answer": text_of(message.get("content")) if choice else "".join(texts),
        "model": body.get("model"),
        "finish_reason": choice.get("finish_reason"),
        **({"refusal": message["refusal"]} if message.get("refusal") else {}),
    }


def as_object(value: object) -> Mapping[str, Any]:
    """Return *value* if it is a JSON object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def as_list(value: object) -> Sequence[Any]:
    """Return *value* if it is a list, else an empty one."""
    return value if isinstance(value, list) else ()


def text_of(content: object) -> str:
    """Return the text of the *content* of a message: a text, or a list of parts."""
    if isinstance(content, list):
        parts = [as_object(part) for part in content]
        return "".join(str(part.get("text", "")) for part in parts if part.get("type") in _TEXT_PARTS)
    return content if isinstance(content, str) else ""
