"""What people know an example by: its id, its question and its images."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import NamedTuple

from pytest_vft.evaluation.predictions import Keys
from pytest_vft.evaluation.questions import ID_PATTERN
from pytest_vft.formats.base import DataFormat, pointer
from pytest_vft.formats.chat import target_turn
from pytest_vft.formats.registry import load_format
from pytest_vft.model import FileResult
from pytest_vft.reading.files import BYTE_ORDER_MARK, open_file
from pytest_vft.reading.lines import parse_line
from pytest_vft.reading.links import masked
from pytest_vft.reading.shards import LongLine, Shard, read_lines


class Label(NamedTuple):
    """The id and question of an example ("" if it has none), and names of its images by JSON pointer."""

    id: str = ""
    question: str = ""
    images: Mapping[str, str] = {}


def read_labels(file: FileResult, lines: Collection[int]) -> dict[int, Label]:
    """Return the labels of the examples on *lines* of *file*, as far as they can be read."""
    labels: dict[int, Label] = {}
    last = max(lines, default=0)
    opened = open_file(file.path)
    if opened.error or opened.container != "JSONL":
        return labels
    start = len(BYTE_ORDER_MARK) if opened.byte_order_mark else 0
    with suppress(OSError):
        for number, raw in enumerate(read_lines(Shard(file.path, "train", start, opened.bytes)), 1):
            if number > last:
                break
            if number in lines and not isinstance(raw, LongLine):
                labels[number] = _label(raw, load_format(file.data_format, file.layout))
    return labels


def _label(raw: bytes, form: DataFormat) -> Label:
    value = parse_line(raw).value
    if not isinstance(value, dict):
        return Label()
    chat = form.read(value)
    start, end = target_turn(chat.rows)
    question = " ".join(" ".join(text for row in chat.rows[start:end] for text in row[3]).split())
    numbered = re.search(ID_PATTERN, question)
    found = (value[key] for key in Keys().id if type(value.get(key)) in (str, int))
    images = [(message.position, image) for message in chat.messages for image in message.images]
    return Label(
        id=str(next(found, numbered[1] if numbered else "")),
        question=question,
        images={
            pointer(form.place(value, ("messages", position, "content", image.part))): (
                f"image {number}" if image.reference[:5].lower() == "data:" else masked(image.reference)
            )
            for number, (position, image) in enumerate(images, 1)
        },
    )
