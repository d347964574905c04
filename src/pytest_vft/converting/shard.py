"""Conversion of one shard: each entry is read into a conversation and written in its new format."""

from __future__ import annotations

from collections import Counter, defaultdict
from contextlib import suppress
from typing import Any

import orjson

from pytest_vft.converting.entries import Payloads, shard_entries
from pytest_vft.converting.images import ImagePlacer
from pytest_vft.converting.plan import ConversionPlan, RefusedEntry, ShardConversion
from pytest_vft.converting.survey import ShardSurvey, Surveyor
from pytest_vft.formats.conversation import ChatTurn, Conversation, NotConvertedError, read_conversation
from pytest_vft.formats.registry import load_format, load_writer
from pytest_vft.formats.unread import KEY
from pytest_vft.formats.writers.base import TRAINING_LOSSES
from pytest_vft.model import Source
from pytest_vft.reading.lines import Line
from pytest_vft.reading.shards import Shard

_MOST_KINDS = 100  # of losses, so that keys that each example has of its own fill no memory
_PREFERENCES = "its other answer"
_LOST = {
    "images": "images in a key that is not read; write them as image_url parts of the content",
    "weight": "which answers are trained on",
    "tools": "tools and their calls",
    "roles": "the place of system messages",
    "refusals": "refusals, which become answers",
    "preferences": _PREFERENCES,
}


class ShardConverter:
    """Converts the shards of one file by a plan; *images* places their images."""

    def __init__(self, plan: ConversionPlan) -> None:
        self._plan = plan
        self._format = load_format(plan.source.data_format, plan.source.layout)
        self._writer = load_writer(plan.data_format)
        self.images = ImagePlacer(plan)

    def close(self) -> None:
        """Close the folders of local images."""
        self.images.close()

    def convert(self, shard: Shard) -> ShardConversion:
        """Return *shard* in its new format. Raises OSError if it cannot be read or images not be written."""
        pieces: list[bytes | memoryview] = []
        surveyor = Surveyor()
        result = ShardConversion(b"", 0, [], [], Counter(), Counter(), {}, surveyor.survey())
        index = 0
        for index, entry in enumerate(shard_entries(shard), 1):
            payloads = Payloads(entry)
            if payloads.line.blank:
                result.blank.append(index - 1)
                continue
            images = self.images
            images.changes, images.names = defaultdict(int), {}
            try:
                conversation = read_conversation(self._format, line_value(payloads.line))
                surveyor.add(conversation)
                pieces += self.write(conversation, payloads, result.losses)
            except NotConvertedError as error:
                kept = entry if self._plan.keep_refused else None
                result.refused.append(RefusedEntry(index - 1, str(error), kept))
                continue
            for kind, number in images.changes.items():
                result.changes[kind] += number
            result.images.update(images.names)
        data, survey = b"".join(pieces), surveyor.survey()
        return result._replace(data=data, entries=index, survey=survey)

    def write(
        self, conversation: Conversation, payloads: Payloads, losses: Counter[str]
    ) -> list[bytes | memoryview]:
        """Return the pieces of the line of *conversation*, and add what it lost to *losses*.

        Raises NotConvertedError if the target cannot have it.
        """
        if self._plan.shape.ordered:
            self._check_order(conversation)
        return self.write_placed(self.placed(conversation, payloads), payloads, losses)

    def write_placed(
        self, conversation: Conversation, payloads: Payloads, losses: Counter[str]
    ) -> list[bytes | memoryview]:
        """Like write(), for a conversation whose images are placed."""
        written = self._writer.write(conversation, self._plan.shape)
        if self._plan.shape.parts and (contents := _strings(conversation)):
            self.images.changes["contents"] += contents
        lost_kinds = {*conversation.losses, *written.losses}
        for kind in TRAINING_LOSSES if lost_kinds else ():
            if kind in lost_kinds and kind not in self._plan.allowed:
                lost = _LOST.get(kind, kind)
                if kind == "tools" and (why := self._plan.no_tools):
                    lost += f": {why}; --to={self._plan.data_format} writes them"
                raise NotConvertedError(f"{self._plan.target} would lose {lost} (--allow-loss={kind})")
        pieces = payloads.put_back(orjson.dumps(written.example))
        for found in (conversation.losses, written.losses):
            for kind, number in found.items():
                is_counted = not kind.startswith(KEY) or kind in losses or len(losses) < _MOST_KINDS
                losses[kind if is_counted else "other keys"] += number
        return [*pieces, b"\n"]

    def _check_order(self, conversation: Conversation) -> None:
        """Raise NotConvertedError if an example to train on starts with an answer, or ends without one."""
        roles = [turn.role for turn in conversation.turns if turn.role != "system"]
        if roles[:1] == ["assistant"]:
            raise NotConvertedError(f"starts with an answer; {self._plan.target} reads a question first")
        if roles and roles[-1] != "assistant" and self._plan.source.split != "test":
            raise NotConvertedError(f"ends without an answer; {self._plan.target} reads an answer last")

    def placed(self, conversation: Conversation, payloads: Payloads) -> Conversation:
        """Return *conversation* with images as the target takes them.

        Raises NotConvertedError if the content of an image cannot be had.
        """

        def placed(turn: ChatTurn) -> ChatTurn:
            pieces = [
                piece if isinstance(piece, str) else self.images.place(piece, payloads)
                for piece in turn.pieces
            ]
            return turn if pieces == turn.pieces else turn._replace(pieces=pieces)

        return conversation._replace(
            turns=list(map(placed, conversation.turns)), rejected=list(map(placed, conversation.rejected))
        )


def _strings(conversation: Conversation) -> int:
    """Return the number of messages of *conversation* whose content is a string."""
    return sum(not turn.in_parts and bool(turn.pieces) for turn in conversation.everything)


def survey_shard(source: Source, shard: Shard) -> ShardSurvey:
    """Return the survey of *shard*, of the examples that can be read."""
    data_format = load_format(source.data_format, source.layout)
    surveyor = Surveyor()
    for entry in shard_entries(shard):
        payloads = Payloads(entry)
        if not payloads.line.blank:
            with suppress(NotConvertedError):
                surveyor.add(read_conversation(data_format, line_value(payloads.line)))
    return surveyor.survey()


def line_value(line: Line) -> dict[str, Any]:
    """Return the object on *line*. Raises NotConvertedError if there is none."""
    if line.syntax is None:
        raise NotConvertedError("the line is too long to be read")
    if line.syntax != "JSON":
        raise NotConvertedError(f"the line is not valid JSON: {line.encoding_error or line.syntax_error}")
    if not isinstance(line.value, dict):
        raise NotConvertedError("the example is not an object")
    if line.repeated_keys:
        raise NotConvertedError("the line has a key twice")
    value: dict[str, Any] = line.value
    return value
