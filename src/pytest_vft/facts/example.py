"""Facts about one example, and the function that measures it with its messages and images."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, NotRequired, TypedDict

from pytest_vft.facts.calls import unanswered_calls
from pytest_vft.facts.hidden import NONE, QUESTION_ROLES, image_in_text, may_hide
from pytest_vft.facts.image import Image, image_facts
from pytest_vft.facts.invisible import invisible_characters
from pytest_vft.facts.message import MessageFacts
from pytest_vft.facts.placeholders import FIRST_CHARACTERS as PLACEHOLDER_CHARACTERS
from pytest_vft.facts.placeholders import has_unread_image, missing_image
from pytest_vft.facts.tokens import AROUND_EXAMPLE, AROUND_MESSAGE, Range, json_tokens, text_tokens
from pytest_vft.facts.turns import RoleTexts, Shot, Turn, few_shot_answers, measure_turn
from pytest_vft.formats.base import Chat, Fault, MessageRow
from pytest_vft.formats.chat import target_turn
from pytest_vft.formats.keys import MEDIA_KEYS
from pytest_vft.model import Split
from pytest_vft.reading.context import FetchContext
from pytest_vft.reading.image_store import ImageStore
from pytest_vft.tuples import from_tuple

_CALL_ROLES = frozenset({"tool_call", "function_call"})  # roles as written of messages that are calls
_MEASURED_KEYS = frozenset({"role", "content", "weight"})

# Maps width and height in pixels, if known, and detail to the tokens of an image.
CountImage = Callable[[int | None, int | None, str], Range]
# Maps the texts of messages to their tokens.
CountText = Callable[[Sequence[str]], Range]


class ExampleFacts(TypedDict):
    """What is measured in an example."""

    split: Split
    """Split of the file: train, validation or test."""
    shape_faults: Sequence[Fault]
    """Places in the example that do not conform to example.schema.json."""
    unknown_keys: Sequence[Fault]
    """Keys of the example that example.schema.json does not define."""
    messages: int
    """Number of messages."""
    assistant_messages: int
    """Number of messages with role assistant."""
    images: int
    """Number of images in all messages."""
    placeholders: int
    """Number of tags in texts, and parts without a source, that stand for images; 0 for the format openai."""
    listed_images: int | None
    """Number of images in a list beside the messages; None for an example without such a list."""
    unchecked_media: int
    """Number of videos, audios and documents, in parts or beside the messages, which are not checked."""
    missing_image: str
    """What refers to an image that the example lacks: a placeholder, or a key beside the messages; "none"."""
    unanswered_calls: Sequence[str]
    """Calls of tools and functions, except in the last message, that no following message answers."""
    repeated_assistants: int
    """Number of assistant messages that directly follow another one."""
    repeated_images: int
    """Number of images of the target turn that an earlier turn contains as well."""
    last_role: str | None
    """Role of the last message; None for an example without messages."""
    tokens_at_least: int | None
    """Lower bound of the tokens of texts and images."""
    tokens_at_most: int | None
    """Upper bound of the tokens of everything in the example, tools and message markup included."""
    surplus_placeholders: NotRequired[int]
    """Number of placeholders that have no image in the list beside the messages."""
    surplus_images: NotRequired[int]
    """Number of images in the list beside the messages that have no placeholder."""
    roles: NotRequired[str]
    """Roles of the messages in their order; equal roles in a row are written once, with their number."""
    first_role: NotRequired[str | None]
    """Role of the first message that is not a system message; None if there is none."""
    late_systems: NotRequired[int]
    """Number of system messages after the first message."""
    repeated_turns: NotRequired[int]
    """Number of messages after one of the same side, system messages aside; assistant messages are a side."""
    mixed_content: NotRequired[bool]
    """Whether contents of messages are strings and lists, empty ones and answers to choose from aside."""
    answer_messages: NotRequired[int]
    """Number of assistant messages in a row at the end of the longer of two answers; 0 for one answer."""
    answer_length: NotRequired[int]
    """Number of messages of the longer of two answers; 0 for an example with one answer."""
    list_contents: NotRequired[int]
    """Number of messages whose content is a list."""
    equal_answers: NotRequired[bool]
    """Whether the other answer of an example with two answers is the same as the first one."""
    unlisted_images: NotRequired[int]
    """Number of images with a source of their own, in an example that has a list of images as well."""
    overlooked_images: NotRequired[int]
    """Number of images with a source of their own, beside a list of images, which may be empty."""
    empty_image_list: NotRequired[bool]
    """Whether the list of images beside the messages is empty."""
    images_after_first: NotRequired[int]
    """Number of images in the list beside the messages after the first one."""
    unmarked_images: NotRequired[int]
    """Number of images in the list of an example whose contents are all strings; 0 for other examples."""
    image_words: NotRequired[int]
    """Number of texts that contain <image>, those left out in which it stands for an image."""
    schema_versions: NotRequired[Sequence[str]]
    """The schemaVersion of the format bedrock, if the example has one."""
    fields: NotRequired[Sequence[str]]
    """Keys of the example besides its messages, such as tools, that have a value."""
    keys: NotRequired[Sequence[str]]
    """Keys of the example besides its messages; none for an example with two answers."""
    image_tokens_at_least: NotRequired[int | None]
    """Lower bound of the tokens of all images."""
    image_tokens_at_most: NotRequired[int | None]
    """Upper bound of the tokens of all images."""


class Example(NamedTuple):
    """All measurements of one example; *turn* is None without a user message.

    *messages* holds facts by position; *texts* holds the text of each message; *image_tokens* is the
    (minimum, maximum) token count of all *images*.
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


