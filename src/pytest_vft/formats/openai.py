"""OpenAI's chat format: an example is its own chat."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_vft.formats.base import BESIDE_CONTENT, MAX_FAULTS, Chat, Fault, KeyPath
from pytest_vft.formats.chat import read_messages
from pytest_vft.formats.keys import unknown_keys
from pytest_vft.formats.shape import ExampleShape
from pytest_vft.resources import read_schema
from pytest_vft.tuples import from_tuple

_chat = from_tuple(Chat)
_NONE: Mapping[Any, Any] = {}


class OpenAI:
    """Messages with roles; images are parts of type image_url."""

    name = "openai"

    def __init__(self) -> None:
        self.schema = read_schema("example.schema.json")
        self._shape = ExampleShape(self.schema)

    def read(self, example: Any) -> Chat:
        """Return *example*, a JSON value, as a chat of its sound parts."""
        shape = self._shape
        if type(example) is not dict or not shape.is_valid(example):
            return self._read_unsound(example)
        messages = example["messages"]
        if len(example) == 1:
            return _chat((read_messages(messages), len(messages), (), (), _NONE, _NONE, 0, 0, None, 0, 0, 0))
        unknown = unknown_keys(example, self._shape.keys)
        return Chat(read_messages(messages), len(messages), (), unknown, others=_others(example))

    def place(self, example: Any, path: KeyPath) -> KeyPath:  # noqa: ARG002 - required by the protocol
        """Return *path* itself: a place in the chat is the same place in the example."""
        return path

    def _read_unsound(self, example: Any) -> Chat:
        if not isinstance(example, dict):
            return Chat((), 0, (Fault((), "the example is not an object"),))
        faults = self._shape.faults(example)
        unsound = unsound_places(faults)
        messages = () if ("messages",) in unsound else example["messages"]
        # A value that is not an example at all has no known keys.
        unknown = () if any(not fault.path for fault in faults) else unknown_keys(example, self._shape.keys)
        return Chat(
            read_messages(messages, unsound, faults_by_message(faults)),
            len(messages),
            faults,
            unknown,
            {path: value_at(example, path) for path in sorted(unsound, key=str)},
            _others(example),
        )


def _others(example: Mapping[str, Any]) -> Mapping[str, Any]:
    return {key: value for key, value in example.items() if key != "messages"}


def faults_by_message(faults: Sequence[Fault]) -> Counter[str | int]:
    """Return the numbers of *faults* that leave out content, by the index of their message."""
    return Counter(path[1] for path, _ in faults if len(path) > 1 and path[-1] not in BESIDE_CONTENT)


def unsound_places(faults: Sequence[Fault]) -> set[KeyPath]:
    """Return the paths of the parts, messages or list of messages that contain *faults*."""
    if len(faults) == MAX_FAULTS:
        return {("messages",)}  # the list of faults is cut
    unsound: set[KeyPath] = set()
    for path, _ in faults:
        if path[:1] == ("messages",) or not path:
            if len(path) > 3:  # noqa: PLR2004 - messages, index, content, part
                unsound.add(path[:4] if path[2] == "content" else ())
            elif len(path) < 3 or path[2] in ("role", "content"):  # noqa: PLR2004 - as above
                unsound.add(path[:2] or ("messages",))
    return unsound


def value_at(value: Any, path: KeyPath) -> Any:
    """Return the value at *path* in *value*, None if there is none."""
    for key in path:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return None
    return value
