"""Facts of what all files of a run hold together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict


class DatasetFacts(TypedDict):
    """Facts of what may recur.

    A target turn is the last question of an example with its images. An example is a target turn
    with its answer, in one split; a question is a target turn with all its answers in one split. A
    image is one of a target turn, and what recurs with the whole turn is left to the turn. A
    few-shot answer stands before the target turn, with a question, and is trained on.
    """

    kind: str
    """What recurs: target turn, example, question, image or few-shot answer."""
    copies: int
    """How often it stands in the dataset."""
    splits: Sequence[str]
    """The splits that it stands in."""
    first: str
    """The first place where it stands, as FILE:LINE."""
    answers: int | None
    """Answers to a question that differ in more than case and the marks at their ends."""
    answer_words: int | None
    """Words of the longest of them."""
