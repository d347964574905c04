"""Data formats whose examples have one of several forms, told apart by their keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import takewhile
from typing import Any, NamedTuple

from pytest_vft.formats.base import Chat, Fault, KeyPath
from pytest_vft.formats.keys import IMAGE_KEYS, MEDIA_KEYS, unknown_keys
from pytest_vft.formats.shape import ExampleShape
from pytest_vft.formats.written import (
    IMAGE_TYPES,
    WrittenMessage,
    chat_rows,
    listed_images,
    media_parts,
)
from pytest_vft.text import safe

Schema = Mapping[str, Any]

TEXT: Schema = {"type": "string"}
TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
ANYTHING: Schema = {}
IMAGES: Schema = {
    "type": ["array", "string", "object", "null"],
    "items": {"type": ["string", "object"]},
}
_PART: Schema = {
    "type": "object",
    "required": ["type"],
    "properties": {"type": {"enum": ["text", *IMAGE_TYPES, "video", "video_url", "audio", "audio_url"]}},
    "if": {"required": ["type"], "properties": {"type": {"const": "text"}}},
    "then": {
        "if": {"required": ["value"]},
        "then": {"properties": {"value": TEXT}},
        "else": {"required": ["text"], "properties": {"text": TEXT}},
    },
}
# Calls of tools in OpenAI's format; trainers do not agree on what a call must have.
CALLS: Schema = {"type": ["array", "null"], "items": {"type": "object"}}
PARTS: Schema = {"type": ["string", "array"], "items": _PART}
MEDIA: Mapping[str, Schema] = dict.fromkeys(MEDIA_KEYS, ANYTHING)

_BESIDE = dict.fromkeys(IMAGE_KEYS, "images belong in a list beside the messages")

# Tells whether there is a fault at a place or inside of it.
IsFaulty = Callable[[KeyPath], bool]


class Messages(NamedTuple):
    """The messages of an example; the last *alternatives* of them are other answers.

    *divided* counts messages that were written as one with the message before. The first *read_only* ones are
    a prompt, whose answers are not trained on.
    """

    messages: Sequence[WrittenMessage]
    alternatives: int = 0
    divided: int = 0
    read_only: int = 0


# Counts the marks that a trainer adds to messages with a number of listed images and of marks.
OwnMarks = Callable[[Sequence[WrittenMessage], int, int], int]


def _no_marks(messages: Sequence[WrittenMessage], listed: int, marks: int) -> int:  # noqa: ARG001 - OwnMarks
    return 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Form:
    """A form of examples, which have all of the keys *told_by*.

    *properties* are the schemas of its keys, of which *required* must be there. *read* returns the messages
    of an example, without the values that are faulty, from the keys that are *consumed*. *images* are the
    keys of listed images; *tags* in texts stand for images. *own_marks* counts the marks that the trainer
    adds itself. An example with one of the keys *together* must have all of them.
    """

    told_by: Sequence[str]
    properties: Mapping[str, Schema]
    required: Sequence[str]
    read: Callable[[Mapping[str, Any], IsFaulty], Messages]
    consumed: Sequence[str] = ()
    images: Sequence[str] = ("images", "image")
    tags: bool = True
    own_marks: OwnMarks = _no_marks
    together: Sequence[str] = ()

    @cached_property
    def others(self) -> Sequence[str]:
        """The keys besides those of messages and listed images."""
        read = {*self.consumed, *self.images}
        return [key for key in (*self.properties, *MEDIA) if key not in read]

    @cached_property
    def schema(self) -> Schema:
        """JSON Schema of an example."""
        images = dict.fromkeys(self.images, IMAGES)
        return {
            "type": "object",
            "required": list(self.required),
            "properties": {**images, **self.properties, **MEDIA},
        }


class _ReadExample(NamedTuple):
    """An example with its chat, and places in the example by places in the chat."""

    example: Any
    chat: Chat
    places: Mapping[KeyPath, KeyPath]


class FormsFormat:
    """A data format with *forms*; the first one that an example has the keys of is its form."""

    name: str

    def __init__(self, forms: Sequence[Form]) -> None:
        self._forms = [(form, ExampleShape(form.schema, self.name)) for form in forms]
        self._last = _ReadExample(None, Chat((), 0), {})  # findings of an example need its places

    @cached_property
    def schema(self) -> Schema:
        """JSON Schema of an example."""
        return {"anyOf": [form.schema for form, _ in self._forms]}

    def read(self, example: Any) -> Chat:
        """Return *example*, a JSON value, as a chat of its sound parts."""
        return self._read(example).chat

    def place(self, example: Any, path: KeyPath) -> KeyPath:
        """Return the place in *example* for *path*, a place in its chat."""
        last = self._last if self._last.example is example else self._read(example)
        return last.places.get(path) or last.places.get(path[:2]) or ()

    def _read(self, example: Any) -> _ReadExample:
        chat, places = self._chat(example)
        self._last = _ReadExample(example, chat, places)
        return self._last

    def _chat(self, example: Any) -> tuple[Chat, Mapping[KeyPath, KeyPath]]:
        """Return *example* as a chat, and places in the example by places in the chat."""
        if not isinstance(example, dict):
            return Chat((), 0, (Fault((), "the example is not an object"),)), {}
        form, shape, faults = self._form(example)
        if any(not fault.path for fault in faults):  # a key is missing, or the example has another format
            return Chat((), 0, faults), {}
        faulty = {fault.path[:length] for fault in faults for length in range(1, len(fault.path) + 1)}
        messages, alternatives, divided, read_only = form.read(example, faulty.__contains__)
        listed = listed_images(example, form.images)
        read = chat_rows(messages, listed or (), tags=form.tags)
        chat = Chat(
            read.rows,
            len(messages) - alternatives,
            faults,
            unknown_keys(example, shape.keys, places=_BESIDE) if example.keys() - shape.keys else (),
            read.unsound,
            {key: example[key] for key in form.others if key in example},
            alternatives,
            read.placeholders + form.own_marks(messages, len(listed or ()), read.placeholders),
            None if listed is None else len(listed),
            divided,
            media_parts(messages),
            read_only,
        )
        return chat, read.places

    def _form(self, example: Mapping[str, Any]) -> tuple[Form, ExampleShape, Sequence[Fault]]:
        """Return the form of *example* with its shape, and the faults of *example*."""
        for form, shape in self._forms:
            if all(key in example for key in form.told_by):
                faults = () if shape.is_valid(example) else shape.faults(example, foreign=False)
                return form, shape, (*faults, *_apart(example, form.together))
        form, shape = self._forms[0]
        return form, shape, shape.faults(example)


def _apart(example: Mapping[str, Any], keys: Sequence[str]) -> Sequence[Fault]:
    """Return a fault if *example* has values for some of *keys*, but not for all."""
    missing = [key for key in keys if example.get(key) is None]
    if not missing or len(missing) == len(keys):
        return ()
    given = next(key for key in keys if key not in missing)
    return [Fault((), f'the example has "{safe(given)}" without "{safe(missing[0])}"; expected both')]


@dataclass(frozen=True, eq=False)
class Turns:
    """How the messages of a list are written.

    *roles* maps roles as written to roles in OpenAI's format; *role* and *content* are keys of a message, and
    *known* its other keys. With *nullable*, a message may have no content. *parts* are the keys of a content
    part; by default, any are known. With *any_role*, a message may have a role that is not among *roles*.
    """

    roles: Mapping[str, str]
    role: str = "role"
    content: str = "content"
    known: Sequence[str] = ()
    contents: Schema = field(default_factory=lambda: PARTS)
    nullable: bool = False
    parts: Sequence[str] = ()
    any_role: bool = False

    @cached_property
    def schema(self) -> Schema:
        """JSON Schema of a message."""
        contents = self.contents
        if self.nullable:
            contents = {**contents, "type": [*contents["type"], "null"]}
        return {
            "type": "object",
            "required": [self.role] if self.nullable else [self.role, self.content],
            "properties": {
                self.role: TEXT if self.any_role else {"enum": list(self.roles)},
                self.content: contents,
                **({"tool_calls": CALLS} if "tool_calls" in self.known else {}),
            },
        }

    @cached_property
    def schema_of_list(self) -> Schema:
        """JSON Schema of a list of messages."""
        return {"type": "array", "minItems": 1, "items": self.schema}

    def read(self, listed: Any, place: KeyPath, is_faulty: IsFaulty) -> list[WrittenMessage]:
        """Return the messages of *listed*, which is at *place*; none if it is not a list."""
        items = listed if isinstance(listed, list) else ()
        return [self.read_one(turn, (*place, number), is_faulty) for number, turn in enumerate(items)]

    def read_one(self, turn: Any, place: KeyPath, is_faulty: IsFaulty) -> WrittenMessage:
        """Return the message *turn*, which is at *place*."""
        if not isinstance(turn, dict):
            return WrittenMessage("", None, place, turn, sound=False)
        written, content = turn.get(self.role), turn.get(self.content)
        source: Mapping[str, Any] = turn
        if self.role != "role":
            others = {key: value for key, value in turn.items() if key not in (self.role, self.content)}
            source = {"role": written, "content": content, **others}
        if is_faulty(place):
            return WrittenMessage("", None, place, source, sound=False)
        keys = {self.role, self.content, *self.known}
        unknown = unknown_keys(turn, keys, place, _BESIDE) if len(turn) > len(keys.intersection(turn)) else ()
        if self.parts and isinstance(content, list):
            unknown = [*unknown, *self._unknown_in_parts(content, (*place, self.content))]
        role = self.roles.get(str(written), str(written)) if self.any_role else self.roles[str(written)]
        return WrittenMessage(role, content, place, source, unknown_keys=unknown, key=self.content)

    def _unknown_in_parts(self, content: Sequence[Any], place: KeyPath) -> Iterator[Fault]:
        """Yield the unknown keys of the parts of *content*, which is at *place*; null is no value."""
        for number, part in enumerate(content):
            given = {key: value for key, value in part.items() if value is not None}
            yield from unknown_keys(given, self.parts, (*place, number), _BESIDE)


def text_message(role: str, text: Any, place: KeyPath, is_faulty: IsFaulty) -> WrittenMessage:
    """Return the message with *role* whose *text* is at *place*."""
    return WrittenMessage(role, text, place, {"role": role, "content": text}, sound=not is_faulty(place))


def after_shared(
    first: Sequence[WrittenMessage], second: Sequence[WrittenMessage]
) -> Sequence[WrittenMessage]:
    """Return the messages of *second* after those that *first* starts with as well, at least the last one."""
    pairs = zip(first, second, strict=False)
    shared = sum(1 for _ in takewhile(lambda pair: pair[0].source == pair[1].source, pairs))
    return second[min(shared, max(len(second) - 1, 0)) :]
