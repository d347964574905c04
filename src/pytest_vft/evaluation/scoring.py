"""Whether an answer is right: normalisations and metrics by name.

An answer is compared with the actual answer as a whole, not searched for it: "Not sure." contains "no".
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypedDict, get_args

from pytest_vft.errors import UsageError
from pytest_vft.evaluation.answer_fields import answer_object, field_value
from pytest_vft.evaluation.judge import Judge
from pytest_vft.evaluation.predictions import Answer
from pytest_vft.evaluation.ratings import Rating
from pytest_vft.naming import option
from pytest_vft.text import nearest

Kind = Literal["closed", "open"]
Metric = Literal["exact", "normalised_exact", "token_f1", "judge"]
Normalisation = Literal["none", "text", "typography", "markdown", "squad"]

KINDS: tuple[Kind, ...] = get_args(Kind)
METRICS: tuple[Metric, ...] = get_args(Metric)
NORMALISATIONS: tuple[Normalisation, ...] = get_args(Normalisation)  # strictest first
CLOSED = ("Yes", "No")

_UNRATED = Rating(None, "")
_QUOTES = "\"'“”‘’«»"  # noqa: RUF001 - typographic quotes are intended
_LABEL = re.compile(r"\s*(?:#+|>)?\s*(?:(?:the|final)\s+)*answer\s*:\s*", re.IGNORECASE)
_EMPHASIS = re.compile(r"[*`]+|(?<!\w)_+|_+(?!\w)")
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_TYPOGRAPHY = str.maketrans(
    dict.fromkeys("‘’‚‛ʼ′´`", "'")  # noqa: RUF001 - what word processors and models write
    | dict.fromkeys("“”„‟″", '"')
    | dict.fromkeys("‐‑‒–—―−", "-")  # noqa: RUF001 - as above
    | dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufeff")  # of no width
)
_PUNCTUATION = str.maketrans("", "", string.punctuation)


class Mark(NamedTuple):
    """An answer, whether it is *right*, and the rating of the judge with its *reason*.

    *right* is None if the judge gave no valid rating, but *judge_said* something else. *kind* is None
    without a prediction and an actual answer.
    """

    answer: Answer
    kind: Kind | None
    right: bool | None
    rating: str | None = None
    judge_said: str = ""
    reason: str = ""


class ScoringOptions(TypedDict, total=False):
    """The settings of Scoring, without the judge."""

    metric: Metric | None
    normalise: Normalisation
    min_f1: float
    choices: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoring:
    """How answers are compared with the actual answers.

    *metric* None means normalised_exact for closed answers and judge for open ones. *normalise* applies
    to normalised_exact; *min_f1* is the least token F1 of a right answer. *choices* are the actual
    answers, besides Yes and No, of closed questions. Raises UsageError for invalid values.
    """

    metric: Metric | None = None
    normalise: Normalisation = "text"
    min_f1: float = 0.5
    choices: Sequence[str] = ()
    judge: Judge | None = None

    def __post_init__(self) -> None:
        if self.metric is not None:
            check_name("metric", self.metric, METRICS)
        check_name("normalisation", self.normalise, NORMALISATIONS)
        if not (isinstance(self.min_f1, int | float) and 0 < self.min_f1 <= 1):
            raise UsageError(f"{option('min-f1')} is {self.min_f1!r}; expected a share above 0, at most 1")
        if isinstance(self.choices, str):  # is a sequence of letters
            raise UsageError(f"{option('choices')} is {self.choices!r}; expected a list")

    @property
    def max_ungraded(self) -> float:
        """The tolerated share of answers without a valid rating."""
        return self.judge.max_ungraded if self.judge else 0.0

    def metric_for(self, kind: Kind) -> Metric:
        """Return the metric of answers of *kind*."""
        return self.metric or ("normalised_exact" if kind == "closed" else "judge")


def check_name(what: str, name: str, known: Collection[str]) -> None:
    """Raise UsageError, with the nearest name, unless *name* is *known*."""
    if name not in known:
        raise UsageError(f"no {what} {name!r}{nearest(name, known)}; known: {', '.join(known)}")


def normalise_text(text: str) -> str:
    """Return *text* in NFKC, case-folded, with single spaces, without outer quotes and final ".,;:!"."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    text = text.casefold().strip()
    if not text.isalnum():
        text = " ".join(text.split()).lstrip(f"{_QUOTES} ").rstrip(f"{_QUOTES} .,;:!")
    return text


def normalise_typography(text: str) -> str:
    """Like normalise_text(), also with plain apostrophes and dashes, without characters of no width."""
    return normalise_text(text if text.isascii() else text.translate(_TYPOGRAPHY))


