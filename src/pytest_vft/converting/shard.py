"""Conversion of one shard: each entry is read into a conversation and written in its new format."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import orjson

from pytest_vft.converting.entries import Payloads, ShardEntry, shard_entries
from pytest_vft.converting.images import ImagePlacer
from pytest_vft.converting.plan import ConversionPlan, RefusedEntry, ShardConversion
from pytest_vft.converting.survey import ShardSurvey, Surveyor
from pytest_vft.converting.templates import Templates, has_slots
from pytest_vft.formats.base import DataFormat
from pytest_vft.formats.conversation import ChatTurn, Conversation, NotConvertedError, read_conversation
from pytest_vft.formats.plain import PlainExample, plain_example
from pytest_vft.formats.registry import load_format, load_writer
from pytest_vft.formats.unread import KEY
from pytest_vft.formats.writers.base import TRAINING_LOSSES, WrittenExample
from pytest_vft.model import Source
from pytest_vft.reading.image_store import KnownImages
from pytest_vft.reading.lines import Line
from pytest_vft.reading.shards import Shard
from pytest_vft.tuples import from_tuple

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


class ReadEntry(NamedTuple):
    """An entry with its payloads, and its example or why it is none; None for a blank line.

    A plain example is one that can be written by a template.
    """

    entry: ShardEntry
    payloads: Payloads
    example: Conversation | PlainExample | NotConvertedError | None


_read_entry = from_tuple(ReadEntry)


class ShardConverter:
    """Converts the shards of one file by a plan; *images* places their images.

    Images that are *known* are not measured again.
    """

    def __init__(self, plan: ConversionPlan, known: KnownImages | None = None) -> None:
        self._plan = plan
        self._writer = load_writer(plan.data_format)
        self.images = ImagePlacer(plan, known)

    def close(self) -> None:
        """Close the folders of local images."""
        self.images.close()

    def convert(self, shard: Shard) -> ShardConversion:
        """Return *shard* in its new format. Raises OSError if it cannot be read or images not be written."""
        return self.convert_entries(read_shard(self._plan.source, shard))

    def convert_entries(self, entries: Iterable[ReadEntry]) -> ShardConversion:
        """Return *entries* in their new format. Raises OSError if images cannot be written."""
        pieces: list[bytes | memoryview] = []
        surveyor = Surveyor()
        result = ShardConversion(b"", 0, [], [], Counter(), Counter(), {}, surveyor.survey())
        index = 0

        def examine(conversation: Conversation) -> None:
            surveyor.add(conversation)
            self._check_order(conversation)

        templates = Templates(self.images, examine, self._written)
        for index, (entry, payloads, example) in enumerate(entries, 1):
            if example is None:
                result.blank.append(index - 1)
                continue
            images = self.images
            images.changes, images.names = defaultdict(int), {}
            try:
                if isinstance(example, NotConvertedError):
                    raise example
                if isinstance(example, PlainExample):
                    pieces += templates.write(example, payloads)
                else:
                    examine(example)
                    pieces += self.write_placed(self._placed(example, payloads), payloads, result.losses)
            except NotConvertedError as error:
                kept = entry if self._plan.keep_refused else None
                result.refused.append(RefusedEntry(index - 1, str(error), kept))
                continue
            for kind, number in images.changes.items():
                result.changes[kind] += number
            result.images.update(images.names)
        for template in templates:
            _add_losses(template.losses, result.losses, template.examples)
            self._count_strings(template.conversation, result.changes, template.examples)
        data, survey, measured = b"".join(pieces), surveyor.survey(), self.images.pop_measured()
        return result._replace(data=data, entries=index, survey=survey, measured=measured)

    def write_placed(
        self, conversation: Conversation, payloads: Payloads, losses: Counter[str]
    ) -> list[bytes | memoryview]:
        """Return the pieces of the line of *conversation*, whose images are placed, and add to *losses*.

        Raises NotConvertedError if the target cannot have it.
        """
        written = self._written(conversation)
        self._count_strings(conversation, self.images.changes)
        for found in (conversation.losses, written.losses):
            _add_losses(found, losses)
        return [*payloads.put_back(orjson.dumps(written.example)), b"\n"]

    def _written(self, conversation: Conversation) -> WrittenExample:
        """Return *conversation* in its new format.

        Raises NotConvertedError if the target cannot have it, or would lose what is not allowed.
        """
        written = self._writer.write(conversation, self._plan.shape)
        lost_kinds = {*conversation.losses, *written.losses}
        for kind in TRAINING_LOSSES if lost_kinds else ():
            if kind in lost_kinds and kind not in self._plan.allowed:
                lost = _LOST.get(kind, kind)
                if kind == "tools" and (why := self._plan.no_tools):
                    lost += f": {why}; --to={self._plan.data_format} writes them"
                raise NotConvertedError(f"{self._plan.target} would lose {lost} (--allow-loss={kind})")
        return written

    def _count_strings(self, conversation: Conversation, changes: dict[str, int], examples: int = 1) -> None:
        """Add to *changes* the contents of some *examples* like *conversation* that become lists."""
        if not self._plan.shape.parts:
            return
        strings = sum(not turn.in_parts and bool(turn.pieces) for turn in conversation.everything)
        if strings:
            changes["contents"] += strings * examples

    def _check_order(self, conversation: Conversation) -> None:
        """Raise NotConvertedError if an ordered example starts with an answer, or ends without one."""
        if not self._plan.shape.ordered:
            return
        roles = [turn.role for turn in conversation.turns if turn.role != "system"]
        if roles[:1] == ["assistant"]:
            raise NotConvertedError(f"starts with an answer; {self._plan.target} reads a question first")
        if roles and roles[-1] != "assistant" and self._plan.source.split != "test":
            raise NotConvertedError(f"ends without an answer; {self._plan.target} reads an answer last")

    def _placed(self, conversation: Conversation, payloads: Payloads) -> Conversation:
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


def _add_losses(found: Mapping[str, int], losses: Counter[str], examples: int = 1) -> None:
    """Add to *losses* what each of some *examples* loses: *found*, by kind."""
    for kind, number in found.items():
        is_counted = not kind.startswith(KEY) or kind in losses or len(losses) < _MOST_KINDS
        losses[kind if is_counted else "other keys"] += number * examples


def read_shard(source: Source, shard: Shard) -> Iterator[ReadEntry]:
    """Yield the entries of *shard* of *source*. Raises OSError if the file cannot be read."""
    return read_conversations(source, shard_entries(shard))


def read_conversations(source: Source, entries: Iterable[ShardEntry]) -> Iterator[ReadEntry]:
    """Yield *entries* of *source* with their examples."""
    data_format = load_format(source.data_format, source.layout)
    for entry in entries:
        payloads = Payloads(entry)
        example: Conversation | PlainExample | NotConvertedError | None = None
        if not payloads.line.blank:
            try:
                example = _read(data_format, payloads)
            except NotConvertedError as error:
                example = error
        yield _read_entry((entry, payloads, example))


def _read(data_format: DataFormat, payloads: Payloads) -> Conversation | PlainExample:
    """Return the example on a line, whose payloads are *payloads*. Raises NotConvertedError for a fault."""
    value = line_value(payloads.line)
    plain = plain_example(value) if data_format.name == "openai" else None
    if plain and has_slots(plain, payloads):
        return plain
    return read_conversation(data_format, value)


def survey_entries(entries: Iterable[ReadEntry]) -> ShardSurvey:
    """Return the survey of *entries*, of those that are examples."""
    surveyor = Surveyor()
    for one in entries:
        example = one.example
        if isinstance(example, PlainExample):
            example = example.conversation
        if isinstance(example, Conversation):
            surveyor.add(example)
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
