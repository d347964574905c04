"""Plain examples of a shard, written by templates: one for all examples that differ in their content only.

The texts and images of such examples are put in slots. What is written for the first example, with tokens in
place of their content, is what is written for all, with the content in place of the tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import orjson

from pytest_vft.converting.entries import Payloads, filled, is_put, put, split
from pytest_vft.converting.images import ImagePlacer
from pytest_vft.formats.base import ImagePart
from pytest_vft.formats.conversation import Conversation
from pytest_vft.formats.plain import PlainExample, Structure
from pytest_vft.formats.writers.base import WrittenExample
from pytest_vft.tuples import from_tuple

_image = from_tuple(ImagePart)


@dataclass(slots=True)
class Template:
    """The line of some *examples*, as texts and numbers of slots in turns.

    *conversation* is one of them, with tokens for its content, and *losses* are those of each.
    """

    pieces: list[bytes | int]
    conversation: Conversation
    losses: Mapping[str, int]
    examples: int = 0


class Templates:
    """The templates of one shard.

    *examine* is called with the first conversation of each structure before its images are placed, *write*
    with the conversation of each template. Both may raise NotConvertedError.
    """

    def __init__(
        self,
        images: ImagePlacer,
        examine: Callable[[Conversation], None],
        write: Callable[[Conversation], WrittenExample],
    ) -> None:
        self._place = images.place
        self._examine = examine
        self._write = write
        self._by_structure: dict[Structure, dict[tuple[ImagePart, ...], Template]] = {}

    def __iter__(self) -> Iterator[Template]:
        """Yield all templates."""
        for templates in self._by_structure.values():
            yield from templates.values()

    def write(self, plain: PlainExample, payloads: Payloads) -> list[bytes | memoryview]:
        """Return the pieces of the line of *plain*, whose images are in *payloads*.

        Raises NotConvertedError if the target cannot have it.
        """
        structure, texts, images = plain
        templates = self._by_structure.get(structure)
        if templates is None:
            self._examine(plain.conversation)
            templates = self._by_structure[structure] = {}
        slots = payloads.slots
        placed = tuple([_put(self._place(image, payloads), slots) for image in images])
        tokens = [put(orjson.dumps(text)[1:-1], slots) for text in texts]
        template = templates.get(placed)
        if template is None:
            conversation = plain._replace(texts=tokens, images=placed).conversation
            written = self._write(conversation)
            line = split(orjson.dumps(written.example) + b"\n")
            template = templates[placed] = Template(line, conversation, written.losses)
        template.examples += 1
        return filled(template.pieces, slots)


def has_slots(plain: PlainExample, payloads: Payloads) -> bool:
    """Return whether all that is written for *plain* is in slots, or depends on its structure only.

    Texts with "<" may have a tag that stands for an image, and empty ones may be left out.
    """
    for text in plain.texts:
        if not text or "<" in text:
            return False
    for image in plain.images:
        if not is_put(image.reference):
            return False
    return len(payloads.slots) == len(plain.images)


def _put(image: ImagePart, slots: list[bytes | memoryview]) -> ImagePart:
    """Return *image*, which is placed, with a token for the payload of its URL or the stem of its name."""
    part, reference, *others = image
    if is_put(reference):
        return image
    separator = "," if reference[:5].lower() == "data:" else "/"
    before, _, rest = reference.rpartition(separator)
    content, dot, suffix = rest.partition(".")
    token = put(content.encode(), slots)
    return _image((part, f"{before}{separator}{token}{dot}{suffix}", *others))
