"""OpenAI's format for preferences (DPO): an input with messages, a preferred and a non-preferred output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_vft.formats.base import Chat, Fault, KeyPath
from pytest_vft.formats.chat import read_messages
from pytest_vft.formats.keys import unknown_keys
from pytest_vft.formats.openai import faults_by_message, unsound_places, value_at
from pytest_vft.formats.shape import ExampleShape
from pytest_vft.resources import read_schema

_INPUT = "input"
_OUTPUTS = ("preferred_output", "non_preferred_output")
_LISTS: Sequence[KeyPath] = ((_INPUT, "messages"), *((key,) for key in _OUTPUTS))


class OpenAIPreference:
    """{"input": {"messages": [...]}, "preferred_output": [...], "non_preferred_output": [...]}."""

    name = "openai-preference"

    def __init__(self) -> None:
        self.schema = _schema()
        self._shape = ExampleShape(self.schema, self.name)
        self._input_keys = frozenset(self.schema["properties"][_INPUT]["properties"])

    def read(self, example: Any) -> Chat:
        """Return *example*, a JSON value, as a chat of its sound parts."""
        if type(example) is not dict:
            return Chat((), 0, (Fault((), "the example is not an object"),))
        faults = () if self._shape.is_valid(example) else self._shape.faults(example)
        lists = _lists(example)
        messages = [message for listed in lists for message in listed]
        alternatives = len(lists[-1])
        in_chat = [Fault(path, words) for path, words in _to_chat(lists, faults)]
        unsound = unsound_places(in_chat)
        unsound |= {("messages", number) for number, one in enumerate(messages) if not isinstance(one, dict)}
        if ("messages",) in unsound:  # the example has another format, or too many faults
            messages, alternatives = [], 0
        rows = read_messages(messages, unsound, faults_by_message(in_chat))
        source = example.get(_INPUT)
        keys = source if isinstance(source, dict) else {}
        unknown = [*unknown_keys(example, self._shape.keys), *unknown_keys(keys, self._input_keys, (_INPUT,))]
        return Chat(
            [(*row[:7], [_placed(lists, fault) for fault in row[7]]) for row in rows],
            len(messages) - alternatives,
            faults,
            () if any(not fault.path for fault in faults) else unknown,
            {path: value_at({"messages": messages}, path) for path in sorted(unsound, key=str)},
            {key: keys[key] for key in keys if key != "messages"},
            alternatives,
            answer=len(lists[1]),
        )

    def place(self, example: Any, path: KeyPath) -> KeyPath:
        """Return the place in *example* for *path*, a place in its chat."""
        return _to_example(_lists(example), path)


def _schema() -> Mapping[str, Any]:
    chat = read_schema("example.schema.json")
    messages = chat["properties"]["messages"]
    return {
        "required": [_INPUT, *_OUTPUTS],
        "properties": {
            _INPUT: {"type": "object", "required": ["messages"], "properties": chat["properties"]},
            **dict.fromkeys(_OUTPUTS, messages),
        },
        "$defs": chat["$defs"],
    }


def _lists(example: Mapping[str, Any]) -> list[list[Any]]:
    """Return the lists of messages of *example*, in the order of the chat."""
    found = [value_at(example, path) for path in _LISTS]
    return [one if isinstance(one, list) else [] for one in found]


def _to_chat(lists: Sequence[Sequence[Any]], faults: Sequence[Fault]) -> list[tuple[KeyPath, str]]:
    """Return the places of *faults* in the chat, with their words, as far as they are in messages."""
    placed: list[tuple[KeyPath, str]] = []
    for path, words in faults:
        if not path:
            placed.append((("messages",), words))
        before = 0
        for place, listed in zip(_LISTS, lists, strict=True):
            number = path[len(place)] if path[: len(place)] == place and len(path) > len(place) else None
            if isinstance(number, int):
                placed.append((("messages", before + number, *path[len(place) + 1 :]), words))
            before += len(listed)
    return placed


def _to_example(lists: Sequence[Sequence[Any]], path: KeyPath) -> KeyPath:
    """Return the place in the example for *path*, a place in the chat."""
    number = int(path[1])
    for place, listed in zip(_LISTS, lists, strict=True):
        if number < len(listed):
            return (*place, number, *path[2:])
        number -= len(listed)
    return ()


def _placed(lists: Sequence[Sequence[Any]], fault: Fault) -> Fault:
    return fault._replace(path=_to_example(lists, fault.path))
