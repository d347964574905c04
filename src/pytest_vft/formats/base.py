"""The seam between data formats and the rest of the package.

A data format reads an example into a Chat, the one shape that facts are measured on, and leads from
places in the chat back to places in the example as it was written. Findings point to the latter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

# Keys and indexes that lead into a JSON value.
KeyPath = tuple[str | int, ...]

ContentKind = Literal["string", "parts", "null", "absent"]

# An example may have a thousand faults of one cause; the first ones show it.
MAX_FAULTS = 100


class Fault(NamedTuple):
    """A place in an example that does not conform to its schema, and what is wrong there."""

    path: KeyPath
    words: str

    def __str__(self) -> str:
        return self.words


class ImagePart(NamedTuple):
    """An image of a message: its position among the parts, and its URL or, if *local*, its path.

    *detail* is the JSON value as written, "auto" if absent.
    """

    part: int
    reference: str
    detail: Any = "auto"
    local: bool = False


class Message(NamedTuple):
    """A message of a chat without the parts that are unsound.

    *position* counts from 0 and includes unsound messages. *content* says how the content is written,
    *texts* holds the text of each part that is not an image, and *source* is the message in OpenAI's
    format, which holds all other keys (weight, tool_calls ...). *faults* is the number of its faults.
    """

    position: int
    role: str
    content: ContentKind
    texts: Sequence[str]
    images: Sequence[ImagePart]
    source: Mapping[str, Any]
    faults: int


# The same as plain tuples. A dataset has millions of them, and a NamedTuple costs thirty times as much.
ImageRow = tuple[int, str, Any, bool]
MessageRow = tuple[int, str, ContentKind, Sequence[str], Sequence[ImageRow], Mapping[str, Any], int]


class Chat(NamedTuple):
    """An example as a chat.

    *rows* are the sound messages; the last *alternatives* of them are other answers to the same
    conversation, as in preference data. *total* is the number of messages in the example, unsound
    ones included. *faults* and *unknown_keys* are places in the example as it was written; *unsound*
    maps the places in the chat that were left out to their values. *others* holds what the example
    says besides its messages (tools ...).
    """

    rows: Sequence[MessageRow]
    total: int
    faults: Sequence[Fault] = ()
    unknown_keys: Sequence[Fault] = ()
    unsound: Mapping[KeyPath, Any] = {}
    others: Mapping[str, Any] = {}
    alternatives: int = 0

    @property
    def messages(self) -> list[Message]:
        """The sound messages as records."""
        return [Message(*row[:4], [ImagePart(*image) for image in row[4]], *row[5:]) for row in self.rows]

    @property
    def unsound_messages(self) -> dict[int, Any]:
        """The messages that were left out as a whole, by position."""
        return {path[1]: value for path, value in self.unsound.items() if len(path) == 2}  # type: ignore[misc]  # noqa: PLR2004 - ("messages", POSITION)


class DataFormat(Protocol):
    """How examples are written.

    *schema* is the JSON Schema of an example.
    """

    @property
    def name(self) -> str:
        """The name that users know the format by."""

    @property
    def schema(self) -> Mapping[str, Any]:
        """The JSON Schema of an example."""

    def read(self, example: Any) -> Chat:
        """Return *example*, a JSON value, as a chat of its sound parts; never raises for data."""

    def place(self, example: Any, path: KeyPath) -> KeyPath:
        """Return the place in *example* of *path*, a place in its chat.

        Paths in a chat begin with ("messages", POSITION) and may go on with ("content", PART).
        """

    def write(self, chat: Chat) -> tuple[dict[str, Any], Sequence[str]]:
        """Return *chat* as an example, and what the format cannot hold, in words."""


def pointer(path: KeyPath) -> str:
    """Return *path* as a JSON pointer (RFC 6901)."""
    return "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in path)
