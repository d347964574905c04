"""What the examples of a run have in common, which decides the shape of the files that are written."""

from __future__ import annotations

from typing import NamedTuple

from pytest_vft.formats.conversation import Conversation
from pytest_vft.formats.writers.base import FileShape


class Survey(NamedTuple):
    """What some examples have: answers that are not trained on, tools, another answer, a system message.

    *last_only* says that each example can be trained on its last answer only, without a loss.
    """

    untrained: bool = False
    last_only: bool = True
    tools: bool = False
    preferences: bool = False
    system: bool = False

    def joined(self, other: Survey) -> Survey:
        """Return the survey of the examples of both."""
        return Survey(
            self.untrained or other.untrained,
            self.last_only and other.last_only,
            self.tools or other.tools,
            self.preferences or other.preferences,
            self.system or other.system,
        )

    def shape(self, given: FileShape) -> FileShape:
        """Return *given*, what the provider and the user say of files, with what the examples have."""
        return FileShape(
            parts=given.parts,
            strings=given.strings,
            one_system=given.one_system,
            drops=given.drops,
            bucket_owner=given.bucket_owner,
            images=given.images,
            ordered=given.ordered,
            last_answer=self.untrained and self.last_only,
            tools=self.tools,
            preferences=self.preferences,
            system=self.system,
        )


def survey(conversation: Conversation) -> Survey:
    """Return the survey of one example."""
    trained = [turn.trained is not False for turn in conversation.turns if turn.role == "assistant"]
    return Survey(
        untrained=not all(trained),
        last_only=not any(trained[:-1]) and all(trained[-1:]),
        tools=bool(conversation.tools),
        preferences=bool(conversation.rejected),
        system=any(turn.role == "system" for turn in conversation.turns),
    )
