"""Answers that are JSON objects, of which one field is compared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pytest_vft.evaluation.matching import MatchedPredictions
from pytest_vft.evaluation.predictions import Answer
from pytest_vft.evaluation.questions import json_text
from pytest_vft.evaluation.ratings import json_objects

MALFORMED = "malformed_answer"  # key of a prediction that holds an answer without the field


def select_field(matched: MatchedPredictions, field: str | None) -> MatchedPredictions:
    """Return *matched* with the values of *field* as predicted answers; None leaves them as they are.

    An answer without the field is empty, and listed as malformed. An actual answer may be an object or
    the value itself.
    """
    if field is None:
        return matched
    answers = [select_in_answer(answer, field) for answer in matched.answers]
    malformed = [answer.id for answer in answers if MALFORMED in answer.fields]
    irregular = replace(matched.irregular, malformed=malformed)
    return replace(matched, answers=answers, irregular=irregular)


def select_in_answer(answer: Answer, field: str | None) -> Answer:
    """Like select_field(), for one *answer*."""
    if field is None:
        return answer
    truth = answer.truth and (field_value(answer.truth, field) or answer.truth)
    others = tuple(field_value(other, field) or other for other in answer.others)
    said, fields = field_value(answer.said, field), answer.fields
    if said is None and answer.said.strip():
        fields = {**fields, MALFORMED: answer.said}
    return answer._replace(said=said or "", truth=truth, others=others, fields=fields)


def field_value(text: str, field: str) -> str | None:
    """Return the text of the value of *field* in the JSON object in *text*, None if there is none."""
    found: Any = answer_object(text).get(field)
    if found is None or isinstance(found, str):
        return found
    return json_text(found) if isinstance(found, dict | list) else json.dumps(found)


def answer_object(text: str) -> Mapping[str, Any]:
    """Return the last JSON object in *text*, which may be in a code fence; {} if there is none."""
    found = list(json_objects(text)) if "{" in text else []
    return found[-1] if found else {}
