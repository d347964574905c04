"""The result of a run does not depend on shards, order or repetition."""

from __future__ import annotations

import json
import pickle
from collections import Counter
from copy import deepcopy
from pathlib import Path
from typing import Any

import plans
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_vft.catalogue.cases import data_url
from pytest_vft.checking.lint import lint_files
from pytest_vft.checking.plan import LintPlan
from pytest_vft.checking.results import LintResult
from pytest_vft.checking.shard import ShardLinter
from pytest_vft.checking.totals import ShardTotals
from pytest_vft.model import Source, Tally
from pytest_vft.reading.image_store import ImageStore
from pytest_vft.reading.remote import Remote
from pytest_vft.reading.shards import Shard, cut_shards

GONE = {"https://example.com/gone.jpg": Remote(reachable=False, cause="404 Not Found")}


def plan(max_findings: int = 0, **changes: Any) -> LintPlan:
    return plans.plan(max_findings=max_findings, **changes)


def line(*content: Any, answer: Any = "A dog.") -> bytes:
    messages = [{"role": "user", "content": list(content)}, {"role": "assistant", "content": answer}]
    return json.dumps({"messages": messages}).encode()


def image(url: str, **more: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, **more}}


WHAT = {"type": "text", "text": "What is this?"}
GOOD = line(WHAT, image(data_url("png 16x16 rgb")))
LINES = [
    GOOD,
    line({"type": "text", "text": "Où est-ce?"}, image(data_url("jpeg 16x16 rgb"))),
    line(WHAT, image(data_url("jpeg 16x16 l"))),
    line(
        WHAT, image(data_url("png 16x16 p")), image(data_url("png 16x16 p")), image(data_url("gif 16x16 p"))
    ),
    line(WHAT, image(data_url("jpeg 64x64 rgb cut=200"), detail="medium")),
    line(WHAT, image("data:image/png;base64,!!!!")),
    line(WHAT, image("https://example.com/gone.jpg")),
    line(WHAT, image("https://example.com/new.jpg")),
    line(WHAT, answer=[image(data_url("png 16x16 rgb"))]),
    line(*[image(data_url("png 16x16 rgb"))] * 11),
    line({"type": "input_text", "text": "One?"}, "Two?", answer=3),
    b'{"conversations": []}',
    b'{"messages": NaN}',
    b'{"messages": []',
    b"caf\xe9",
    b"[1]",
    b"null",
    b"",
    b"  \r",
]
lines = st.lists(st.sampled_from(LINES), max_size=8)
caps = st.sampled_from([0, 1, 2, 3])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("merge")


def write(folder: Path, written: list[bytes], name: str = "train.jsonl") -> Source:
    path = folder / name
    # A good line leads, since the first bytes decide what a file is.
    path.write_bytes(b"".join(one + b"\n" for one in [GOOD, *written]))
    return Source(str(path))


def lint(source: Source, max_findings: int = 0, **changes: Any) -> LintResult:
    return lint_files([source], plan(max_findings), fetch=lambda _: GONE, **changes)


def on_lines(linted: LintResult) -> list[tuple[int, str, str, str]]:
    """Return the findings that one line is enough for."""
    return [
        (found.line, found.rule, found.pointer, found.message)
        for _, found in linted.findings
        if found.line and not found.rule.startswith("dataset/")
    ]


@given(written=lines, cap=caps, shard_bytes=st.integers(1, 3000))
@settings(deadline=None, max_examples=100)
def test_any_size_of_shards_gives_the_same(
    folder: Path, written: list[bytes], cap: int, shard_bytes: int
) -> None:
    source = write(folder, written)

    assert lint(source, cap, shard_bytes=shard_bytes) == lint(source, cap)


@given(written=lines, cap=caps)
@settings(deadline=None, max_examples=30)
def test_running_twice_gives_the_same(folder: Path, written: list[bytes], cap: int) -> None:
    source = write(folder, written)

    assert lint(source, cap) == lint(source, cap)


@given(first=lines, second=lines, third=lines, cap=caps)
@settings(deadline=None, max_examples=60)
def test_merging_is_associative(
    folder: Path, first: list[bytes], second: list[bytes], third: list[bytes], cap: int
) -> None:
    linter = ShardLinter(plan(cap), ImageStore(full=True))

    def count(written: list[bytes], name: str) -> ShardTotals:
        source = write(folder, written, name)
        return linter.lint(Shard(source.path, "train", 0, Path(source.path).stat().st_size))

    def add(one: ShardTotals, other: ShardTotals) -> ShardTotals:
        total = deepcopy(one)
        total.extend(other, cap)
        return total

    a, b, c = count(first, "a.jsonl"), count(second, "b.jsonl"), count(third, "c.jsonl")

    assert add(add(a, b), c) == add(a, add(b, c))
    assert add(ShardTotals(), a) == add(a, ShardTotals()) == a


@given(written=lines, cap=st.integers(1, 3))
@settings(deadline=None, max_examples=60)
def test_cap_keeps_the_first_findings_and_counts_the_others(
    folder: Path, written: list[bytes], cap: int
) -> None:
    source = write(folder, written)

    full, capped = lint(source), lint(source, cap)

    seen: Counter[str] = Counter()
    for placed in full.findings:
        seen[placed.found.rule] += 1
        assert (placed in capped.findings) == (seen[placed.found.rule] <= cap)
    assert capped.dropped == {rule: number - cap for rule, number in seen.items() if number > cap}
    assert len(full.findings) == len(capped.findings) + sum(capped.dropped.values())
    assert (capped.files, capped.dataset) == (full.files, full.dataset)
    assert not full.dropped