def normalise_markdown(text: str) -> str:
    """Like normalise_typography(), also without Markdown emphasis, code marks and a leading "Answer:"."""
    text = _EMPHASIS.sub("", text)
    found = _LABEL.match(text)
    return normalise_typography(text[found.end() :] if found else text)


def normalise_squad(text: str) -> str:
    """Return *text* as compared by SQuAD: lower case, no punctuation, no articles, single spaces.

    Rajpurkar et al. 2016, arXiv:1606.05250, section 6.1. A lone article is kept, since it may be a choice.
    """
    plain = text.lower().translate(_PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", plain).split()) or " ".join(plain.split())


NORMALISE: Mapping[Normalisation, Callable[[str], str]] = {
    "none": str,
    "text": normalise_text,
    "typography": normalise_typography,
    "markdown": normalise_markdown,
    "squad": normalise_squad,
}


def token_f1(said: str, truth: str) -> float:
    """Return the harmonic mean of precision and recall of the words of *said*, as defined by SQuAD.

    Rajpurkar et al. 2016, arXiv:1606.05250, section 6.1; 0 when either is empty.
    """
    given, wanted = normalise_squad(said).split(), normalise_squad(truth).split()
    common = (Counter(given) & Counter(wanted)).total()
    return 2 * common / (len(given) + len(wanted)) if common else 0.0


def kinds_of(answers: Iterable[Answer], choices: Collection[str] = ()) -> list[Kind | None]:
    """Return the kind of each answer: closed if the actual answer is Yes, No or one of *choices*, else open.

    The kind is None without an actual answer.
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
    answers: Iterable[tuple[Answer, Kind | None]],
    scoring: Scoring,
    ratings: Mapping[tuple[str, str], Rating],
) -> list[Mark]:
    """Return a mark for each of *answers*, given with their kinds.

    *ratings* are those of the judge by the id and the text of the answer. An empty answer is wrong by
    every metric.
    """
    metrics = {kind: scoring.metric_for(kind) for kind in KINDS}
    agree = {kind: _agreement(metric, scoring) for kind, metric in metrics.items()}
    passing = scoring.judge.passing if scoring.judge else ()
    marks = []
    for answer, kind in answers:
        said, truth = answer.said, answer.truth
        if kind is None or truth is None:
            marks.append(Mark(answer, kind, False))
        elif metrics[kind] != "judge":
            equal = agree[kind]
            marks.append(
                Mark(answer, kind, equal(said, truth) or any(equal(said, one) for one in answer.others))
            )
        elif not said.strip():
            marks.append(Mark(answer, kind, False))
        else:
            rating, judge_said, reason = ratings.get((answer.id, said), _UNRATED)
            right = None if rating is None else rating in passing
            marks.append(Mark(answer, kind, right, rating, judge_said, reason))
    return marks


def _agreement(metric: Metric, scoring: Scoring) -> Callable[[str, str], bool]:
    """Return the function that compares two answers by *metric*, any metric but judge."""
    if metric == "token_f1":
        return lambda said, truth: token_f1(said, truth) >= scoring.min_f1
    return _equal(NORMALISE["none" if metric == "exact" else scoring.normalise])


def _equal(normalise: Callable[[str], str]) -> Callable[[str, str], bool]:
    """Return the function that compares two texts under *normalise*; an empty text equals no text."""
    known: dict[str, str] = {}

    def equal(said: str, truth: str) -> bool:
        wanted = known.get(truth)
        if wanted is None:
            wanted = known[truth] = normalise(truth)
        return wanted != "" and (said == truth or normalise(said) == wanted)

    return equal


def count_ratings(marks: Iterable[Mark]) -> dict[str, int]:
    """Return the ratings of *marks* with their numbers, the most frequent one first."""
    return dict(Counter(mark.rating for mark in marks if mark.rating is not None).most_common())


def near_misses(marks: Iterable[Mark], normalise: Normalisation) -> list[tuple[Mark, Normalisation]]:
    """Return the *marks* that a laxer normalisation would make right, with the strictest such one."""
    names = NORMALISATIONS[NORMALISATIONS.index(normalise) + 1 :]
    laxer = [(name, _equal(NORMALISE[name])) for name in names]
    found = []
    for mark in marks:
        said, truths = mark.answer.said, mark.answer.truths
        name = next((name for name, equal in laxer if any(equal(said, truth) for truth in truths)), None)
        if name is not None:
            found.append((mark, name))
    return found


def near_fields(marks: Iterable[Mark], normalise: Normalisation) -> dict[str, int]:
    """Return the fields of JSON objects in *marks* with the number of answers that each would make right."""
    equal = _equal(NORMALISE[normalise])
    found: Counter[str] = Counter()
    for mark in marks:
        for name in answer_object(mark.answer.said):
            value = field_value(mark.answer.said, name)
            if value and any(equal(value, truth) for truth in mark.answer.truths):
                found[name] += 1
    return dict(found.most_common())
