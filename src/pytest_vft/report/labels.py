"""What people know an example by: its id, its question and its images."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import NamedTuple

from pytest_vft.evaluation.predictions import Keys
from pytest_vft.evaluation.questions import ID_PATTERN
from pytest_vft.formats.base import DataFormat, pointer
from pytest_vft.formats.chat import target_turn
from pytest_vft.formats.registry import load_format
from pytest_vft.model import FileResult, Finding
from pytest_vft.reading.entries import FileEntry, read_entries
from pytest_vft.reading.files import open_file
from pytest_vft.reading.links import masked


class Label(NamedTuple):
    """The id and question of an example ("" if it has none), and names of its images by JSON pointer."""

    id: str = ""
    question: str = ""
    images: Mapping[str, str] = {}


def read_labels(file: FileResult, findings: Sequence[Finding]) -> list[Label]:
    """Return the label of the example of each of *findings* in *file*, if it can be read."""
    opened = open_file(file.path)
    if not opened.is_read:
        return [Label()] * len(findings)
    wanted = [_entry_number(finding) for finding in findings]
    labels: dict[int, Label] = {}
    with suppress(OSError):
        entries = enumerate(read_entries(file.path, file.split, opened), 1)
        for number, entry in islice(entries, max(wanted, default=0)):
            if number in wanted:
                labels[number] = label_of(entry, load_format(file.data_format, file.layout))
    return [labels.get(number, Label()) for number in wanted]


def _entry_number(finding: Finding) -> int:
    """Return the number of the line or element of *finding*, from 1; 0 for a finding on the whole file."""
    if finding.line is None:
        return 0
    return finding.line if finding.element is None else finding.element + 1


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
