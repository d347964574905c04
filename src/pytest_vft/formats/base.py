"""The interface between data formats and the rest of the package.

A data format reads an example into a Chat, on which facts are measured, and maps places in the chat to
places in the example as it was written, which findings point to.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

# Keys and indexes of a place in a JSON value.
KeyPath = tuple[str | int, ...]

ContentKind = Literal["string", "parts", "null", "absent"]

# An example may have thousands of faults with one cause; the first ones show it.
MAX_FAULTS = 100

# Keys of messages at which a fault leaves out nothing that is measured.
BESIDE_CONTENT = frozenset({"weight", "name"})


class Fault(NamedTuple):
    """A place in an example that does not conform to the schema, and the problem in words."""

    path: KeyPath
    words: str

    def __str__(self) -> str:
        return self.words


def are_at(faults: Sequence[Fault], keys: Collection[str]) -> bool:
    """Return whether each of *faults* is at a key of a message, or of another item, with a name in *keys*."""
    return all(len(path) > 1 and type(path[-2]) is int and path[-1] in keys for path, _ in faults)


class ImagePart(NamedTuple):
    """An image of a message: index of the part, URL (a path if *local*), and detail as a JSON value.

    *unknown_keys* are keys of the part and of the image that the format does not define.
    """

    part: int
    reference: str
    detail: Any = "auto"
    local: bool = False
    unknown_keys: Sequence[Fault] = ()


class Message(NamedTuple):
    """A message of a chat without unsound parts.

    *position* counts from 0 and includes unsound messages. *content* is the form of the content, *texts*
    holds the text of each part that is not an image, and *source* is the message in OpenAI's format with
    all other keys (weight, tool_calls ...). *faults* is the number of faults in the message, and
    *unknown_keys* are keys of the message and its texts that the format does not define.
    """

    position: int
    role: str
    content: ContentKind
    texts: Sequence[str]
    images: Sequence[ImagePart]
    source: Mapping[str, Any]
    faults: int
    unknown_keys: Sequence[Fault] = ()


# ImagePart and Message as plain tuples: a dataset has millions, and a NamedTuple costs thirty times as much.
ImageRow = tuple[int, str, Any, bool, Sequence[Fault]]
MessageRow = tuple[
    int, str, ContentKind, Sequence[str], Sequence[ImageRow], Mapping[str, Any], int, Sequence[Fault]
]


class Chat(NamedTuple):
    """An example as a chat.

    *rows* are the sound messages; the last *alternatives* of them are other answers to the same
    conversation, as in preference data. *total* is the number of messages, unsound messages included.
    *faults* and *unknown_keys* are places in the example as it was written; *unsound* maps omitted
    places of the chat to their values. *others* holds the keys of the example besides its messages
    (tools ...). *placeholders* counts tags in texts and parts without a source that stand for images, and
    *listed* the images in a list beside the messages; None without such a list. *divided* counts the
    messages that were written as one with the message before: a format may have results of tools in the
    message of a user. *answer* is the number of messages of the first of two answers, if the format tells it.
    *media* counts the videos, audios and documents in parts. The first *read_only* messages are a prompt,
    whose answers are not trained on.
    """

    rows: Sequence[MessageRow]
    total: int
    faults: Sequence[Fault] = ()
    unknown_keys: Sequence[Fault] = ()
    unsound: Mapping[KeyPath, Any] = {}
    others: Mapping[str, Any] = {}
    alternatives: int = 0
    placeholders: int = 0
    listed: int | None = None
    divided: int = 0
    media: int = 0
    read_only: int = 0
    answer: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether no content was left out: there are no faults, or only at keys beside the content."""
        return are_at(self.faults, BESIDE_CONTENT)

    @property
    def messages(self) -> list[Message]:
        """The sound messages as named tuples."""
        return [Message(*row[:4], [ImagePart(*image) for image in row[4]], *row[5:]) for row in self.rows]

    @property
    def unsound_messages(self) -> dict[int, Any]:
        """Messages that were omitted as a whole, by position."""
        return {path[1]: value for path, value in self.unsound.items() if len(path) == 2}  # type: ignore[misc]  # noqa: PLR2004 - ("messages", POSITION)


class DataFormat(Protocol):
    """The form in which examples are written."""

    @property
    def name(self) -> str:
        """Name of the format for users."""

    @property
    def schema(self) -> Mapping[str, Any]:
        """JSON Schema of an example."""

    def read(self, example: Any) -> Chat:
        """Return *example*, a JSON value, as a chat of its sound parts; never raises for data."""

    def place(self, example: Any, path: KeyPath) -> KeyPath:
        """Return the place in *example* for *path*, a place in its chat.

        A path in a chat is ("messages", POSITION) or ("messages", POSITION, "content", PART).
        """


def pointer(path: KeyPath) -> str:
    """Return *path* as a JSON pointer (RFC 6901)."""
    return "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in path)
