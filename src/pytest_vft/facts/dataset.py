"""Facts about all files of a run together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict


class DatasetFacts(TypedDict):
    """Facts about a subject that may occur several times.

    A target turn is the last question of an example with its images. An example is a target turn with
    its answer, in one split; a question is a target turn with all its answers in one split. An image is
    an image of a target turn, or if that has none, of the last message before it that has some; images of a
    turn that recurs as a whole are not reported again. A few-shot answer precedes the target turn, is
    trained on, and includes its question. A linked image is an image behind one or several URLs that was
    read whole, so that its content is known, or a URL that was not settled. A similar image is such an
    image in a dataset with several splits, a near copy one in any dataset: they may look like other images
    without being the same.
    """

    kind: str
    """What may recur: target turn, example, question, image, few-shot answer, linked image,
    similar image or near copy."""
    copies: int
    """Number of occurrences in the dataset."""
    splits: Sequence[str]
    """Splits in which it occurs."""
    first: str
    """First occurrence, as FILE:LINE."""
    answers: int | None
    """Number of different answers to a question; case and punctuation at the ends are ignored."""
    answer_words: int | None
    """Number of words in the longest answer to a question that occurs several times, otherwise 0."""
    urls: int | None
    """Number of URLs that yield a linked image, not counting other signatures of the same URL."""
    similar: int | None
    """1 if a similar image looks like one of an earlier split, or a near copy like an earlier one of its
    split, otherwise 0; None for an image that was not decoded or not compared. Known only in rules
    whose `when` has one of these kinds as a constant."""
