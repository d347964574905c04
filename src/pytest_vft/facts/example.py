"""Facts of one example, and the walk that measures all that is in it."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple, Protocol, TypedDict

from pytest_vft.facts.image import Image, image_facts
from pytest_vft.facts.message import MessageFacts
from pytest_vft.facts.tokens import AROUND_EXAMPLE, AROUND_MESSAGE, Range, json_tokens, text_tokens
from pytest_vft.facts.turns import Said, Shot, Turn, few_shot_answers, target_turn
from pytest_vft.model import Split
from pytest_vft.reading.image_store import ImageStore
from pytest_vft.reading.remote import FetchContext
from pytest_vft.text import safe

# An example may have a thousand faults of one cause; the first ones tell it.
MOST_FAULTS = 100
_MEASURED_KEYS = frozenset({"messages", "role", "content", "weight"})

# From width and height in pixels, if known, and detail to the tokens of an image.
CountImage = Callable[[int | None, int | None, str], Range]


class Fault(NamedTuple):
    """A place in an example that is not as its schema wants it: its path of keys and indexes."""

    path: tuple[str | int, ...]
    words: str

    def __str__(self) -> str:
        return self.words


class Shape(Protocol):
    """Knows the shape of an example."""

    @property
    def keys(self) -> AbstractSet[str]:
        """The keys that an example may have."""

    def is_valid(self, example: object) -> bool:
        """Return whether *example* has the shape."""

    def faults(self, example: object) -> Sequence[Fault]:
        """Return each place where *example* has not, up to MOST_FAULTS."""


class ExampleFacts(TypedDict):
    """What is measured in an example."""

    split: Split
    """The split of its file: train, validation or test."""
    shape_faults: Sequence[Fault]
    """Places where the example is not as example.schema.json wants it."""
    unknown_keys: Sequence[Fault]
    """Its keys that example.schema.json does not name."""
    messages: int
    """Messages in it."""
    assistant_messages: int
    """Those of role assistant."""
    images: int
    """Images in it, over all messages."""
    repeated_images: int
    """Images of its target turn that an earlier turn shows, too."""
    last_role: str | None
    """The role of its last message; None when it has none."""
    tokens_at_least: int
    """Tokens of its text and images, as few as they can be."""
    tokens_at_most: int
    """Tokens of all that it says, tools and what stands around messages too, as many as they can be."""


class Example(NamedTuple):
    """All that was measured in one example; *turn* is None when no user speaks in it.

    *messages* has their facts by position; *texts* are theirs; *image_tokens* how many *images* are at
    least and at most.
    """

    facts: ExampleFacts
    messages: Mapping[int, MessageFacts]
    images: list[Image]
    turn: Turn | None
    shots: Sequence[Shot]
    texts: Sequence[str]
    image_tokens: tuple[int, int]


def measure_example(  # noqa: PLR0913, PLR0917 - one walk sees all, and all that is known of it
    example: Mapping[str, Any],
    split: Split,
    store: ImageStore,
    outside: FetchContext,
    shape: Shape,
    count_image: CountImage,
) -> Example:
    """Return the facts of *example*, a JSON object, of its messages and of its images.

    Messages and parts that the shape refuses yield no facts; the rest is measured all the same.
    """
    faults: Sequence[Fault] = () if shape.is_valid(example) else shape.faults(example)
    refused = _refused(faults) if faults else ()
    faulty = Counter(path[1] for path, _ in faults if len(path) > 1) if faults else None
    listed = () if ("messages",) in refused else example["messages"]
    messages: dict[int, MessageFacts] = {}
    images: list[Image] = []
    said: list[Said] = []
    texts: list[str] = []
    images_at_least = images_at_most = 0
    others_at_most = _other_tokens(example) if len(example) > 1 else 0
    assistants = 0
    for index, message in enumerate(listed):
        if refused and ("messages", index) in refused:
            continue
        role: str = message["role"]
        content = message.get("content", ...)
        before = len(images)
        if isinstance(content, str):
            kind, parts = "string", [content]
        elif isinstance(content, list):
            kind, parts = "parts", []
            for position, part in enumerate(content):
                if refused and ("messages", index, "content", position) in refused:
                    continue
                if part["type"] == "image_url":
                    key, facts = image_facts(part["image_url"], role, split, store, outside)
                    images.append(Image(index, position, key, facts))
                    at_least, at_most = count_image(facts["width"], facts["height"], facts["detail"])
                    images_at_least += at_least
                    images_at_most += at_most
                else:
                    parts.append(part[part["type"]])
        else:
            kind, parts = "null" if content is None else "absent", []
        text = parts[0] if len(parts) == 1 else "".join(parts)
        texts.append(text)
        length, calls = len(text.strip()), 0
        assistants += role == "assistant"
        if len(message) > 2 or kind == "absent":  # noqa: PLR2004 - role and content
            others_at_most += _other_tokens(message)
            if role == "assistant":
                refusal, called = _refusal(message), _calls(message)
                length += len(refusal)
                calls = len(called)
                parts = [*parts, *([refusal] if refusal else []), *called]
        said.append((role, parts))
        messages[index] = {
            "split": split,
            "role": role,
            "content": kind,
            "images": len(images) - before,
            "shape_faults": faulty[index] if faulty else 0,
            "text_length": length,
            "calls": calls,
        }
    turn = None if faults else target_turn(said, images)
    text_at_least, text_at_most = text_tokens(texts)
    around = AROUND_MESSAGE * len(texts) + AROUND_EXAMPLE
    return Example(
        {
            "split": split,
            "shape_faults": faults,
            "unknown_keys": () if example.keys() <= shape.keys else _unknown_keys(example, shape, faults),
            "messages": len(listed),
            "assistant_messages": assistants,
            "images": len(images),
            "repeated_images": turn.repeated if turn else 0,
            "last_role": said[-1][0] if said else None,
            "tokens_at_least": text_at_least + images_at_least,
            "tokens_at_most": text_at_most + images_at_most + others_at_most + around,
        },
        messages,
        images,
        turn,
        few_shot_answers(listed, said, images) if assistants > 1 and turn and split == "train" else (),
        texts,
        (images_at_least, images_at_most),
    )


def _refusal(message: Mapping[str, Any]) -> str:
    refusal = message.get("refusal")
    return refusal if isinstance(refusal, str) else ""


def _calls(message: Mapping[str, Any]) -> list[str]:
    """Return the arguments of each call in an assistant's *message*, of a faulty one all of it."""
    listed = message.get("tool_calls")
    listed = listed if isinstance(listed, list) else []
    calls = [call.get("function") if isinstance(call, dict) else call for call in listed]
    if message.get("function_call") is not None:
        calls.append(message["function_call"])
    return [str(call.get("arguments", call) if isinstance(call, dict) else call) for call in calls]


