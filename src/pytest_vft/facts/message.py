"""Facts about one message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NotRequired, TypedDict

from pytest_vft.formats.base import Fault
from pytest_vft.model import Split


class MessageFacts(TypedDict):
    """What is measured in a message."""

    split: Split
    """Split of the file: train, validation or test."""
    role: str
    """Role as written: system, user, assistant, tool or function."""
    content: str
    """Form of the content: string, parts, null or absent."""
    images: int
    """Number of image parts."""
    shape_faults: int
    """Number of places that do not conform to example.schema.json."""
    text_length: int
    """Characters of the text, a refusal included, without surrounding white space."""
    invisible_characters: int
    """Characters in texts and calls that models read and people do not see: tag characters outside flags,
    overrides of direction, other controls of direction in a text without letters from right to left, and
    runs of at least 3 zero-width characters or variation selectors."""
    calls: int
    """Number of tool and function calls."""
    unknown_keys: Sequence[Fault]
    """Keys of the message and its texts that the format does not define; null values do not count."""
    image_in_answer: str
    """What image a text of an answer or a tool is; "none"."""
    image_in_text: str
    """What image a text of a question is, as base64 or content parts, or contains outside code, as base64 of
    more than 1,000 characters; "none"."""
    list_content: NotRequired[bool]
    """Whether the content is a list with parts of other keys than type and value, the keys of LLaMA-Factory's
    newer format."""
    fields: NotRequired[Sequence[str]]
    """Keys besides role and content with values that differ from the default: a weight that is not 1, a
    loss of 0 or false, name, tool_calls ...; detail if an image of the message has one, and "a refusal part"
    for a part of the content."""
    image_keys: NotRequired[Sequence[str]]
    """Keys of the parts with an image that hold its source: image_url, image, path ...; each once."""
    image_formats: NotRequired[Sequence[str]]
    """Formats that bedrock and gemini state of images in buckets and behind URLs: png, jpg ...; each once."""
    weight: NotRequired[str]
    """The weight as JSON: 0, 1, 0.0 ...; "none" for a message without weight."""
    ownerless_images: NotRequired[int]
    """Number of images in S3 without the owner of the bucket, in the format bedrock."""
    reserved_words: NotRequired[Sequence[str]]
    """Words in the texts that Amazon Nova reserves, such as User: and <image>, as its pages write them."""
