"""Cards with examples, and galleries of cards: one for each rule that failed."""

from __future__ import annotations

import shlex
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import quote

from pytest_vft.checking.measuring import NEAR_COPY, SIMILAR_IMAGE
from pytest_vft.model import ExamplePlace, FileResult, Finding, Report, RuleResult
from pytest_vft.report.html.album import Album
from pytest_vft.report.html.budget import CardBudget
from pytest_vft.report.html.examples import ExampleSource, Places, ShownExample, read_examples
from pytest_vft.report.html.left_out import lines_left_out
from pytest_vft.report.repairable import advice_on
from pytest_vft.report.reread import entry_number
from pytest_vft.report.text import amount
from pytest_vft.text import count, safe

CARDS_OF_RULE = 24
_MOST_MESSAGES = 3
_LONGEST_MESSAGE = 300
# All of ASCII that may be in the fragment of a URL as it is
# (https://url.spec.whatwg.org/#fragment-percent-encode-set).
_IN_FRAGMENT = "!#$%&'()*+,-./:;=?@[\\]^_{|}~"


class Side(NamedTuple):
    """An example with its place, the anchor of its card, and the command that shows it.

    *note* says what it is beside another example; *id* is the anchor if no card has it.
    """

    place: str
    anchor: str
    command: str
    example: ShownExample
    note: str = ""
    id: str = ""


class Card(NamedTuple):
    """What is wrong with an example; two *sides* show what recurs side by side.

    *id* is the anchor of the place, "" if an earlier card has it. *messages* are those of findings, *more*
    says how many findings are left out, and *path* is the file of a finding without an example.
    """

    id: str
    path: str
    split: str
    severity: str
    messages: tuple[str, ...]
    sides: tuple[Side, ...] = ()
    more: str = ""


class Gallery(NamedTuple):
    """The cards of a rule, with its number from 1, and the lines that fail it but have no card.

    *left* are texts such as "train.jsonl: 4, 9-18", and *left_out* is the number of these lines.
    """

    number: int
    rule: RuleResult
    amount: str
    advice: Sequence[str]
    skips: str
    cards: Sequence[Card]
    left: Sequence[str]
    left_out: int


_NO_PLACES: Places = frozenset()


class _Wanted(NamedTuple):
    """An example of a card, with the places of the images to show, and the boxes in them."""

    place: ExamplePlace
    images: Places = _NO_PLACES
    note: str = ""
    boxes: Mapping[str, Sequence[int]] = {}

    @property
    def key(self) -> tuple[str, int, Places]:
        return self.place.path, entry_number(self.place.line, self.place.element), self.images


class _Draft(NamedTuple):
    """The findings that share a card; *alike* says that their images look alike instead of being equal."""

    findings: Sequence[Finding]
    alike: bool = False

    @property
    def examples(self) -> Iterator[_Wanted]:
        """The examples on the card; that with the findings is the last one."""
        one = self.findings[0]
        if one.line is None:
            return
        if one.first:
            yield _Wanted(one.first, note="earlier image" if self.alike else "first occurrence")
        here = (one.path, one.line, one.element)
        images = (
            other.pointer
            for other in self.findings
            if other.image and (other.path, other.line, other.element) == here
        )
        boxes = {other.pointer: other.box for other in self.findings if other.box}
        note = "looks like it" if self.alike else "recurs here"
        yield _Wanted(ExamplePlace(*here), frozenset(images), note if one.first else "", boxes)


def galleries(report: Report, maker: CardMaker, most: int = CARDS_OF_RULE) -> list[Gallery]:
    """Return a gallery of at most *most* cards for each rule of *report* that failed, errors first."""
    by_rule: defaultdict[str, list[Finding]] = defaultdict(list)
    for finding in report.findings:
        by_rule[finding.rule].append(finding)
    failed = [rule for rule in report.rules if rule.tally.failed]
    failed.sort(key=lambda rule: rule.severity != "error")
    drafts, room = [], maker.cards_left
    for rule in failed:
        alike = rule.subject in (SIMILAR_IMAGE, NEAR_COPY)
        chosen = _chosen(by_rule[rule.id], min(most, room), alike=alike)
        drafts.append((rule, chosen))
        room -= len(chosen)
    _read(report.files, [draft for _, chosen in drafts for draft in chosen], maker)
    splits = {file.path: file.split for file in report.files}
    found = []
    for number, (rule, chosen) in enumerate(drafts, 1):
        cards = [
            card for draft in chosen if (card := maker.make(draft, splits.get(draft.findings[0].path, "")))
        ]
        shown = {(one.path, one.line) for draft in chosen[: len(cards)] for one in draft.findings[:1]}
        left, left_out = lines_left_out(report.files, rule.id, shown)
        findings = by_rule[rule.id]
        found.append(
            Gallery(
                number,
                rule,
                amount(rule, findings),
                advice_on(findings) or [rule.advice],
                next((one.skips for one in findings if one.skips), ""),
                cards,
                left,
                left_out,
            )
        )
    return found


def example_cards(
    file: ExampleSource, findings: Mapping[int, Sequence[Finding]], maker: CardMaker
) -> list[Card]:
    """Return a card for each entry of *file* that *findings* maps to what is wrong with it."""
    examples = maker.read(file, dict.fromkeys(findings, (_NO_PLACES,)))
    cards = (
        maker.example(ExamplePlace(file.path, one.line, one.element), file.split, findings[number])
        for number, one in examples
    )
    return [card for card in cards if card]


