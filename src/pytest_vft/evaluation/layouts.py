"""Predictions as other tools write them: their keys, and the answers inside nested objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

from pytest_vft.evaluation import batch
from pytest_vft.evaluation.prediction_files import Lines


class Layout(NamedTuple):
    """The keys of a tool's predictions, for lines with all *marks*; with *alone* they have no other key."""

    marks: frozenset[str]
    predicted: str
    actual: str | None = None
    alone: bool = False


# A key such as "answer" or "response" means the actual answer in other files, so it counts only beside
# the keys that a tool writes with it.
LAYOUTS = (
    # https://github.com/hiyouga/LLaMA-Factory, src/llamafactory/train/sft/trainer.py (read 2026-11-29)
    Layout(frozenset({"predict"}), "predict", "label"),
    # https://github.com/modelscope/ms-swift, swift/llm/infer/infer.py (read 2026-11-29)
    Layout(frozenset({"response", "labels"}), "response", "labels"),
    Layout(frozenset({"query", "response", "label"}), "response", "label"),
    # https://visualqa.org/evaluation.html (read 2026-11-29), alone or beside the answers of people
    Layout(frozenset({"answer", "answers"}), "answer", "answers"),
    Layout(frozenset({"question_id", "answer"}), "answer", alone=True),
)
# Keys of the actual answer that people choose for the items of an evaluation at OpenAI.
_ITEM_TRUTHS = ("ground_truth", "correct_label", "ideal", "expected", "reference_answer", "label")
_MISSING = object()


def layout_of(fields: Mapping[str, Any]) -> Layout | None:
    """Return the layout of a line with *fields*, None if it is not that of a known tool."""
    names = fields.keys()
    return next(
        (one for one in LAYOUTS if (one.marks == names if one.alone else one.marks <= names)),
        None,
    )


def unnested(lines: Lines, keys: Sequence[str]) -> Lines:
    """Return *lines* with the answers of nested layouts, and with the values of dotted *keys*.

    Other lines are returned as they are.
    """
    first = next(lines, None)
    if first is None:
        return lines
    lines = chain([first], lines)
    if batch.is_output(first[1]):
        lines = ((line, batch.unnested(fields)) for line, fields in lines)
    elif first[1].get("object") == "eval.run.output_item":
        lines = ((line, _evals_item(fields)) for line, fields in lines)
    dotted = [key for key in keys if "." in key]
    return _with_paths(lines, dotted) if dotted else lines


def _with_paths(lines: Lines, dotted: Sequence[str]) -> Lines:
    for line, fields in lines:
        found = {key: value_at(fields, key) for key in dotted if key not in fields}
        yield line, {**fields, **{key: value for key, value in found.items() if value is not _MISSING}}


def value_at(fields: Mapping[str, Any], path: str, missing: Any = _MISSING) -> Any:
    """Return the value at a dotted *path* such as response.choices.0.text, *missing* if there is none."""
    value: Any = fields
    for step in path.split("."):
        if isinstance(value, Mapping) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return missing
    return value


def _evals_item(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an output item of OpenAI's Evals with id, predicted and actual answer at the top.

    https://developers.openai.com/api/reference/python/resources/evals/subresources/runs/subresources/output_items
    (read 2026-11-29). The keys of the item are those of the data that was evaluated.
    """
    source, sample = batch.as_object(fields.get("datasource_item")), batch.as_object(fields.get("sample"))
    item = batch.as_object(source.get("item")) or source
    truth = next((item[name] for name in _ITEM_TRUTHS if name in item), None)
    return {
        **item,
        "id": item.get("id", fields.get("datasource_item_id")),
        "predicted_answer": "".join(_texts(sample.get("output"))),
        **({} if truth is None or "actual_answer" in item else {"actual_answer": truth}),
        **{name: sample[name] for name in ("model", "finish_reason") if name in sample},
        **{name: fields[name] for name in ("datasource_item", "sample") if name in fields},
    }


def _texts(output: object) -> Iterator[str]:
    for message in map(batch.as_object, batch.as_list(output)):
        if message.get("role") == "assistant":
            yield batch.text_of(message.get("content"))
