"""Rules whose tokens are counted for another model than that of the plan, judged in the same pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from pytest_vft.catalogue.load import Rule
from pytest_vft.checking.compile import Check, Verdicts, compile_check
from pytest_vft.checking.plan import LintPlan
from pytest_vft.checking.totals import ShardTotals
from pytest_vft.facts.example import CountImage, CountText, Example
from pytest_vft.facts.tokens import ASK_ABOVE, ImageTokens, Range, text_tokens

_NAMES = ("tokens_at_least", "tokens_at_most", "image_tokens_at_least", "image_tokens_at_most")
_CACHED_SIZES = 4096  # sizes of images whose tokens are cached

_Counted = tuple[int | None, int | None, int | None, int | None]  # values by _NAMES
_compiled = lru_cache(16)(compile_check)  # all shards have the same rules


class _Group(NamedTuple):
    """The rules of one counter: their positions among all rules, their compiled function, their other facts.

    *names* are those of the counter's tokens in `ShardTotals.other_tokens`.
    """

    counter: ImageTokens | None
    count_image: CountImage | None
    positions: Sequence[int]
    check: Check
    facts: Sequence[str]
    names: Sequence[str]


class OtherCounters:
    """The rules on examples of one shard whose tokens are counted by `plan.other_tokens`.

    *check* judges all *rules* on examples in *data_format* by the plan's own counter. count_text() comes
    before measure(), and that before check() and facts_of(), which are about the example that was measured
    last. tokens() comes after all examples.
    """

    def __init__(self, plan: LintPlan, rules: Sequence[Rule], check: Check, data_format: str) -> None:
        self._counts_text = plan.image_tokens.count_text if plan.image_tokens else text_tokens
        self._text: Range = (0, 0)
        self._ranges: dict[CountText, Range] = {}  # of the example, by the functions that count its texts
        self._check = check
        self._groups = []
        for number, counter in enumerate(plan.other_tokens):
            positions = [at for at, rule in enumerate(rules) if plan.counters.get(rule.id) == number]
            names = [f"{number} {name}" for name in _NAMES]
            self._groups.append(_group(counter, positions, rules, data_format)._replace(names=names))
        self._judging = [(number, group) for number, group in enumerate(self._groups) if group.positions]
        self._group_of = {
            rules[position].id: number for number, group in self._judging for position in group.positions
        }
        self._counted: Mapping[int, _Counted] = {}
        self._sizes: Counter[tuple[int | None, int | None, str]] = Counter()
        self._tokens: Counter[str] = Counter()  # of texts, beyond those by the plan's own counter

    def count_text(self, texts: Sequence[str]) -> Range:
        """Return the tokens of *texts*, those of the next example, by the plan's own counter."""
        self._text = self._counts_text(texts)
        self._ranges = {self._counts_text: self._text}
        return self._text

    def measure(self, example: Example) -> None:
        """Note the images of *example*, and count its tokens by each counter that has rules."""
        for image in example.images:
            facts = image.facts
            self._sizes[facts["width"], facts["height"], facts["detail"]] += 1
        at_least, at_most = self._text
        # Shorter texts have bounds, which are the same for all counters.
        if at_least == at_most or at_most > ASK_ABOVE:
            for group in self._groups:
                if group.counter:
                    own = self._text_tokens(group.counter, example.texts)
                    self._tokens[group.names[0]] += own[0] - at_least
                    self._tokens[group.names[1]] += own[1] - at_most
        self._counted = {number: self._count(example, group) for number, group in self._judging}

    def tokens(self, totals: ShardTotals) -> Counter[str]:
        """Return the tokens of all examples by name; *totals* has those by the counter of the plan."""
        result = self._tokens.copy()
        text_at_least = totals.tokens_at_least - totals.image_tokens_at_least
        others_at_most = totals.tokens_at_most - totals.image_tokens_at_most
        for group in self._groups:
            if group.count_image is None:
                continue
            at_least = at_most = 0
            for size, number in self._sizes.items():
                least, most = group.count_image(*size)
                at_least, at_most = at_least + number * least, at_most + number * most
            counted = (text_at_least + at_least, others_at_most + at_most, at_least, at_most)
            for name, tokens in zip(group.names, counted, strict=True):
                result[name] += tokens
        return result

    def check(self, facts: Mapping[str, Any]) -> Verdicts:
        """Return the verdicts of all rules on the example with *facts*."""
        if not self._judging:
            return self._check(facts)
        verdicts = list(self._check(facts))
        for number, group in self._judging:
            own = dict(zip(_NAMES, self._counted[number], strict=True))
            for name in group.facts:
                own[name] = facts[name]
            for position, verdict in zip(group.positions, group.check(own), strict=True):
                verdicts[position] = verdict
        return tuple(verdicts)

    def facts_of(self, rule: str, facts: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the facts that *rule* judges, which are *facts* for a rule of the plan's own counter."""
        number = self._group_of.get(rule)
        return facts if number is None else {**facts, **dict(zip(_NAMES, self._counted[number], strict=True))}

    def _text_tokens(self, counter: ImageTokens, texts: Sequence[str]) -> Range:
        """Return the tokens of *texts*, those of the example that is measured, by *counter*."""
        count_text = counter.count_text
        if count_text not in self._ranges:
            self._ranges[count_text] = count_text(texts)
        return self._ranges[count_text]

    def _count(self, example: Example, group: _Group) -> _Counted:
        """Return the tokens of *example* by the counter of *group*."""
        counter, count_image = group.counter, group.count_image
        if counter is None or count_image is None:
            images = None if example.images else 0
            return (None, None, images, images)
        at_least = at_most = 0
        for image in example.images:
            facts = image.facts
            least, most = count_image(facts["width"], facts["height"], facts["detail"])
            at_least, at_most = at_least + least, at_most + most
        total = example.facts["tokens_at_most"]
        assert total is not None  # noqa: S101 - the plan's own counter is known if any is
        around = total - self._text[1] - example.image_tokens[1]  # tokens besides texts and images
        text_at_least, text_at_most = self._text_tokens(counter, example.texts)
        return (text_at_least + at_least, text_at_most + at_most + around, at_least, at_most)

    def count_image(self, rule: str) -> CountImage | None:
        """Return the function that counts the tokens of an image for *rule*; None if the plan's own does."""
        number = self._group_of.get(rule)
        return None if number is None else self._groups[number].count_image


def _group(
    counter: ImageTokens | None, positions: Sequence[int], rules: Sequence[Rule], data_format: str
) -> _Group:
    own = tuple(rules[position] for position in positions)
    tested = {fact for rule in own for fact in rule.tested}
    return _Group(
        counter,
        lru_cache(_CACHED_SIZES)(counter.count) if counter else None,
        positions,
        _compiled("example", own, data_format),
        sorted(tested.difference(_NAMES)),
        (),
    )