def anchor(place: ExamplePlace) -> str:
    """Return the id of the card for *place*, as a fragment of a URL: "train.jsonl:12", "train.json:#3"."""
    number = place.line if place.element is None else f"#{place.element}"
    return quote(f"{place.path}:{number}", _IN_FRAGMENT, errors="backslashreplace")


def show_command(place: ExamplePlace) -> str:
    """Return the command that shows the example at *place*, "" if it came from standard input."""
    if place.path == "-":
        return ""
    number = place.line if place.element is None else f"#{place.element}"
    return f"vft show {shlex.quote(f'{place.path}:{number}')}"


def _chosen(findings: Sequence[Finding], most: int, *, alike: bool) -> list[_Draft]:
    """Return at most *most* drafts of *findings*, in their order; different messages come first."""
    groups: dict[object, list[Finding]] = {}
    for one in findings:
        key = (one.image, one.message) if one.image else (one.path, one.line, one.element)
        groups.setdefault(key, []).append(one)
    seen: Counter[str] = Counter()
    ranked = []
    for number, group in enumerate(groups.values()):
        ranked.append((seen[group[0].message], number, _Draft(group, alike)))
        seen[group[0].message] += 1
    ranked.sort(key=lambda one: one[:2])
    return [draft for _, _, draft in sorted(ranked[:most], key=lambda one: one[1])]


def _read(files: Iterable[FileResult], drafts: Iterable[_Draft], maker: CardMaker) -> None:
    wanted: defaultdict[str, defaultdict[int, set[Places]]] = defaultdict(lambda: defaultdict(set))
    for draft in drafts:
        for path, number, images in (one.key for one in draft.examples):
            wanted[path][number].add(images)
    for file in files:
        if file.path in wanted:
            maker.read(file, wanted[file.path])


class CardMaker:
    """Makes the cards of a page within a budget; images are added to *album*."""

    def __init__(self, album: Album) -> None:
        self._album = album
        self._examples: dict[tuple[str, int, Places], ShownExample] = {}
        self._budget = CardBudget()

    @property
    def cards_left(self) -> int:
        """Number of cards that may still be made."""
        return self._budget.cards_left

    def read(
        self, file: ExampleSource, wanted: Mapping[int, Collection[Places]]
    ) -> list[tuple[int, ShownExample]]:
        """Read examples of *file* for cards, and return them with their numbers; see read_examples()."""
        examples = read_examples(file, wanted, self._album)
        self._examples.update({(file.path, *key): one for key, one in examples.items()})
        return [(number, one) for (number, _), one in examples.items()]

    def make(self, draft: _Draft, split: str) -> Card | None:
        """Return the card of *draft*, None if there is no room."""
        first = draft.findings[0]
        examples = list(draft.examples)
        messages = list(dict.fromkeys(one.message for one in draft.findings))
        more = len(draft.findings) - len(messages[:_MOST_MESSAGES])
        same = " with this image" if first.image else ""
        card = Card(
            id="",
            path=first.path,
            split=split,
            severity=first.severity,
            messages=tuple(safe(text, _LONGEST_MESSAGE) for text in messages[:_MOST_MESSAGES]),
            sides=tuple(map(self._side, examples)),
            more=f"{count(more, 'more finding')}{same}" if more else "",
        )
        return self._admitted(card, examples[-1].place if examples else None)

    def example(self, place: ExamplePlace, split: str, findings: Sequence[Finding]) -> Card | None:
        """Return a card for the example at *place* with *findings* of any rule; None if there is no room."""
        messages = [f"{one.rule}: {one.message}" for one in findings]
        more = len(messages[_MOST_MESSAGES:])
        severities = {one.severity for one in findings}
        card = Card(
            id="",
            path=place.path,
            split=split,
            severity="error" if "error" in severities else "warning" if severities else "good",
            messages=tuple(safe(text, _LONGEST_MESSAGE) for text in messages[:_MOST_MESSAGES]),
            sides=(self._side(_Wanted(place)),),
            more=count(more, "more finding") if more else "",
        )
        return self._admitted(card, place)

    def _side(self, wanted: _Wanted) -> Side:
        place, _, note, boxes = wanted
        shown = self._examples.get(wanted.key)
        if shown and boxes:
            pictures = tuple(one.with_box(boxes.get(one.place)) for one in shown.pictures)
            shown = shown._replace(pictures=pictures)
        element = "" if place.element is None else f" (#{place.element})"
        return Side(
            f"{place.path}:{place.line}{element}",
            anchor(place),
            show_command(place),
            shown or ShownExample(place.line, place.element, start="(the file could not be read again)"),
            note,
        )

    def _admitted(self, card: Card, place: ExamplePlace | None) -> Card | None:
        if not self._budget.takes(card, len(card.sides)):
            return None
        name = self._budget.claim(anchor(place)) if place else ""
        return card._replace(id=name, sides=tuple(map(self._with_id, card.sides)))

    def _with_id(self, side: Side) -> Side:
        return side._replace(id=self._budget.claim(side.anchor))
