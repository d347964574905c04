"""Linting of one shard: the loop that takes most of the time of a run.

The loop creates no objects for subjects and verdicts. The result depends only on the plan and the shard,
so shards may be linted anywhere.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache, partial
from typing import Any

from xxhash import xxh3_128

from pytest_vft.checking.compile import Check
from pytest_vft.checking.counters import OtherCounters
from pytest_vft.checking.judge import Explainer, RuleJudge, Subject
from pytest_vft.checking.key_columns import distinct
from pytest_vft.checking.measuring import needs_detector, needs_pixels
from pytest_vft.checking.memory import ShardMemory, cache_row
from pytest_vft.checking.plan import LintPlan
from pytest_vft.checking.totals import OPEN, ShardTotals, open_totals
from pytest_vft.checking.verdict_counts import VerdictCounts
from pytest_vft.facts.example import Example, measure_example, message_past
from pytest_vft.facts.first_keys import FirstKeys
from pytest_vft.facts.image import unknown_because
from pytest_vft.facts.line import line_facts
from pytest_vft.facts.tokens import text_tokens
from pytest_vft.facts.training import add_training_facts
from pytest_vft.formats.base import Chat, DataFormat, KeyPath, pointer
from pytest_vft.formats.registry import load_format
from pytest_vft.gaps import Cause
from pytest_vft.model import Scope
from pytest_vft.reading.arrays import parse_element, read_element_batches
from pytest_vft.reading.context import FetchContext
from pytest_vft.reading.image_cache import ImageCache
from pytest_vft.reading.image_store import ImageStore, KnownImages
from pytest_vft.reading.lines import Line, parse_line
from pytest_vft.reading.local_images import LocalImages, image_roots
from pytest_vft.reading.parquet import read_row_batches
from pytest_vft.reading.shards import BATCH, LongLine, Shard, read_batches, read_pieces

_ReadLine = tuple[bytes | LongLine, Line]  # as read and parsed
_CACHED_SIZES = 4096  # sizes of images whose tokens are cached


def open_image_store(plan: LintPlan, known: KnownImages | None = None) -> ImageStore:
    """Return a store that has *known* images and reads the cache of *plan*; the caller closes it."""
    cache = ImageCache(plan.cache, read_only=True) if plan.cache else None
    full, bounded, measurers = plan.full, plan.bounded, plan.measurers
    return ImageStore(full=full, bounded=bounded, cache=cache, measurers=measurers, known=known)


class ShardLinter:
    """Lints shards by a plan; *store* holds the images measured so far."""

    def __init__(self, plan: LintPlan, store: ImageStore) -> None:
        self._plan = plan
        self._judge = RuleJudge(plan)
        self._others: OtherCounters | None = None
        self._training = bool(plan.other_tokens) or self._judge.needs_optional("example", "message", "image")
        self._keys = self._judge.needs_optional("file")
        has_looks = any("fingerprint" in one.columns for one in plan.measurers)
        self._add = partial(_add_with_looks, plan.bounded) if has_looks else _add
        self._store = store
        self._memory = ShardMemory(plan.cache, plan) if plan.cache else None
        self._folder = ""
        self._files: LocalImages | None = None
        self._count_text = plan.image_tokens.count_text if plan.image_tokens else text_tokens
        self._count_image = lru_cache(_CACHED_SIZES)(plan.image_tokens.count) if plan.image_tokens else None

    def close(self) -> None:
        """Close the cache of shards and the folders of local images, but not the store."""
        if self._memory:
            self._memory.close()
        if self._files:
            self._files.close()

    def remembers(self, shard: Shard) -> bool:
        """Return whether the cache may have the result of *shard*, so that lint() only reads the shard."""
        return self._memory is not None and self._memory.may_know(shard, self._local_images(shard))

    def lint(self, shard: Shard) -> ShardTotals:
        """Return the totals of *shard*. Raises OSError if it cannot be read.

        The caller suppresses the warnings of decoders, which findings report better.
        """
        key = self._memory.key(shard) if self._memory else None
        files = self._local_images(shard)
        known = self._memory.recall(key, shard, files) if self._memory and key else None
        if known:
            return known
        content = xxh3_128() if key else None
        totals = self._walk(shard, self._read(shard, content), files)
        if self._others:
            totals.other_tokens = self._others.tokens(totals)
        if key and content:
            totals.row = cache_row(key, content.digest(), totals, files)
        return totals

    def lint_entry(self, shard: Shard, raw: bytes | LongLine, line: Line) -> ShardTotals:
        """Return the totals of one entry of the file of *shard*, as read and parsed; its line is 1."""
        return self._walk(shard, iter([(raw, line)]), self._local_images(shard))

    def _local_images(self, shard: Shard) -> LocalImages:
        """Return the local images of the file of *shard*, which are also looked for in its folder."""
        folder = os.path.dirname(shard.path)  # noqa: PTH120 - most files are in the folder of the last one
        if self._files is None or self._folder != folder:
            if self._files:
                self._files.close()
            folders = image_roots(shard.path, self._plan.image_roots)
            self._folder, self._files = folder, LocalImages(folders, self._store, bounded=self._plan.bounded)
        return self._files

    def _walk(  # noqa: C901, PLR0915 - the loop over all lines of a dataset, where a call costs
        self, shard: Shard, lines: Iterator[_ReadLine], files: LocalImages
    ) -> ShardTotals:
        split, store, data_format = shard.split, self._store, load_format(shard.data_format, shard.layout)
        files.pop_seen()
        plan, opened = self._plan, files if files.folders else None
        context = FetchContext(shard.remotes, plan.now, opened, plan.buckets, plan.allow_private)
        count_image = self._count_image
        checks = self._judge.checks_for(shard.data_format)
        others = self._others = self._other_counters(shard, checks)
        count_text = others.count_text if others else self._count_text
        check_line, check_example = checks["line"], others.check if others else checks["example"]
        check_message, check_image = checks["message"], checks["image"]
        totals = open_totals()
        judged, examples, messages, images = (VerdictCounts() for _ in range(4))
        facts_of = others.facts_of if others else None
        explain = Explainer(self._judge.rules, totals, shard.ignored, self._plan.max_findings, facts_of)
        training, first_keys = self._training, FirstKeys() if self._keys else None
        measures = (first_keys is not None and not shard.rows) or shard.compression is not None
        add, number, start = self._add, 0, 0
        for raw, line in lines:
            repeats = line.lines
            first, number = number + 1, number + repeats
            facts = line_facts(line, split)
            counted = judged[check_line(facts)]
            counted.number += repeats
            if counted.failed:
                explain(counted.verdicts, Subject("line", facts, first, raw, lines=repeats))
            totals.examples += not line.blank
            if measures:  # not of rows, which have the same columns
                start = totals.size
                totals.size += len(raw) if isinstance(raw, bytes) else raw.bytes
            if facts["kind"] != "object":
                continue
            value = line.value
            chat = data_format.read(value)
            example = measure_example(chat, split, store, context, count_image, count_text)
            if training:
                self._add_training_facts(chat, example)
            if first_keys is not None:
                first_keys.add(value, number, start)
                totals.pictured += bool(example.images or chat.placeholders)
                has_system, is_sound = any(row[1] == "system" for row in chat.rows), chat.is_whole
                totals.with_system += has_system
                totals.imageless += is_sound and not example.images
                totals.systemless += is_sound and not has_system
            counted = examples[check_example(example.facts)]
            counted.number += 1
            if counted.failed:
                past = partial(self._message_past, data_format, value, example)
                explain(counted.verdicts, Subject("example", example.facts, number, raw, message_past=past))
            for position, message in example.messages.items():
                counted = messages[check_message(message)]
                counted.number += 1
                if counted.failed:
                    place = data_format.place(value, ("messages", position))
                    explain(counted.verdicts, Subject("message", message, number, raw, place))
            for image in example.images:
                counted = images[check_image(image.facts)]
                counted.number += 1
                if counted.unknown:
                    counted.causes[unknown_because(image.facts, full=plan.full, bounded=plan.bounded)] += 1
                if counted.failed:
                    place = data_format.place(value, ("messages", image.message, "content", image.part))
                    explain(counted.verdicts, Subject("image", image.facts, number, raw, place, image.key))
            add(totals, example, number, data_format, value, context)
        totals.lines = number
        totals.first_keys = first_keys.places if first_keys else {}
        totals.image_keys = distinct([totals.image_keys])
        totals.measured = store.pop_measured()
        totals.count("gaps", self._gaps(images))
        totals.counts = {
            "line": judged.counts(),
            "example": examples.counts(),
            "message": messages.counts(),
            "image": images.counts(),
        }
        totals.pack(OPEN)
        return totals

    def _other_counters(self, shard: Shard, checks: Mapping[Scope, Check]) -> OtherCounters | None:
        """Return the rules of *shard* whose tokens are counted for other models, if there are any."""
        if not self._plan.other_tokens:
            return None
        return OtherCounters(self._plan, self._judge.rules["example"], checks["example"], shard.data_format)

    def _add_training_facts(self, chat: Chat, example: Example) -> None:
        """Add the facts for trainers to *example*, and count its tokens by the other counters, if any."""
        add_training_facts(chat, example, image_tokens=self._count_image is not None)
        if self._others:
            self._others.measure(example)

    def _read(self, shard: Shard, content: xxh3_128 | None) -> Iterator[_ReadLine]:
        """Yield each line as read and parsed, with its images in the store; hash it into *content*."""
        if content and (shard.rows or shard.compression):
            for piece in read_pieces(shard, BATCH):
                content.update(piece)
            content = None
        if shard.part:
            yield from self._read_elements(shard, content)
            return
        for batch in read_row_batches(shard) if shard.rows else read_batches(shard):
            for raw, lifted in zip(batch, self._store.lift(batch), strict=True):
                if content and isinstance(raw, bytes):
                    content.update(raw)
                yield raw, parse_line(raw, lifted)

    def _gaps(self, images: VerdictCounts) -> Counter[tuple[Cause, str]]:
        """Return the numbers of unknown verdicts on *images*, by cause and rule, whose cause is known."""
        gaps: Counter[tuple[Cause, str]] = Counter()
        for counted in images.values():
            for (content, pixels), number in counted.causes.items():
                for rule in self._judge.unknown("image", counted.verdicts):
                    cause = pixels if rule in self._decoding else content
                    if cause is not None:
                        gaps[cause, rule] += number
        return gaps

    @cached_property
    def _decoding(self) -> frozenset[str]:
        """The ids of the rules on what decoded images show, for which there is a measurer."""
        judging = [rule for rule in self._judge.rules["image"] if needs_pixels(rule)]
        return frozenset(rule.id for rule in judging if self._plan.detectors or not needs_detector(rule))

    def _read_elements(self, shard: Shard, content: xxh3_128 | None) -> Iterator[_ReadLine]:
        """Like _read(), for a part of an array."""
        for batch in read_element_batches(shard, content.update if content else None):
            for element, lifted in zip(batch, self._store.lift([one.raw for one in batch]), strict=True):
                yield element.raw, parse_element(element, lifted)

    def _message_past(
        self, data_format: DataFormat, value: Any, example: Example, rule: str, tokens: int
    ) -> KeyPath:
        """Return the place of the message in which *example* exceeds *tokens*, as counted for *rule*."""
        count_image = (self._others.count_image(rule) if self._others else None) or self._count_image
        assert count_image is not None  # noqa: S101 - no rule fails for unknown tokens
        position = message_past(example, tokens, count_image)
        return data_format.place(value, ("messages", position))


def _add(  # noqa: PLR0913, PLR0917 - one call, for each example
    totals: ShardTotals,
    example: Example,
    number: int,
    data_format: DataFormat,
    value: Any,
    context: FetchContext,
) -> None:
    facts = example.facts
    totals.answered += facts["assistant_messages"] > 0
    totals.unchecked_media += facts["unchecked_media"]
    totals.tokens_at_least += facts["tokens_at_least"] or 0
    totals.tokens_at_most += facts["tokens_at_most"] or 0
    if example.images:
        totals.image_examples += 1
        totals.images += len(example.images)
        for image in example.images:
            totals.see_image(image.key)
            if image.facts["host"] is not None:
                url, settled = image.reference, image.facts["reachable"] is not None
                totals.see_url(number, url, context.remotes.get(url), settled=settled)
        at_least, at_most = example.image_tokens
        totals.image_tokens_at_least += at_least
        totals.image_tokens_at_most += at_most
    if example.turn is not None:
        totals.turns.append(number, example.turn)
    for position, key in example.shots:
        place = pointer(data_format.place(value, ("messages", position)))
        totals.shots.append(number, place, key)


def _add_with_looks(bounded: bool, totals: ShardTotals, example: Example, number: int, *rest: Any) -> None:  # noqa: FBT001 - first of a partial
    """Like _add(), also what the images of the target turn look like, each once."""
    shown = example.turn.images if example.turn is not None else ()
    for image in example.images:
        facts = image.facts
        if image.key in shown and facts["format"] != "none":
            look, cause = facts.get("fingerprint"), None
            if look is None:
                _, cause = unknown_because(facts, full=True, bounded=bounded)
            totals.see_look(number, image.key, look, cause)
    _add(totals, example, number, *rest)