def measure_example(  # noqa: C901, PLR0913, PLR0915, PLR0917 - the loop over all messages of a dataset, where a call costs
    chat: Chat,
    split: Split,
    store: ImageStore,
    context: FetchContext,
    count_image: CountImage | None,
    count_text: CountText = text_tokens,
) -> Example:
    """Return the measurements of the example that *chat* was read from; no tokens without *count_image*."""
    messages: dict[int, MessageFacts] = {}
    images: list[Image] = []
    role_texts: list[RoleTexts] = []
    texts: list[str] = []
    pieces: list[str] = []
    images_at_least = images_at_most = 0
    others_at_most = json_tokens(chat.others) if chat.others else 0
    assistants = all_calls = 0
    hides_image = is_marked = False
    for position, role, content, written, shown, source, faults, unknown_keys in chat.rows:
        for image in shown:
            part, reference, _, _, unread = image
            key, measured = image_facts(image, role, split, store, context)
            if unread:
                measured["unknown_keys"] = unread
            images.append(_image((position, part, key, measured, reference)))
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
                refusal, called = source.get("refusal"), _calls(source)
                calls = len(called)
                all_calls += calls
                if isinstance(refusal, str) and refusal:
                    length += len(refusal)
                    parts = [*parts, refusal]
                parts = [*parts, *called]
        role_texts.append((role, parts))
        pieces += parts
        messages[position] = {
            "split": split,
            "role": role,
            "content": content,
            "images": len(shown),
            "shape_faults": faults,
            "text_length": length,
            "invisible_characters": 0,
            "calls": calls,
            "unknown_keys": unknown_keys,
            "image_in_text": NONE,
            "image_in_answer": NONE,
        }
    rows = chat.rows
    if may_hide(pieces):
        hides_image, is_marked = _add_hidden(messages, rows, role_texts)
    if chat.alternatives:  # not part of the conversation
        role_texts, others = role_texts[: -chat.alternatives], role_texts[-chat.alternatives :]
        assistants -= sum(role == "assistant" for role, _ in others)
        rows = rows[: len(role_texts)]
    missing, is_cut = NONE, chat.faults and not chat.is_whole
    if (is_marked or not images) and not is_cut:
        missing = missing_image(rows, chat.others, len(images))
        hides_image = hides_image or (not images and (missing is not NONE or has_unread_image(rows)))
    media = chat.media + (_media(chat.others) if chat.others else 0)
    bounds = target_turn(rows)
    # Without the image, video or audio that was meant, a question may be the same as another one.
    is_whole = bounds[1] and not is_cut and not hides_image and not media
    turn = measure_turn(bounds, role_texts, images) if is_whole else None
    trained = assistants > 1 and turn is not None and split == "train"
    text_at_least, text_at_most = count_text(texts)
    around = AROUND_MESSAGE * len(texts) + AROUND_EXAMPLE
    known = count_image is not None
    facts: ExampleFacts = {
        "split": split,
        "shape_faults": chat.faults,
        "unknown_keys": chat.unknown_keys,
        "messages": chat.total,
        "assistant_messages": assistants,
        "images": len(images),
        "placeholders": chat.placeholders,
        "listed_images": chat.listed,
        "unchecked_media": media,
        "missing_image": missing,
        "unanswered_calls": unanswered_calls(rows) if all_calls and not is_cut else (),
        "repeated_assistants": _repeated_assistants(rows) if assistants > 1 and not is_cut else 0,
        "repeated_images": turn.repeated if turn else 0,
        "last_role": role_texts[-1][0] if role_texts else None,
        "tokens_at_least": text_at_least + images_at_least if known else None,
        "tokens_at_most": text_at_most + images_at_most + others_at_most + around if known else None,
    }
    shots = few_shot_answers(bounds, chat, role_texts, images) if trained else ()
    return _example((facts, messages, images, turn, shots, texts, (images_at_least, images_at_most)))


