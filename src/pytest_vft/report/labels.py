"""What people know an example by: its id, its question and its images."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pytest_vft.evaluation.predictions import Keys
from pytest_vft.evaluation.questions import ID_PATTERN
from pytest_vft.formats.base import DataFormat, pointer
from pytest_vft.formats.chat import target_turn
from pytest_vft.formats.registry import load_format
from pytest_vft.model import FileResult, Finding
from pytest_vft.reading.entries import FileEntry
from pytest_vft.reading.links import masked
from pytest_vft.report.reread import entry_number, read_again


class Label(NamedTuple):
    """The id and question of an example ("" if it has none), and names of its images by JSON pointer."""

    id: str = ""
    question: str = ""
    images: Mapping[str, str] = {}


def read_labels(file: FileResult, findings: Sequence[Finding]) -> list[Label]:
    """Return the label of the example of each of *findings* in *file*, if it can be read."""
    form = load_format(file.data_format, file.layout)
    wanted = [entry_number(finding.line, finding.element) for finding in findings]
    labels = {number: label_of(entry, form) for number, entry in read_again(file.path, file.split, wanted)}
    return [labels.get(number, Label()) for number in wanted]


def label_of(entry: FileEntry, form: DataFormat) -> Label:
    """Return the label of *entry*, whose data format is *form*; an empty one if it is not a JSON object."""
    value = entry.parse().value
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
            entry.prefix + pointer(form.place(value, ("messages", position, "content", image.part))): (
                f"image {number}" if image.reference[:5].lower() == "data:" else masked(image.reference)
            )
            for number, (position, image) in enumerate(images, 1)
        },
    )
