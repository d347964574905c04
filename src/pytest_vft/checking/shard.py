"""Lint of one shard: the loop that all the time is spent in.

It keeps no object for a subject or a verdict. A shard's result depends on nothing but the plan and
the shard, and results merge in any grouping, so that shards may be linted anywhere.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache, partial
from typing import Any, NamedTuple, TypeVar

from xxhash import xxh3_128_hexdigest

from pytest_vft.catalogue.foreign import Foreign
from pytest_vft.catalogue.load import Rule
from pytest_vft.catalogue.schema import ExampleShape
from pytest_vft.checking.compile import Verdicts, compile_check
from pytest_vft.facts.example import Example, measure_example, message_past
from pytest_vft.facts.line import line_facts
from pytest_vft.facts.tokens import ImageTokens
from pytest_vft.facts.turns import Turn
from pytest_vft.model import SCOPES, Scope, Verdict
from pytest_vft.reading.album import Album
from pytest_vft.reading.lines import parse_line
from pytest_vft.reading.remote import LONG_AGO, Outside, Remote
from pytest_vft.reading.shards import LongLine, Shard, read_lines
from pytest_vft.text import Safe, fill

FAIL = int(Verdict.FAIL)
_SIZES = 4096  # of pictures, whose tokens are remembered

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """All that a worker needs besides its shard, as plain data.

    *ignored* holds, for the path of a file, the rules whose findings are not wanted in it;
    *max_findings* is how many are kept a rule and file, 0 for all; *now* is the time at which signed
    URLs are judged.
    """

    rules: tuple[Rule, ...]
    schema: Mapping[str, Any]
    foreign: Foreign
    image_tokens: ImageTokens
    full: bool
    remotes: Mapping[str, Remote]
    ignored: Mapping[str, frozenset[str]]
    max_findings: int
    now: datetime = LONG_AGO

    def rules_of(self, scope: Scope) -> tuple[Rule, ...]:
        """Return the rules of *scope*, in the order of their verdicts."""
        return tuple(rule for rule in self.rules if rule.scope == scope)


class Found(NamedTuple):
    """A finding before it knows its file: *line* counts from the start of the shard."""

    rule: str
    line: int | None
    pointer: str
    message: str
    image: str | None
    example: str | None = None


@dataclass(slots=True, kw_only=True)
class Counted:
    """What a shard, or a whole file, amounts to.

    *links* counts the images behind web addresses, *skipped* the examples that fail a rule with a
    skip reason. *turns* are target turns with their lines; *shots* counts few-shot answers by key,
    *shot_places* has line and message of the first of each.
    """

    lines: int = 0
    examples: int = 0
    answered: int = 0
    skipped: int = 0
    image_examples: int = 0
    images: int = 0
    links: int = 0
    tokens_at_least: int = 0
    tokens_at_most: int = 0
    image_tokens_at_least: int = 0
    image_tokens_at_most: int = 0
    pictures: set[int] = field(default_factory=set)
    counts: dict[Scope, Counter[Verdicts]] = field(default_factory=dict)
    found: list[Found] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    turns: list[tuple[int, Turn]] = field(default_factory=list)
    shots: Counter[int] = field(default_factory=Counter)
    shot_places: dict[int, tuple[int, int]] = field(default_factory=dict)


def merge(first: Counted, second: Counted, max_findings: int) -> Counted:
    """Return what *first* and the *second* shard that follows it amount to; associative."""
    if not first.lines:
        return second
    before = first.lines
    found = [*first.found, *(one._replace(line=before + (one.line or 0)) for one in second.found)]
    kept, dropped = cap(found, lambda one: one.rule, max_findings)
    return Counted(
        lines=first.lines + second.lines,
        examples=first.examples + second.examples,
        answered=first.answered + second.answered,
        skipped=first.skipped + second.skipped,
        image_examples=first.image_examples + second.image_examples,
        images=first.images + second.images,
        links=first.links + second.links,
        tokens_at_least=first.tokens_at_least + second.tokens_at_least,
        tokens_at_most=first.tokens_at_most + second.tokens_at_most,
        image_tokens_at_least=first.image_tokens_at_least + second.image_tokens_at_least,
        image_tokens_at_most=first.image_tokens_at_most + second.image_tokens_at_most,
        pictures=first.pictures | second.pictures,
        counts={
            scope: first.counts.get(scope, Counter()) + second.counts.get(scope, Counter())
            for scope in {**first.counts, **second.counts}
        },
        found=kept,
        dropped=first.dropped + second.dropped + dropped,
        turns=[*first.turns, *((before + line, turn) for line, turn in second.turns)],
        shots=first.shots + second.shots,
        shot_places={key: (before + line, position) for key, (line, position) in second.shot_places.items()}
        | first.shot_places,
    )


def cap(found: Sequence[Item], rule: Callable[[Item], str], most: int) -> tuple[list[Item], Counter[str]]:
    """Return the first *most* of *found* of each rule (0: all), and how many more there were."""
    seen: Counter[str] = Counter()
    kept = []
    for one in found:
        seen[rule(one)] += 1
        if not most or seen[rule(one)] <= most:
            kept.append(one)
    return kept, Counter({id_: number - most for id_, number in seen.items() if most and number > most})


def pointer(path: Sequence[str | int]) -> str:
    """Return *path* as a JSON pointer (RFC 6901)."""
    return "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in path)


class Linter:
    """A plan made ready to run: checks compiled, the pictures seen so far remembered in *album*."""

    def __init__(self, plan: Plan, album: Album | None = None) -> None:
        self._plan = plan
        self._rules = {scope: plan.rules_of(scope) for scope in SCOPES}
        self._checks = {scope: compile_check(scope, self._rules[scope]) for scope in SCOPES}
        self._shape = ExampleShape(plan.schema, plan.foreign)
        self._album = album or Album(full=plan.full)
        self._count_image = lru_cache(_SIZES)(plan.image_tokens.count)

    def lint(self, shard: Shard) -> Counted:
        """Return what *shard* amounts to. Raises OSError when it cannot be read."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # decoders warn of what our rules say better
            return self._lint(shard)

    def _lint(self, shard: Shard) -> Counted:
        split, album, shape = shard.split, self._album, self._shape
        outside = Outside(self._plan.remotes, self._plan.now)
        count_image = self._count_image
        check_line, check_example = self._checks["line"], self._checks["example"]
        check_message, check_image = self._checks["message"], self._checks["image"]
        total = Counted()
        lines: Counter[Verdicts] = Counter()
        examples: Counter[Verdicts] = Counter()
        messages: Counter[Verdicts] = Counter()
        images: Counter[Verdicts] = Counter()
        explain = _Explainer(self._rules, self._plan, shard.path, total)
        number = 0
        for number, raw in enumerate(read_lines(shard), 1):
            line = parse_line(raw, album.take)
            facts = line_facts(line, split)
            verdicts = check_line(facts)
            lines[verdicts] += 1
            if FAIL in verdicts:
                explain(verdicts, Subject("line", facts, number, raw))
            if line.blank:
                continue
            total.examples += 1
            if facts["kind"] != "object":
                continue
            example = measure_example(line.value, split, album, outside, shape, count_image)
            verdicts = check_example(example.facts)
            examples[verdicts] += 1
            if FAIL in verdicts:
                past = partial(message_past, example, count_image=count_image)
                explain(verdicts, Subject("example", example.facts, number, raw, past=past))
            for message in example.messages:
                verdicts = check_message(message.facts)
                messages[verdicts] += 1
                if FAIL in verdicts:
                    at = ("messages", message.position)
                    explain(verdicts, Subject("message", message.facts, number, raw, at))
            for image in example.images:
                total.pictures.add(image.key)
                total.links += image.facts["host"] is not None
                verdicts = check_image(image.facts)
                images[verdicts] += 1
                if FAIL in verdicts:
                    place = ("messages", image.message, "content", image.part)
                    explain(verdicts, Subject("image", image.facts, number, raw, place, image.key))
            _add(total, example, number)
        total.lines = number
        total.counts = {"line": lines, "example": examples, "message": messages, "image": images}
        return total

    def check(self, scope: Scope, facts: Mapping[str, Any]) -> Verdicts:
        """Return the verdicts of the rules of *scope* on *facts*."""
        return self._checks[scope](facts)

    def explain(self, scope: Scope, verdicts: Verdicts, facts: Mapping[str, Any], path: str) -> list[Found]:
        """Return the findings on a subject that is larger than a line of the file at *path*."""
        total = Counted()
        if FAIL in verdicts:
            _Explainer(self._rules, self._plan, path, total)(verdicts, Subject(scope, facts, None))
        return total.found