def _add_hidden(
    messages: Mapping[int, MessageFacts], rows: Sequence[MessageRow], role_texts: Sequence[RoleTexts]
) -> tuple[bool, bool]:
    """Add what people or models do not see in texts to *messages*.

    Returns whether a text contains an image, and whether one starts as a placeholder does.
    """
    hides_image = is_marked = False
    for (position, role, _, written, *_), (_, texts) in zip(rows, role_texts, strict=True):
        facts = messages[position]
        facts["invisible_characters"] = sum(map(invisible_characters, texts))
        hidden = image_in_text(written, role)
        if hidden is not NONE:
            hides_image = True
            facts["image_in_text" if role in QUESTION_ROLES else "image_in_answer"] = hidden
        is_marked = is_marked or "".join(written).strip()[:1] in PLACEHOLDER_CHARACTERS
    return hides_image, is_marked


def _media(others: Mapping[str, Any]) -> int:
    """Return the number of videos and audios in *others*, the keys of an example besides its messages."""
    found = [others[key] for key in MEDIA_KEYS if others.get(key)]
    return sum(len(one) if isinstance(one, list) else 1 for one in found)


def _repeated_assistants(rows: Sequence[MessageRow]) -> int:
    """Return the number of assistant messages after another one; one after another, calls are usual."""
    return sum(
        first[1] == second[1] == "assistant" and second[5].get("role") not in _CALL_ROLES
        for first, second in pairwise(rows)
    )


def _calls(message: Mapping[str, Any]) -> list[str]:
    """Return the arguments of each call in *message*; for a malformed call, the whole call."""
    listed = message.get("tool_calls")
    listed = listed if isinstance(listed, list) else []
    calls = [call.get("function") if isinstance(call, dict) else call for call in listed]
    if message.get("function_call") is not None:
        calls.append(message["function_call"])
    return [str(call.get("arguments", call) if isinstance(call, dict) else call) for call in calls]


def _other_tokens(message: Mapping[str, Any]) -> int:
    """Return the maximum number of tokens of other keys of *message*; their encoding is undocumented."""
    others = message.keys() - _MEASURED_KEYS
    return json_tokens({key: message[key] for key in others}) if others else 0


def message_past(example: Example, tokens: int, count_image: CountImage) -> int:
    """Return the position of the message in which the lower bound of the tokens first exceeds *tokens*."""
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
