"""Test splits: files of examples in one data format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pytest_vft.errors import UsageError
from pytest_vft.formats.base import Chat, MessageRow
from pytest_vft.formats.detection import detect_format
from pytest_vft.formats.registry import data_formats, load_format
from pytest_vft.naming import option
from pytest_vft.reading.roots import root_problem
from pytest_vft.text import either, nearest

_CONVERSATION = frozenset({"messages", "conversations"})  # keys that hold the text of a question


class Split(NamedTuple):
    """A file of examples in *data_format* with *layout*; *image_roots* are further folders of images."""

    path: str
    data_format: str = "openai"
    layout: Mapping[str, str] = {}
    image_roots: Sequence[str] = ()

    @property
    def conversation_keys(self) -> frozenset[str]:
        """The keys of messages."""
        return _CONVERSATION | {self.layout.get("messages", "messages")}

    def read(self, example: Any) -> Chat:
        """Return *example* as a chat."""
        return load_format(self.data_format, self.layout).read(example)


def open_split(path: str, data_format: str | None = None, image_roots: Sequence[str] = ()) -> Split:
    """Return the test split at *path*, in *data_format* or that of its first examples.

    Raises UsageError for an unknown data format and for a root that is not a folder.
    """
    for root in image_roots:
        if problem := root_problem(root):
            raise UsageError(f"{option('image-root')}: {problem}")
    known = data_formats()
    if data_format is not None and data_format not in known:
        raise UsageError(
            f"data format {data_format!r}: unknown{nearest(data_format, known)}; expected {either(known)}"
        )
    found = detect_format(path, () if data_format is None else (data_format,))
    return Split(path, found.name, found.layout, tuple(image_roots))


def conversation(chat: Chat) -> Sequence[MessageRow]:
    """Return the messages of *chat* without alternative answers."""
    return chat.rows[: len(chat.rows) - chat.alternatives]
