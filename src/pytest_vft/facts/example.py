"""Facts of one example, and the walk that measures all that is in it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypedDict

from pytest_vft.facts.image import Image, image_facts
from pytest_vft.facts.message import MessageFacts
from pytest_vft.facts.tokens import AROUND_EXAMPLE, AROUND_MESSAGE, Range, json_tokens, text_tokens
from pytest_vft.facts.turns import Said, Shot, Turn, few_shot_answers, measure_turn
from pytest_vft.formats.base import Chat, Fault
from pytest_vft.formats.chat import target_turn
from pytest_vft.model import Split, from_tuple
from pytest_vft.reading.image_store import ImageStore
from pytest_vft.reading.remote import FetchContext

_MEASURED_KEYS = frozenset({"role", "content", "weight"})

# From width and height in pixels, if known, and detail to the tokens of an image.
CountImage = Callable[[int | None, int | None, str], Range]


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
    tokens_at_least: int | None
    """Tokens of its text and images, as few as they can be."""
    tokens_at_most: int | None
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


_example = from_tuple(Example)
_image = from_tuple(Image)


def measure_example(
    chat: Chat, split: Split, store: ImageStore, context: FetchContext, count_image: CountImage | None
) -> Example:
    """Return the facts of the example that *chat* was read from, of its messages and of its images.

    Without *count_image* tokens are unknown.
    """
    messages: dict[int, MessageFacts] = {}
    images: list[Image] = []
    said: list[Said] = []
    texts: list[str] = []
    images_at_least = images_at_most = 0
    others_at_most = json_tokens(chat.others) if chat.others else 0
    assistants = 0
    for position, role, content, written, shown, source, faults in chat.rows:
        for image in shown:
            key, measured = image_facts(image, role, split, store, context)
            images.append(_image((position, image[0], key, measured, image[1])))
            if count_image is not None:
                at_least, at_most = count_image(measured["width"], measured["height"], measured["detail"])
                images_at_least += at_least
                images_at_most += at_most
        parts = written
        text = parts[0] if len(parts) == 1 else "".join(parts)
        texts.append(text)
        length, calls = len(text.strip()), 0
        assistants += role == "assistant"
        if len(source) > 2 or content == "absent":  # noqa: PLR2004 - role and content
            others_at_most += _other_tokens(source)
            if role == "assistant":
                refusal, called = _refusal(source), _calls(source)
                length += len(refusal)
                calls = len(called)
                parts = [*parts, *([refusal] if refusal else []), *called]
        said.append((role, parts))
        messages[position] = {
            "split": split,
            "role": role,
            "content": content,
            "images": len(shown),
            "shape_faults": faults,
            "text_length": length,
            "calls": calls,
        }
    if chat.alternatives:  # they are no part of the conversation
        said, others = said[: -chat.alternatives], said[-chat.alternatives :]
        assistants -= sum(role == "assistant" for role, _ in others)
    bounds = target_turn(chat.rows if not chat.alternatives else chat.rows[: len(said)])
    turn = measure_turn(bounds, said, images) if bounds[1] and not chat.faults else None
    trained = assistants > 1 and turn is not None and split == "train"
    text_at_least, text_at_most = text_tokens(texts)
    around = AROUND_MESSAGE * len(texts) + AROUND_EXAMPLE
    known = count_image is not None
    facts: ExampleFacts = {
        "split": split,
        "shape_faults": chat.faults,
        "unknown_keys": chat.unknown_keys,
        "messages": chat.total,
        "assistant_messages": assistants,
        "images": len(images),
        "repeated_images": turn.repeated if turn else 0,
        "last_role": said[-1][0] if said else None,
        "tokens_at_least": text_at_least + images_at_least if known else None,
        "tokens_at_most": text_at_most + images_at_most + others_at_most + around if known else None,
    }
    shots = few_shot_answers(bounds, chat.rows, said, images) if trained else ()
    return _example((facts, messages, images, turn, shots, texts, (images_at_least, images_at_most)))


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


def _other_tokens(message: Mapping[str, Any]) -> int:
    """Return the maximum number of tokens of what *message* holds besides text and images.

    How a provider writes names and calls is not documented.
    """
    others = message.keys() - _MEASURED_KEYS
    return json_tokens({key: message[key] for key in others}) if others else 0


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
