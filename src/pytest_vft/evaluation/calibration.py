"""A judge compared with people: how often both give an answer the same rating."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pytest_vft.errors import EvaluationError
from pytest_vft.evaluation import statistics
from pytest_vft.evaluation.layouts import unnested
from pytest_vft.evaluation.prediction_files import read_lines_of_predictions
from pytest_vft.evaluation.predictions import Keys
from pytest_vft.evaluation.questions import normalise_id
from pytest_vft.evaluation.ratings import RATINGS, known_rating
from pytest_vft.evaluation.scoring import Mark
from pytest_vft.evaluation.statistics import Interval
from pytest_vft.text import count, either, safe

_KEYS = ("rating", "human_rating", "label")  # of the rating in a file of labels


class HumanRating(NamedTuple):
    """The *rating* that people gave the answer with an *id*; *said* is the answer, None if not known."""

    place: str
    id: str
    rating: str
    said: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """The agreement of a judge with people on *n* answers that both have rated.

    *agreed* counts equal ratings, and *same_verdict* answers that are right, or wrong, by both ratings.
    *interval* is that of the share of equal ratings, at 95 %. *kappa* is Cohen's, None if both gave one and
    the same rating only. *confusions* counts pairs of the rating of people and that of the judge. *left_out*
    counts labels of other answers, and of answers that the judge did not rate.
    """

    n: int
    agreed: int
    same_verdict: int
    interval: Interval
    kappa: float | None
    kappa_interval: Interval | None
    confusions: Mapping[tuple[str, str], int]
    left_out: int

    @property
    def share(self) -> float:
        """The share of equal ratings."""
        return self.agreed / self.n


def read_labels(path: str, keys: Keys) -> list[HumanRating]:
    """Return the labels in the file at *path*: ids as in predictions by *keys*, each with a rating.

    Raises EvaluationError for a file without labels, and for a line that is not a label.
    """
    labels: dict[tuple[str, str | None], HumanRating] = {}
    for line, fields in unnested(read_lines_of_predictions(path), keys.names):
        place = f"{safe(path, None)}:{line}"
        id_, given, said = (
            next((fields[name] for name in names if fields.get(name) is not None), None)
            for names in (keys.id, _KEYS, keys.predicted)
        )
        if id_ is None or given is None:
            raise EvaluationError(f"{place}: expected an id, and a rating in the key {either(_KEYS)}")
        rating = known_rating(given)
        if rating is None:
            raise EvaluationError(f"{place}: no rating {safe(given)!r}; expected {either(RATINGS)}")
        label = HumanRating(place, normalise_id(id_), rating, None if said is None else str(said))
        first = labels.setdefault((label.id, label.said), label)
        if first.rating != rating:
            raise EvaluationError(f"{place}: {safe(label.id)!r} has another rating at {first.place}")
    if not labels:
        raise EvaluationError(f"{path}: has no labels")
    return list(labels.values())


def check_labels(labels: Sequence[HumanRating], ids: Collection[str]) -> None:
    """Raise EvaluationError for a label of an answer whose id is not in *ids*."""
    for label in labels:
        if label.id not in ids:
            raise EvaluationError(f"{label.place}: no answer has the id {safe(label.id)!r}")


def calibrate(marks: Sequence[Mark], labels: Sequence[HumanRating], passing: Collection[str]) -> Calibration:
    """Return how the ratings in *marks* agree with *labels*; ratings in *passing* are right.

    Raises EvaluationError for a label of an unknown answer, and if people and judge rated no answer both.
    """
    by_id: dict[str, list[Mark]] = {}
    for mark in marks:
        by_id.setdefault(mark.answer.id, []).append(mark)
    pairs: Counter[tuple[str, str]] = Counter()
    check_labels(labels, by_id)
    for label in labels:
        rated = (mark for mark in by_id[label.id] if label.said in (None, mark.answer.said))
        rating = next((mark.rating for mark in rated if mark.rating is not None), None)
        if rating is not None:
            pairs[label.rating, rating] += 1
    n = pairs.total()
    if not n:
        raise EvaluationError(
            f"{labels[0].place}: the judge has rated none of {count(len(labels), 'labelled answer')}"
        )
    agreed = sum(number for (one, other), number in pairs.items() if one == other)
    same = sum(number for (one, other), number in pairs.items() if (one in passing) == (other in passing))
    z = statistics.two_sided(statistics.LEVEL)
    kappa = statistics.cohen_kappa(pairs, z)
    return Calibration(
        n=n,
        agreed=agreed,
        same_verdict=same,
        interval=statistics.wilson(agreed / n, n, z),
        kappa=kappa and kappa[0],
        kappa_interval=kappa and kappa[1],
        confusions=dict(pairs.most_common()),
        left_out=len(labels) - n,
    )
