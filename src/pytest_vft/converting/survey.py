"""What examples have in common, transports of their images, and URLs: what decides the form of outputs."""

from __future__ import annotations

from typing import NamedTuple

from pytest_vft.formats.conversation import Conversation
from pytest_vft.formats.writers.survey import Survey, survey

_TRANSPORTS = {"data": "data", "http": "url"}


class ShardSurvey(NamedTuple):
    """What the examples of some shards have in common, the transports of their images, and URLs."""

    common: Survey = Survey()
    transports: frozenset[str] = frozenset()
    urls: frozenset[str] = frozenset()

    def joined(self, other: ShardSurvey) -> ShardSurvey:
        """Return the survey of the shards of both."""
        common = self.common.joined(other.common)
        return ShardSurvey(common, self.transports | other.transports, self.urls | other.urls)


class Surveyor:
    """Surveys the conversations of a shard, one by one."""

    def __init__(self) -> None:
        self._common = Survey()
        self._transports: set[str] = set()
        self._urls: set[str] = set()

    def add(self, conversation: Conversation) -> None:
        """Add *conversation*."""
        found = survey(conversation)
        if found != self._common:
            self._common = self._common.joined(found)
        for turn in conversation.everything:
            for piece in turn.pieces:
                if isinstance(piece, str):
                    continue
                start = piece.reference[:4].lower()
                kind = "file" if piece.local else _TRANSPORTS.get(start, "bucket")
                self._transports.add(kind)
                if kind == "url":
                    self._urls.add(piece.reference)

    def survey(self) -> ShardSurvey:
        """Return the survey of all conversations so far."""
        return ShardSurvey(self._common, frozenset(self._transports), frozenset(self._urls))