def _other_tokens(said: Mapping[str, Any]) -> int:
    """Return the most tokens of what an example or a message holds besides text and images.

    Tools, names, calls: how a provider writes them is not documented.
    """
    if said.keys() <= _MEASURED_KEYS:
        return 0
    return json_tokens({key: said[key] for key in said.keys() - _MEASURED_KEYS})


def message_past(example: Example, tokens: int, count_image: CountImage) -> int:
    """Return the position of the message in which *example* comes, at least, to more than *tokens*."""
    positions = list(example.messages)

    def up_to(number: int) -> int:
        end = positions[number]
        at_least, _ = text_tokens(example.texts[: number + 1])
        for image in example.images:
            if image.message <= end:
                facts = image.facts
                at_least += count_image(facts["width"], facts["height"], facts["detail"])[0]
        return at_least

    return positions[bisect_right(range(len(positions)), tokens, key=up_to)]


def _unknown_keys(example: Mapping[str, Any], shape: Shape, faults: Sequence[Fault]) -> Sequence[Fault]:
    if any(not fault.path for fault in faults):
        return ()  # it is no example at all: none of its keys is known
    return [Fault((safe(key),), safe(key)) for key in example if key not in shape.keys][:MOST_FAULTS]


def _refused(faults: Sequence[Fault]) -> Collection[tuple[str | int, ...]]:
    """Return the paths of the parts, else messages, else lists of them that *faults* lie in."""
    if len(faults) == MOST_FAULTS:
        return {("messages",)}  # nobody knows where the further ones lie
    refused: set[tuple[str | int, ...]] = set()
    for path, _ in faults:
        if path[:1] == ("messages",) or not path:
            if len(path) > 3:  # noqa: PLR2004 - messages, index, content, part
                refused.add(path[:4] if path[2] == "content" else ())
            elif len(path) < 3 or path[2] in ("role", "content"):  # noqa: PLR2004 - as above
                refused.add(path[:2] or ("messages",))
    return refused
