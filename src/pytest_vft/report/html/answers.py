"""Cards with answers of models, and lists of cards: broken, wrong and fixed answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from pytest_vft.evaluation.comparison import Comparison
from pytest_vft.evaluation.gate import Gate
from pytest_vft.evaluation.questions import Question
from pytest_vft.evaluation.results import Results
from pytest_vft.evaluation.scoring import Mark
from pytest_vft.line_ranges import LineRanges
from pytest_vft.model import ExamplePlace
from pytest_vft.report.html.album import Album, Picture
from pytest_vft.report.html.budget import CardBudget
from pytest_vft.report.html.cards import anchor, show_command
from pytest_vft.report.html.examples import MOST_IMAGES, ShownExample, read_examples
from pytest_vft.report.html.left_out import ranges_text
from pytest_vft.report.html.show import ShownFile

CARDS_OF_LIST = 200
_LONGEST = 500  # characters of a question or an answer
_SIDES = 2  # of a card, for the budget

Pair = tuple[Mark, Mark | None]


class Said(NamedTuple):
    """What a model said, and how it was judged. *model* is "now" or "before"; *path* is its file."""

    model: str
    path: str
    text: str
    right: str
    rating: str
    reason: str


class AnswerCard(NamedTuple):
    """The answers to a question.

    *id* is the anchor of its place, "" if an earlier card has it. *place* is that of the question, else of
    the prediction; *command* shows the question, "" without a test split. *truth* is the actual answer, and
    *more* counts the images that are not among *pictures*.
    """

    id: str
    severity: str
    anchor: str
    place: str
    number: str
    question: str
    truth: str
    said: tuple[Said, ...]
    command: str
    pictures: tuple[Picture, ...] = ()
    more: int = 0


class AnswerList(NamedTuple):
    """The cards of answers of *kind*.

    *name* is "broken", "wrong" or "fixed". *total* is the number of answers, and *left_out* of those without
    a card, whose places are in *left*: texts such as "test.jsonl: 4, 9-18".
    """

    name: str
    kind: str
    title: str
    about: str
    total: int
    cards: Sequence[AnswerCard]
    left: Sequence[str]
    left_out: int


class _ListDraft(NamedTuple):
    """A list before its cards are made: the *chosen* pairs of marks, and the *rest*."""

    name: str
    kind: str
    title: str
    about: str
    chosen: Sequence[Pair]
    rest: Sequence[Pair]


def answer_lists(results: Results, album: Album | None) -> list[AnswerList]:
    """Return the lists of *results* with their cards; without an *album* there are no images."""
    drafts = list(_drafts(results))
    chosen = [ours for draft in drafts for ours, _ in draft.chosen]
    shown = {} if album is None else _read(chosen, album)
    maker, budget = _card_maker(results, shown), CardBudget()
    lists = []
    for draft in drafts:
        cards: list[AnswerCard] = []
        rest = list(draft.rest)
        for pair in draft.chosen:
            card = maker(pair, draft.name)
            if budget.takes(card, _SIDES):
                cards.append(card._replace(id=budget.claim(card.anchor)))
            else:
                rest.append(pair)
        total = len(draft.chosen) + len(draft.rest)
        left = list(_left(rest)) if rest else []
        lists.append(
            AnswerList(draft.name, draft.kind, draft.title, draft.about, total, cards, left, len(rest))
        )
    return lists


def _drafts(results: Results) -> Iterator[_ListDraft]:
    comparisons = {comparison.kind: comparison for comparison in results.comparisons}
    for gate in results.gates:
        comparison = comparisons.get(gate.kind)
        for name, title, about, pairs in _lists_of(gate, comparison, results):
            if pairs:
                kind = str(gate.kind)
                yield _ListDraft(name, kind, title, about, pairs[:CARDS_OF_LIST], pairs[CARDS_OF_LIST:])


def _lists_of(
    gate: Gate, comparison: Comparison | None, results: Results
) -> Iterator[tuple[str, str, str, Sequence[Pair]]]:
    kind = gate.kind or "all"
    if comparison is None:
        about = f"Answers in {results.predictions} that are not right."
        yield "wrong", f"Wrong {kind} answers", about, [(mark, None) for mark in gate.wrong]
        return
    broken = {change.ours.answer.id for change in comparison.broken}
    theirs = {_key(pair.ours): pair.theirs for pair in comparison.wrong}
    wrong = [(mark, theirs.get(_key(mark))) for mark in gate.wrong if mark.answer.id not in broken]
    about = f"{results.against} answers these questions right, and {results.predictions} does not."
    yield "broken", f"Broken {kind} answers", about, list(comparison.broken)
    about = f"Answers in {results.predictions} that are not right, without the broken ones."
    yield "wrong", f"Other wrong {kind} answers", about, wrong
    about = f"{results.predictions} answers these questions right, and {results.against} does not."
    yield "fixed", f"Fixed {kind} answers", about, list(comparison.fixed)


def _key(mark: Mark) -> tuple[str, int | None]:
    return mark.answer.id, mark.answer.line


def _read(marks: Iterable[Mark], album: Album) -> Mapping[int, ShownExample]:
    """Return the examples with the questions of *marks*, by their numbers; none without a test split."""
    questions = [mark.answer.question for mark in marks]
    known = [question for question in questions if question]
    if not known:
        return {}
    split = known[0].split
    file = ShownFile(split.path, "test", split.data_format, split.layout, tuple(split.image_roots))
    wanted = {question.line: (frozenset[str](),) for question in known if question.image}
    return {number: one for (number, _), one in read_examples(file, wanted, album).items()}


def _card_maker(results: Results, shown: Mapping[int, ShownExample]) -> Callable[[Pair, str], AnswerCard]:
    """Return a function that makes the card of a pair of marks in the list of a name."""

    def make(pair: Pair, name: str) -> AnswerCard:
        ours, theirs = pair
        answer, question = ours.answer, ours.answer.question
        example = shown.get(question.line) if question else None
        said = [_said("now", results.predictions, ours)]
        if theirs is not None:
            said.append(_said("before", str(results.against), theirs))
        place = _place(question) if question else None
        return AnswerCard(
            id="",
            severity="good" if name == "fixed" else "error",
            anchor=anchor(place) if place else f"id:{answer.id}",
            place=question.place if question else _prediction(results.predictions, answer.line),
            number=answer.id,
            question=answer_text(question.text if question else _asked(answer.fields)),
            truth=answer_text(" or ".join(answer.truths)),
            said=tuple(said),
            command=show_command(place) if place else "",
            pictures=example.pictures if example else (),
            more=example.more if example and len(example.pictures) == MOST_IMAGES else 0,
        )

    return make


def _said(model: str, path: str, mark: Mark) -> Said:
    text = answer_text(mark.answer.said) or ("(no prediction)" if mark.answer.line is None else "(empty)")
    right = "not rated" if mark.right is None else "right" if mark.right else "wrong"
    return Said(model, path, text, right, mark.rating or "", answer_text(mark.reason))


def _place(question: Question) -> ExamplePlace:
    element = question.line - 1 if question.in_array else None
    return ExamplePlace(question.path, question.line, element)


def _prediction(path: str, line: int | None) -> str:
    return path if line is None else f"{path}:{line}"


def _asked(fields: Mapping[str, object]) -> str:
    given = fields.get("question")
    return given if isinstance(given, str) else ""


def answer_text(text: str) -> str:
    """Return *text*, a question or an answer, shortened."""
    text = text.strip()
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _left(pairs: Sequence[Pair]) -> Iterator[str]:
    """Yield the places of *pairs* as a text: lines of the test split, else of the predictions, else ids."""
    answers = [ours.answer for ours, _ in pairs]
    questions = [answer.question for answer in answers if answer.question]
    if questions:
        start = int(questions[0].in_array)
        number = "#" if start else ""
        lines = (question.line - start for question in questions)
        yield f"{questions[0].path}: {number}{ranges_text(_ranges(lines))}"
    elif answers:
        yield f"lines of predictions: {ranges_text(_ranges(one.line for one in answers if one.line))}"


def _ranges(lines: Iterable[int]) -> LineRanges:
    ranges = LineRanges()
    for line in sorted(set(lines)):
        ranges.add(line)
    return ranges
