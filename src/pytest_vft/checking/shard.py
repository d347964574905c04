"""Lint of one shard: the loop that all the time is spent in.

It keeps no object for a subject or a verdict. A shard's result depends on nothing but the plan and
the shard, so that shards may be linted anywhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from xxhash import xxh3_128, xxh3_128_hexdigest

from pytest_vft.catalogue.foreign import ForeignFormats
from pytest_vft.catalogue.load import Rule
from pytest_vft.catalogue.shape import ExampleShape
from pytest_vft.checking.compile import Verdicts, compile_check
from pytest_vft.checking.memory import ShardMemory, remembered
from pytest_vft.checking.totals import ShardFinding, ShardTotals
from pytest_vft.facts.example import Example, measure_example, message_past
from pytest_vft.facts.image import Image
from pytest_vft.facts.line import line_facts
from pytest_vft.facts.tokens import ImageTokens
from pytest_vft.model import SCOPES, Scope, Verdict
from pytest_vft.reading.image_cache import ImageCache
from pytest_vft.reading.image_store import ImageStore
from pytest_vft.reading.lines import Line, parse_line
from pytest_vft.reading.remote import LONG_AGO, FetchContext, Remote
from pytest_vft.reading.shards import LongLine, Shard, read_batches
from pytest_vft.text import Safe, fill

FAIL = int(Verdict.FAIL)
# A run makes a linter for shards and one for what is larger, of the same rules.
_compiled = lru_cache(len(SCOPES))(compile_check)
_SIZES = 4096  # of images, whose tokens are remembered


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LintPlan:
    """All that a worker needs besides its shard, as plain data.

    *ignored* holds, for the path of a file, the rules whose findings are not wanted in it;
    *max_findings* is how many are kept a rule and file, 0 for all; *cache* is the folder where
    measurements of images are looked up; *now* is the time at which signed
    URLs are judged.
    """

    rules: tuple[Rule, ...]
    schema: Mapping[str, Any]
    foreign: ForeignFormats
    image_tokens: ImageTokens | None
    full: bool
    remotes: Mapping[str, Remote]
    ignored: Mapping[str, frozenset[str]]
    max_findings: int
    cache: Path | None = None
    now: datetime = LONG_AGO

    def rules_of(self, scope: Scope) -> tuple[Rule, ...]:
        """Return the rules of *scope*, in the order of their verdicts."""
        return tuple(rule for rule in self.rules if rule.scope == scope)

    def image_store(self) -> ImageStore:
        """Return an store without images."""
        return ImageStore(
            full=self.full, cache=ImageCache(self.cache, read_only=True) if self.cache else None
        )


def _uncounted(_width: int | None, _height: int | None, _detail: str) -> tuple[int, int]:
    return (0, 0)


def pointer(path: Sequence[str | int]) -> str:
    """Return *path* as a JSON pointer (RFC 6901)."""
    return "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in path)


class ShardLinter:
    """A plan made ready to run: checks compiled, the images seen so far remembered in *store*."""

    def __init__(self, plan: LintPlan, store: ImageStore) -> None:
        self._plan = plan
        self._rules = {scope: plan.rules_of(scope) for scope in SCOPES}
        self._checks = {scope: _compiled(scope, self._rules[scope]) for scope in SCOPES}
        self._shape = ExampleShape(plan.schema, plan.foreign)
        self._store = store
        self._memory = ShardMemory(plan.cache, plan) if plan.cache else None
        self._count_image = lru_cache(_SIZES)(plan.image_tokens.count if plan.image_tokens else _uncounted)

    def remembers(self, shard: Shard) -> bool:
        """Return whether a run before has seen what may be *shard*; if it is, lint() only reads it."""
        return self._memory is not None and self._memory.may_know(shard)

    def lint(self, shard: Shard) -> ShardTotals:
        """Return what *shard* amounts to. Raises OSError when it cannot be read.

        Decoders warn of what our rules say better: who calls this ignores warnings.
        """
        key = self._memory.key(shard) if self._memory else None
        known = self._memory.recall(key, shard) if self._memory and key else None
        if known:
            return known
        content = xxh3_128() if key else None
        counted = self._walk(shard, content)
        if key and content:
            counted.row = remembered(key, content.digest(), counted)
        return counted

    def _walk(self, shard: Shard, content: xxh3_128 | None) -> ShardTotals:
        split, store, shape = shard.split, self._store, self._shape
        outside = FetchContext(self._plan.remotes, self._plan.now)
        count_image = self._count_image
        check_line, check_example = self._checks["line"], self._checks["example"]
        check_message, check_image = self._checks["message"], self._checks["image"]
        total = ShardTotals()
        lines = _VerdictCounts()
        examples = _VerdictCounts()
        messages = _VerdictCounts()
        images = _VerdictCounts()
        explain = _Explainer(self._rules, self._plan, shard.path, total)
        number = 0
        for number, (raw, line) in enumerate(self._read(shard, content), 1):
            facts = line_facts(line, split)
            outcome = lines[check_line(facts)]
            outcome.number += 1
            if outcome.failed:
                explain(outcome.verdicts, Subject("line", facts, number, raw))
            if line.blank:
                continue
            total.examples += 1
            if facts["kind"] != "object":
                continue
            example = measure_example(line.value, split, store, outside, shape, count_image)
            outcome = examples[check_example(example.facts)]
            outcome.number += 1
            if outcome.failed:
                past = partial(message_past, example, count_image=count_image)
                explain(outcome.verdicts, Subject("example", example.facts, number, raw, past=past))
            for position, message in example.messages.items():
                outcome = messages[check_message(message)]
                outcome.number += 1
                if outcome.failed:
                    place = ("messages", position)
                    explain(outcome.verdicts, Subject("message", message, number, raw, place))
            for image in example.images:
                outcome = images[check_image(image.facts)]
                outcome.number += 1
                if outcome.failed:
                    at = ("messages", image.message, "content", image.part)
                    explain(outcome.verdicts, Subject("image", image.facts, number, raw, at, image.key))
            _add(total, example, number, line.value)
        total.lines = number
        total.measured = store.pop_measured()
        total.counts = {
            "line": lines.counts(),
            "example": examples.counts(),
            "message": messages.counts(),
            "image": images.counts(),
        }
        return total

    def _read(self, shard: Shard, content: xxh3_128 | None) -> Iterator[tuple[bytes | LongLine, Line]]:
        """Yield each line as it was read, and parsed; its images are in the store then.

        What is read goes into the hash *content*, if there is one.
        """
        for batch in read_batches(shard):
            if content:
                for raw in batch:
                    content.update(raw if isinstance(raw, bytes) else b"")  # none of what has a hash is long
            for raw, lifted in zip(batch, self._store.lift(batch), strict=True):
                yield raw, parse_line(raw, lifted)

    def check(self, scope: Scope, facts: Mapping[str, Any]) -> Verdicts:
        """Return the verdicts of the rules of *scope* on *facts*."""
        return self._checks[scope](facts)

    def explain(
        self, scope: Scope, verdicts: Verdicts, facts: Mapping[str, Any], path: str
    ) -> list[ShardFinding]:
        """Return the findings on a subject that is larger than a line of the file at *path*."""
        total = ShardTotals()
        if FAIL in verdicts:
            _Explainer(self._rules, self._plan, path, total)(verdicts, Subject(scope, facts, None))
        return total.found


@dataclass(slots=True)
class _VerdictCount:
    """The verdicts on one subject or more: whether one is a failure, and the number of subjects."""

    verdicts: Verdicts
    failed: bool
    number: int = 0


class _VerdictCounts(dict[Verdicts, _VerdictCount]):
    """The outcomes of one scope by their verdicts, which are few: each is looked into once."""

    def __missing__(self, verdicts: Verdicts) -> _VerdictCount:
        outcome = self[verdicts] = _VerdictCount(verdicts, FAIL in verdicts)
        return outcome

    def counts(self) -> Counter[Verdicts]:
        """Return the number of subjects by their verdicts."""
        return Counter({verdicts: outcome.number for verdicts, outcome in self.items()})


def _add(total: ShardTotals, example: Example, number: int, value: Any) -> None:
    total.answered += example.facts["assistant_messages"] > 0
    total.tokens_at_least += example.facts["tokens_at_least"]
    total.tokens_at_most += example.facts["tokens_at_most"]
    if example.images:
        total.image_examples += 1
        total.images += len(example.images)
        for image in example.images:
            total.see_image(image.key)
            if image.facts["host"] is not None:
                total.urls[_url(value, image)] = None
        at_least, at_most = example.image_tokens
        total.image_tokens_at_least += at_least
        total.image_tokens_at_most += at_most
    if example.turn is not None:
        total.turns.append(number, example.turn)
    for shot in example.shots:
        total.shots.append(number, shot)


def _url(example: Any, image: Image) -> str:
    url: str = example["messages"][image.message]["content"][image.part]["image_url"]["url"]
    return url


class Subject(NamedTuple):
    """What a rule judged: its facts, its line in the shard, its path in the example, its image.

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

    def __init__(
        self, rules: Mapping[Scope, Sequence[Rule]], plan: LintPlan, path: str, total: ShardTotals
    ) -> None:
        self._rules = rules
        self._ignored = plan.ignored.get(path, frozenset())
        self._most = plan.max_findings
        self._total = total
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
        if not self._total.admit(rule.id, self._most):
            return
        message = fill(rule.message, {**rule.params, **subject.facts})
        image = None if subject.key is None else f"{subject.key:032x}"
        raw = subject.raw
        example = xxh3_128_hexdigest(raw.removesuffix(b"\n")) if isinstance(raw, bytes) else None
        place = pointer(subject.place)
        self._total.keep(ShardFinding(rule.id, subject.line, place, message, image, example))
