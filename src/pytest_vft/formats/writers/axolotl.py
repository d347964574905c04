"""Writing of Axolotl's format: contents of parts, images in parts with a path, a URL or base64."""

from __future__ import annotations

from pytest_vft.formats.base import ImagePart
from pytest_vft.formats.conversation import Conversation, Piece
from pytest_vft.formats.writers.base import (
    BareWriter,
    FileShape,
    WrittenExample,
    count_losses,
    with_refusal_as_text,
    without_tools,
)


class AxolotlWriter(BareWriter):
    """Writes {"messages": [...]} with image parts; only the roles and the contents of messages are read."""

    has_preferences = False

    def write(self, conversation: Conversation, shape: FileShape) -> WrittenExample:  # noqa: ARG002 - Writer
        """Return *conversation* as an example."""
        kinds = ("weight", "tools", "refusals", "preferences", "name", "detail", "other keys")
        turns = without_tools(list(map(with_refusal_as_text, conversation.turns)))
        messages = [{"role": turn.role, "content": list(map(_part, turn.pieces))} for turn in turns]
        return WrittenExample({"messages": messages}, count_losses(conversation, *kinds))


def _part(piece: Piece) -> dict[str, str]:
    if isinstance(piece, str):
        return {"type": "text", "text": piece}
    return {"type": "image", **_source(piece)}


def _source(image: ImagePart) -> dict[str, str]:
    if image.local:
        return {"path": image.reference}
    if image.reference[:5].lower() == "data:":
        return {"base64": image.reference.partition(",")[2]}
    return {"url": image.reference}
