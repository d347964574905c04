"""Whether an answer is right: normalisations and metrics by name.

An answer is compared with the actual one as a whole. To look for the one inside the other is not
offered: "Not sure." holds a "no".
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

from pytest_vft.errors import UsageError
from pytest_vft.evaluation.predictions import Answer
from pytest_vft.text import nearest

Kind = Literal["closed", "open"]
Metric = Literal["exact", "normalised_exact", "token_f1", "judge"]
Normalisation = Literal["none", "text", "markdown", "squad"]

KINDS: tuple[Kind, ...] = get_args(Kind)
METRICS: tuple[Metric, ...] = get_args(Metric)
NORMALISATIONS: tuple[Normalisation, ...] = get_args(Normalisation)  # from the strictest
CLOSED = ("Yes", "No")

_QUOTES = "\"'“”‘’«»"  # noqa: RUF001 - they are meant
_LABEL = re.compile(r"\s*(?:#+|>)?\s*(?:(?:the|final)\s+)*answer\s*:\s*", re.IGNORECASE)
_EMPHASIS = re.compile(r"[*`]+|(?<!\w)_+|_+(?!\w)")
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


class Mark(NamedTuple):
    """An answer, whether it is right (None: the judge gave no rating), and the rating that it got.

    *kind* is None where nobody knows it: no prediction, and no actual answer in the test split.
    """

    answer: Answer
    kind: Kind | None
    right: bool | None
    rating: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoring:
    """How answers are compared with the actual ones.

    *metric* None: normalised_exact for closed answers, judge for open ones. *normalise* is for
    normalised_exact; *min_f1* is the token F1 from which an answer is right; *choices* are actual
    answers, besides Yes and No, whose questions are closed.
    """

    metric: Metric | None = None
    normalise: Normalisation = "text"
    min_f1: float = 0.5
    choices: Sequence[str] = ()

    def metric_for(self, kind: Kind) -> Metric:
        """Return the metric of answers of *kind*."""
        return self.metric or ("normalised_exact" if kind == "closed" else "judge")


def make_scoring(*, metric: str | None, normalise: str, min_f1: float, choices: Sequence[str]) -> Scoring:
    """Return the Scoring of arguments that were not validated yet.

    Raises UsageError, which suggests the nearest name for one that is not known.
    """
    for name, value, known in (
        ("metric", metric, METRICS),
        ("normalisation", normalise, NORMALISATIONS),
    ):
        if value is not None and value not in known:
            raise UsageError(f"no {name} {value!r}{nearest(value, known)}; there are {', '.join(known)}")
    if not 0 < min_f1 <= 1:
        raise UsageError(f"min_f1 is {min_f1:g}, want a share above 0, up to 1")
    return Scoring(metric=metric, normalise=normalise, min_f1=min_f1, choices=tuple(choices))  # type: ignore[arg-type]  # checked above


def normalise_text(text: str) -> str:
    """Return *text* in NFKC, its case folded, white space single, outer quotes and final ".,;:!" left out."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    text = text.casefold().strip()
    if not text.isalnum():
        text = " ".join(text.split()).lstrip(f"{_QUOTES} ").rstrip(f"{_QUOTES} .,;:!")
    return text


def normalise_markdown(text: str) -> str:
    """Return the same without marks of emphasis and code, and without "Answer:" before it."""
    text = _EMPHASIS.sub("", text)
    found = _LABEL.match(text)
    return normalise_text(text[found.end() :] if found else text)


def normalise_squad(text: str) -> str:
    """Return *text* as SQuAD compares it: lower case, no punctuation, no articles, single spaces.

    Rajpurkar et al. 2016, arXiv:1606.05250, section 6.1. An article alone is kept: it is a choice.
    """
    plain = text.lower().translate(_PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", plain).split()) or " ".join(plain.split())


NORMALISE: Mapping[Normalisation, Callable[[str], str]] = {
    "none": str,
    "text": normalise_text,
    "markdown": normalise_markdown,
    "squad": normalise_squad,
}


def token_f1(said: str, truth: str) -> float:
    """Return the harmonic mean of precision and recall of the words of *said*, as SQuAD counts them.

    Rajpurkar et al. 2016, arXiv:1606.05250, section 6.1; 0 when either is empty.
    """
    given, wanted = normalise_squad(said).split(), normalise_squad(truth).split()
    common = (Counter(given) & Counter(wanted)).total()
    return 2 * common / (len(given) + len(wanted)) if common else 0.0


def kinds_of(answers: Iterable[Answer], choices: Collection[str] = ()) -> list[Kind | None]:
    """Return the kind of each of *answers*: closed where the actual one is Yes, No or one of *choices*.

    None where there is no actual one.
    """
    closed = {normalise_text(choice) for choice in (*CLOSED, *choices)}
    known: dict[str | None, Kind | None] = {None: None}
    found = []
    for answer in answers:
        truth = answer.truth
        if truth not in known:
            known[truth] = "closed" if normalise_text(str(truth)) in closed else "open"
        found.append(known[truth])
    return found


def score(
    answers: Sequence[Answer],
    kinds: Sequence[Kind | None],
    scoring: Scoring,
    ratings: Mapping[str, str],
    passing: Collection[str],
) -> list[Mark]:
    """Return a mark for each of *answers*; *kinds* holds the kind of each, in the same order.

    *ratings* are the judge's by id, right when *passing*. An empty answer is wrong by every metric.
    """
    metrics = {kind: scoring.metric_for(kind) for kind in KINDS}
    functions = {kind: _function(metric, scoring) for kind, metric in metrics.items()}
    marks = []
    for answer, kind in zip(answers, kinds, strict=True):
        said, truth = answer.said, answer.truth
        if kind is None or truth is None:
            marks.append(Mark(answer, kind, False))
        elif metrics[kind] != "judge":
            marks.append(Mark(answer, kind, functions[kind](said, truth)))
        elif not said.strip():
            marks.append(Mark(answer, kind, False))
        else:
            rating = ratings.get(answer.id)
            marks.append(Mark(answer, kind, None if rating is None else rating in passing, rating))
    return marks


def _function(metric: Metric, scoring: Scoring) -> Callable[[str, str], bool]:
    """Return whether an answer and an actual one agree by *metric*, which is no judge."""
    if metric == "token_f1":
        return lambda said, truth: token_f1(said, truth) >= scoring.min_f1
    return _equal(NORMALISE["none" if metric == "exact" else scoring.normalise])


def _equal(normalise: Callable[[str], str]) -> Callable[[str, str], bool]:
    """Return whether two texts are equal under *normalise*; what it leaves nothing of equals nothing."""
    known: dict[str, str] = {}

    def equal(said: str, truth: str) -> bool:
        wanted = known.get(truth)
        if wanted is None:
            wanted = known[truth] = normalise(truth)
        return wanted != "" and (said == truth or normalise(said) == wanted)

    return equal


def near_misses(marks: Iterable[Mark], normalise: Normalisation) -> list[tuple[Mark, Normalisation]]:
    """Return those of *marks* that a normalisation laxer than *normalise* would make right, and which."""
    names = NORMALISATIONS[NORMALISATIONS.index(normalise) + 1 :]
    laxer = [(name, _equal(NORMALISE[name])) for name in names]
    found = []
    for mark in marks:
        said, truth = mark.answer.said, mark.answer.truth
        for name, equal in laxer:
            if truth is not None and equal(said, truth):
                found.append((mark, name))
                break
    return found
