"""What recurs over the files of a run: leaks between splits are found, few-shot turns are none."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import plans
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_vft.catalogue.cases import data_url
from pytest_vft.catalogue.load import shipped_rules
from pytest_vft.catalogue.select import select_rules
from pytest_vft.checking.dataset import recurring
from pytest_vft.checking.lint import lint_files
from pytest_vft.checking.merging import FileTotals
from pytest_vft.checking.plan import LintPlan
from pytest_vft.checking.results import LintResult
from pytest_vft.checking.selftest import case_provider
from pytest_vft.checking.totals import ShardTotals, TurnTable
from pytest_vft.facts.turns import Turn
from pytest_vft.model import SPLITS, Source, Split, Tally
from pytest_vft.reading.files import LINES, OpenedFile

LEAK = "dataset/split-leak"


def image(number: int) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": data_url(f"png 8x{8 + number} rgb"), "detail": "low"}}


def ask(question: str, number: int) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "text", "text": question}, image(number)]}


def answer(words: str, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": words, **more}


def example(*messages: dict[str, Any]) -> str:
    return json.dumps({"messages": messages})


def book(number: int, question: str = "Who wrote this book?") -> str:
    """Return a line as in the notebook on OCR-VQA: the same prompt and examples on each."""
    return example(
        {"role": "system", "content": "Answer questions about a book from its cover."},
        ask("Who wrote this book?", 100),
        answer("Ann"),
        ask("What is the title of this book?", 101),
        answer("Birds"),
        ask("Is this book about cooking?", 102),
        answer("No"),
        ask(question, number),
        answer(f"Author {number}"),
    )


def plan(**changes: Any) -> LintPlan:
    return plans.plan(**{"rules": (shipped_rules()[LEAK],), "full": False, **changes})


def lint(
    folder: Path,
    *files: tuple[Split, list[str]],
    ignored: dict[str, frozenset[str]] | None = None,
    **changes: Any,
) -> LintResult:
    sources = [write(folder, f"{number}.jsonl", *file) for number, file in enumerate(files)]
    return lint_files(sources, plan(**changes), ignored=ignored)


def write(folder: Path, name: str, split: Split, lines: list[str]) -> Source:
    (folder / name).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return Source(str(folder / name), split)


def leaks(linted: LintResult) -> list[tuple[str, int | None, str]]:
    folder = str(Path(linted.files[0].path).parent) + "/"
    return [
        (path.removeprefix(folder), found.line, found.message.replace(folder, ""))
        for path, found in linted.findings
    ]


def message(first: str, splits: str) -> str:
    return f"this question and its images are also in {first} ({splits})"


# What stays silent.


def test_few_shot_turns_on_every_line_are_no_leak(tmp_path: Path) -> None:
    linted = lint(
        tmp_path,
        ("train", [book(number) for number in range(20)]),
        ("validation", [book(number) for number in range(20, 25)]),
        ("test", [book(number) for number in range(25, 30)]),
    )

    assert leaks(linted) == []
    assert linted.dataset == {LEAK: Tally(passed=30)}


def test_image_of_a_few_shot_turn_asked_about_elsewhere_is_no_leak(tmp_path: Path) -> None:
    asked = example(ask("Who wrote this book?", 100), answer("Ann"))

    assert leaks(lint(tmp_path, ("train", [book(1)]), ("validation", [asked]))) == []


def test_other_question_on_the_same_image_is_no_leak(tmp_path: Path) -> None:
    linted = lint(
        tmp_path, ("train", [book(1)]), ("validation", [book(1, "What is the title of this book?")])
    )

    assert leaks(linted) == []


def test_same_question_on_another_image_is_no_leak(tmp_path: Path) -> None:
    assert leaks(lint(tmp_path, ("train", [book(1)]), ("test", [book(2)]))) == []


def test_repeats_within_a_split_are_no_leak(tmp_path: Path) -> None:
    assert leaks(lint(tmp_path, ("train", [book(1), book(1)]), ("train", [book(1)]))) == []


def test_follow_up_in_the_same_words_on_another_image_is_no_leak(tmp_path: Path) -> None:
    def talk(number: int) -> str:
        more = {"role": "user", "content": "What colour is it?"}
        return example(ask("What is this?", number), answer("A dog."), more, answer("Red."))

    linted = lint(tmp_path, ("train", [talk(1), talk(2)]), ("validation", [talk(3)]))

    assert leaks(linted) == []
    assert linted.dataset[LEAK].passed == 3


def test_lines_that_are_no_examples_are_no_leak(tmp_path: Path) -> None:
    odd = ["", "[1]", "{}", "nonsense", example(answer("Nobody asked."))]

    linted = lint(tmp_path, ("train", [book(1), *odd]), ("validation", [book(2), *odd]))

    assert leaks(linted) == []
    assert linted.dataset == {LEAK: Tally(passed=2)}


def test_without_examples_there_is_nothing_to_judge(tmp_path: Path) -> None:
    assert lint(tmp_path, ("train", [])).dataset == {LEAK: Tally()}


# What is found.


def test_leak_is_placed_where_the_turn_stands_again(tmp_path: Path) -> None:
    linted = lint(tmp_path, ("train", [book(1), book(2)]), ("validation", [book(3), book(4), book(2)]))

    assert leaks(linted) == [("1.jsonl", 3, message("0.jsonl:2", "train, validation"))]
    assert linted.dataset == {LEAK: Tally(passed=3, failed=1)}


def test_leak_over_three_splits_is_one_finding(tmp_path: Path) -> None:
    linted = lint(
        tmp_path, ("train", [book(0), book(1)]), ("validation", [book(1)]), ("test", [book(2), book(1)])
    )

    assert leaks(linted) == [("1.jsonl", 1, message("0.jsonl:2", "train, validation, test"))]
    assert linted.dataset == {LEAK: Tally(passed=2, failed=1)}


def test_train_comes_first_however_the_files_are_given(tmp_path: Path) -> None:
    linted = lint(tmp_path, ("test", [book(1)]), ("validation", [book(2)]), ("train", [book(2), book(1)]))

    assert leaks(linted) == [
        ("0.jsonl", 1, message("2.jsonl:2", "train, test")),
        ("1.jsonl", 1, message("2.jsonl:1", "train, validation")),
    ]


def test_leak_behind_a_repeat_is_placed_in_the_other_split(tmp_path: Path) -> None:
    linted = lint(tmp_path, ("train", [book(1), book(1)]), ("train", [book(1)]), ("validation", [book(1)]))

    assert leaks(linted) == [("2.jsonl", 1, message("0.jsonl:1", "train, validation"))]


def test_other_answer_detail_and_few_shot_turns_are_still_a_leak(tmp_path: Path) -> None:
    question = ask("Who wrote this book?", 1)
    question["content"][1]["image_url"]["detail"] = "high"

    linted = lint(tmp_path, ("train", [book(1)]), ("test", [example(question)]))

    assert len(leaks(linted)) == 1


def test_leak_between_validation_and_test_is_found(tmp_path: Path) -> None:
    linted = lint(tmp_path, ("validation", [book(1)]), ("test", [book(1)]))

    assert leaks(linted) == [("1.jsonl", 1, message("0.jsonl:1", "validation, test"))]


def test_cap_keeps_the_first_leaks_and_counts_all(tmp_path: Path) -> None:
    lines = [book(number) for number in range(5)]

    linted = lint(tmp_path, ("train", lines), ("validation", lines), max_findings=2)

    assert [line for _, line, _ in leaks(linted)] == [1, 2]
    assert linted.dropped == {LEAK: 3}
    assert linted.dataset == {LEAK: Tally(failed=5)}


def test_ignored_leak_is_counted_apart(tmp_path: Path) -> None:
    ignored = {str(tmp_path / "1.jsonl"): frozenset({LEAK})}

    linted = lint(tmp_path, ("train", [book(1)]), ("validation", [book(1), book(2)]), ignored=ignored)

    assert leaks(linted) == []
    assert linted.dataset == {LEAK: Tally(passed=1, ignored=1)}


def test_hostile_file_name_is_made_safe(tmp_path: Path) -> None:
    sources = [
        write(tmp_path, "a\x1b[31m\n::error::.jsonl", "train", [book(1)]),
        write(tmp_path, "b.jsonl", "test", [book(1)]),
    ]

    (placed,) = lint_files(sources, plan()).findings

    assert placed.found.message.endswith(r"/a\x1b[31m\x0a::error::.jsonl:1 (train, test)")


# What else recurs.

RULES = tuple(select_rules(shipped_rules(), case_provider(), select=["dataset", "example"]))


def found(folder: Path, *files: tuple[Split, list[str]]) -> list[tuple[str, str, int | None, str]]:
    linted = lint(folder, *files, rules=RULES)
    return [
        (one.rule, Path(path).name, one.line, one.pointer)
        for path, one in linted.findings
        if one.rule.startswith(("dataset/", "example/repeated"))
    ]


def test_shape_of_the_notebook_teaches_each_few_shot_answer_over_and_over(tmp_path: Path) -> None:
    """The notebook trains 721 lines, each with six few-shot turns, none with weight 0."""
    shots = [turn for n in range(6) for turn in (ask(f"Which book is {n}?", 2_000 + n), answer("Birds"))]
    prompt = {"role": "system", "content": "Answer questions about a book from its cover."}

    def lines(start: int, end: int, **split: bool) -> list[str]:
        return [
            example(prompt, *shots, ask("Who wrote it?", n), *([] if split else [answer(f"Author {n}")]))
            for n in range(start, end)
        ]

    files: list[tuple[Split, list[str]]] = [
        ("train", lines(0, 721)),
        ("validation", lines(721, 960)),
        ("test", lines(960, 1_445, test=True)),
    ]

    assert found(tmp_path, *files) == [
        ("dataset/repeated-answer", "0.jsonl", 1, f"/messages/{2 + 2 * number}") for number in range(6)
    ]


def test_weight_0_quiets_a_few_shot_answer(tmp_path: Path) -> None:
    lines = [
        example(ask("Who?", 100), answer("Ann", weight=0), ask("Who?", n), answer(str(n))) for n in range(12)
    ]

    assert found(tmp_path, ("train", lines)) == []


def test_conversation_that_grows_line_by_line_is_silent(tmp_path: Path) -> None:
    said = [turn for n in range(5) for turn in (ask(f"What is {n}?", n), answer(f"It is {n}."))]

    assert found(tmp_path, ("train", [example(*said[:end]) for end in range(2, 11, 2)])) == []


def test_answers_differ_in_more_than_case_and_a_full_stop(tmp_path: Path) -> None:
    lines = [example(ask("A dog?", 1), answer(said)) for said in ("Yes", "yes.", " YES! ")]

    assert {rule for rule, *_ in found(tmp_path, ("train", lines))} == {"dataset/duplicate-example"}


def test_second_answer_is_where_the_conflict_is(tmp_path: Path) -> None:
    lines = [example(ask("A dog?", n), answer(said)) for n, said in ((1, "Yes"), (2, "No"), (1, "No"))]

    assert found(tmp_path, ("train", lines)) == [("dataset/conflicting-answers", "0.jsonl", 3, "")]


def test_answer_in_another_split_is_no_conflict_but_a_leak(tmp_path: Path) -> None:
    first, second = (example(ask("A dog?", 1), answer(said)) for said in ("Yes", "No"))

    assert found(tmp_path, ("train", [first]), ("validation", [second])) == [
        ("dataset/split-leak", "1.jsonl", 1, "")
    ]


def test_examples_of_two_files_of_one_split_are_compared(tmp_path: Path) -> None:
    assert found(tmp_path, ("train", [book(1)]), ("train", [book(2), book(1)])) == [
        ("dataset/duplicate-example", "1.jsonl", 2, "")
    ]


def test_image_asked_about_in_two_splits_is_found_and_a_leaked_turn_is_only_a_leak(tmp_path: Path) -> None:
    train = [book(1), book(2)]
    validation = [book(1), book(2, "What is the title of this book?"), book(3)]

    assert found(tmp_path, ("train", train), ("validation", validation)) == [
        ("dataset/split-leak", "1.jsonl", 1, ""),
        ("dataset/image-in-two-splits", "1.jsonl", 2, ""),
    ]


def test_image_of_a_conversation_is_that_of_its_last_question(tmp_path: Path) -> None:
    def conversation(*numbers: int, question: str = "And who drew it?") -> str:
        asked = [one for number in numbers for one in (ask("What is it?", number), answer("A dog."))]
        return example(*asked, {"role": "user", "content": question}, answer("Ann"))

    train = [conversation(1), conversation(3, 4)]
    others = [conversation(3, 5), conversation(2, question="Who sold it?")]
    assert found(tmp_path, ("train", train), ("validation", others)) == []
    again = [
        conversation(1, question="Who sold it?"),
        conversation(5, 4),
        example(ask("Who?", 1), answer("Ann")),
    ]
    assert found(tmp_path, ("train", train), ("test", again)) == [
        ("dataset/image-in-two-splits", "1.jsonl", 1, ""),
        ("dataset/image-in-two-splits", "1.jsonl", 2, ""),
    ]


# However the turns lie.


def turn(key: int) -> Turn:
    return Turn(key, answer=None, words=0, images=(), repeated=0)


def turns(keys: list[int]) -> TurnTable:
    columns = TurnTable()
    for line, key in enumerate(keys, 1):
        columns.append(line, turn(key))
    return columns


files_of_turns = st.lists(
    st.tuples(st.sampled_from(SPLITS), st.lists(st.integers(1, 6), max_size=8)), min_size=1, max_size=4
)


def file_totals(source: Source, totals: ShardTotals) -> FileTotals:
    opened = OpenedFile(0, LINES, byte_order_mark=False, error=None)
    return FileTotals(source, frozenset(), opened, totals=totals)


def test_without_turns_there_are_no_subjects() -> None:
    assert list(recurring([])) == []
    assert list(recurring([file_totals(Source("a.jsonl"), ShardTotals())])) == []


@given(files_of_turns)
@settings(deadline=None)
def test_each_turn_is_judged_once(drawn: list[tuple[Split, list[int]]]) -> None:
    drawn = sorted(drawn, key=lambda file: SPLITS.index(file[0]))
    files = [
        file_totals(Source(f"{number}.jsonl", split), ShardTotals(turns=turns(keys)))
        for number, (split, keys) in enumerate(drawn)
    ]
    standing = Counter(key for _, keys in drawn for key in keys)
    splits_of = {file.source.path: file.source.split for file in files}
    keys_at = {(file.source.path, line): turn.key for file in files for line, turn in file.totals.turns}

    subjects = [subject for subject in recurring(files) if subject.facts["kind"] == "target turn"]

    assert sum(subject.number for subject in subjects) == len(standing)
    assert sum(subject.number * subject.facts["copies"] for subject in subjects) == standing.total()
    for number, (place,), facts, named, *_ in subjects:
        key = keys_at[place.file.source.path, place.entry]
        assert named == (key if facts["copies"] > 1 else 0)
        assert number == 1 or facts["copies"] == 1
        assert facts["copies"] == standing[key]
        assert facts["splits"] == [
            split for split in SPLITS if any(key in keys for other, keys in drawn if other == split)
        ]
        first, _, at = facts["first"].rpartition(":")
        assert keys_at[first, int(at)] == key or facts["copies"] == 1
        assert (place.split == splits_of[first]) == (len(facts["splits"]) == 1)