@given(written=lines, data=st.data())
@settings(deadline=None, max_examples=60)
def test_shuffling_lines_only_moves_their_findings(
    folder: Path, written: list[bytes], data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(len(written))))

    straight = lint(write(folder, written))
    shuffled = lint(write(folder, [written[place] for place in order], "shuffled.jsonl"))

    back = {2 + now: 2 + place for now, place in enumerate(order)}
    moved = [(back.get(number, number), *rest) for number, *rest in on_lines(shuffled)]
    assert sorted(moved) == sorted(on_lines(straight))
    assert shuffled.files[0].tallies == straight.files[0].tallies
    assert shuffled.dataset == straight.dataset


@given(written=lines)
@settings(deadline=None, max_examples=60)
def test_no_line_hides_the_findings_of_another(folder: Path, written: list[bytes]) -> None:
    together = lint(write(folder, written))

    alone = [
        (2 + place, *rest)
        for place, one in enumerate(written)
        for number, *rest in on_lines(lint(write(folder, [one], "alone.jsonl")))
        if number == 2
    ]
    assert sorted(on_lines(together)) == sorted(alone)


@given(written=lines)
@settings(deadline=None, max_examples=30)
def test_counts_add_up(folder: Path, written: list[bytes]) -> None:
    source = write(folder, written)
    linted = lint(source)
    (result,) = linted.files
    raw = Path(source.path).read_bytes()

    assert result.bytes == len(raw)
    assert result.lines == 1 + len(written)
    assert result.examples == sum(bool(one.strip()) for one in raw.split(b"\n"))
    assert result.distinct_images <= result.images
    for rule in plan().rules:
        if rule.each is None and rule.scope != "dataset":
            tally = result.tallies[rule.id]
            assert tally.failed == sum(placed.found.rule == rule.id for placed in linted.findings)
            if rule.scope == "line":
                assert tally.checked + tally.unknown + tally.not_applicable == result.lines


@given(written=lines)
@settings(deadline=None, max_examples=20)
def test_what_workers_exchange_can_be_sent(folder: Path, written: list[bytes]) -> None:
    source = write(folder, written)
    (shard,) = cut_shards(source.path, source.split, 0, Path(source.path).stat().st_size, 1_000_000)
    here = ShardLinter(plan(), ImageStore(full=True)).lint(shard)

    sent_plan, sent_shard = pickle.loads(pickle.dumps((plan(), shard)))  # noqa: S301 - our own
    there = pickle.loads(pickle.dumps(ShardLinter(sent_plan, ImageStore(full=True)).lint(sent_shard)))  # noqa: S301 - our own

    assert sent_shard == shard
    assert there == here


def test_shards_of_one_linter_do_not_touch_each_other(folder: Path) -> None:
    source = write(folder, LINES)
    size = Path(source.path).stat().st_size
    shards = cut_shards(source.path, source.split, 0, size, 500)
    linter = ShardLinter(plan(), ImageStore(full=True))

    forwards = [linter.lint(shard) for shard in shards]
    backwards = [ShardLinter(plan(), ImageStore(full=True)).lint(shard) for shard in reversed(shards)]

    assert len(shards) > 5
    assert forwards == backwards[::-1]


def test_order_of_files_is_kept_whatever_their_split(folder: Path) -> None:
    names = ["c.jsonl", "a.jsonl", "b.jsonl"]
    sources = [
        Source(write(folder, LINES, name).path, split)
        for name, split in zip(names, ["test", "train", "validation"], strict=True)
    ]

    linted = lint_files(sources, plan(), fetch=lambda _: GONE)

    assert [Path(file.path).name for file in linted.files] == names
    found_in = [placed.path for placed in linted.findings]
    assert found_in == sorted(found_in, key=[source.path for source in sources].index)


def test_ignored_rule_has_no_findings_and_is_counted(folder: Path) -> None:
    source = write(folder, LINES)
    ignored = {source.path: frozenset({"image/unsupported-mode"})}

    straight = lint(source)
    linted = lint_files([source], plan(), ignored=ignored, fetch=lambda _: GONE)

    assert linted.findings == tuple(
        placed for placed in straight.findings if placed.found.rule != "image/unsupported-mode"
    )
    before = straight.files[0].tallies["image/unsupported-mode"]
    after = linted.files[0].tallies["image/unsupported-mode"]
    assert before.failed == 3
    assert after == Tally(
        passed=before.passed, left_out=before.unknown, not_applicable=before.not_applicable, ignored=3
    )


def test_file_that_is_not_lines_is_read_no_further(folder: Path) -> None:
    path = folder / "page.jsonl"
    path.write_bytes(b"<html>\n" + b"\n".join(LINES) + b"\n</html>")

    linted = lint(Source(str(path)))

    (result,) = linted.files
    assert (result.stopped_by, result.lines, result.examples) == ("file/not-jsonl", 0, 0)
    assert {placed.found.rule for placed in linted.findings} == {"file/not-jsonl"}
    assert {rule.partition("/")[0] for rule, tally in result.tallies.items() if tally.checked} == {"file"}
