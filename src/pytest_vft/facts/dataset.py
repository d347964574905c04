"""Facts of what all files of a run hold together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict


class DatasetFacts(TypedDict):
    """Facts of a target turn: the last question of an example with its pictures."""

    copies: int
    """How often it stands in the dataset."""
    splits: Sequence[str]
    """The splits that it stands in."""
    first: str
    """The first place where it stands, as FILE:LINE."""