def _add(total: Counted, example: Example, number: int) -> None:
    total.answered += example.facts["assistant_messages"] > 0
    total.tokens_at_least += example.facts["tokens_at_least"]
    total.tokens_at_most += example.facts["tokens_at_most"]
    if example.images:
        total.image_examples += 1
        total.images += len(example.images)
        at_least, at_most = example.image_tokens
        total.image_tokens_at_least += at_least
        total.image_tokens_at_most += at_most
    if example.turn is not None:
        total.turns.append((number, example.turn))
    for shot in example.shots:
        total.shots[shot.key] += 1
        total.shot_places.setdefault(shot.key, (number, shot.position))


class Subject(NamedTuple):
    """What a rule judged: its facts, its line in the shard, its path in the example, its picture.

    *line* and *raw*, the line as it was read, are None for what is larger than a line; *past* is for
    an example: from a number of tokens to the message in which it comes to more.
    """

    scope: Scope
    facts: Mapping[str, Any]
    line: int | None
    raw: bytes | LongLine | None = None
    place: tuple[str | int, ...] = ()
    key: int | None = None
    past: Callable[[int], int] | None = None


class _Explainer:
    """Turns failed verdicts on subjects of one file into findings, up to the cap."""

    def __init__(self, rules: Mapping[Scope, Sequence[Rule]], plan: Plan, path: str, total: Counted) -> None:
        self._rules = rules
        self._ignored = plan.ignored.get(path, frozenset())
        self._most = plan.max_findings
        self._total = total
        self._kept: Counter[str] = Counter()
        self._skipped: int | None = None

    def __call__(self, verdicts: Verdicts, subject: Subject) -> None:
        for rule, verdict in zip(self._rules[subject.scope], verdicts, strict=True):
            if verdict != FAIL or rule.id in self._ignored:
                continue
            if rule.skips and subject.line != self._skipped:
                self._skipped = subject.line
                self._total.skipped += 1
            if rule.cut_after is not None and subject.past is not None:
                message = subject.past(rule.params[rule.cut_after])
                self._keep(rule, subject._replace(place=("messages", message)))
            elif rule.each is None:
                self._keep(rule, subject)
            else:
                for fault in subject.facts[rule.each]:
                    facts = {**subject.facts, rule.each: Safe(fault.words)}
                    self._keep(rule, subject._replace(facts=facts, place=fault.path))

    def _keep(self, rule: Rule, subject: Subject) -> None:
        if self._most and self._kept[rule.id] >= self._most:
            self._total.dropped[rule.id] += 1
            return
        self._kept[rule.id] += 1
        message = fill(rule.message, {**rule.params, **subject.facts})
        image = None if subject.key is None else f"{subject.key:032x}"
        raw = subject.raw
        example = xxh3_128_hexdigest(raw.removesuffix(b"\n")) if isinstance(raw, bytes) else None
        place = pointer(subject.place)
        self._total.found.append(Found(rule.id, subject.line, place, message, image, example))
