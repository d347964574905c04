"""The data format of a file is found out, or stated, and a provider goes with it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from forms import Example, answered, asked, checked, examples_of, found, images, parts, write
from hypothesis import given
from hypothesis import strategies as st

from pytest_vft import UsageError, lint
from pytest_vft.formats.detection import detect_format
from pytest_vft.formats.foreign import recognise
from pytest_vft.report.text import render_text

SHAPE = "example/invalid-shape"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def checked_text(path: str, **options: Any) -> str:
    return render_text(checked(path, **options))


def test_the_header_says_which_format_and_why() -> None:
    lines = checked_text(write(*examples_of("sharegpt")))

    assert lines.startswith("vft: provider llamafactory (from the data format), ")
    assert "\ntrain.jsonl  sharegpt, train, 12 examples, 12 images, " in lines


def test_most_of_the_first_examples_decide_and_the_others_are_named_by_line() -> None:
    good, other = examples_of("sharegpt"), examples_of("swift query")
    write(other[0], *good[1:8], {"messages": [asked("Which?"), answered("1")]}, other[9])

    report = checked()

    assert report.files[0].data_format == "sharegpt"
    assert [(one.line, one.message) for one in report.findings if one.rule == SHAPE] == [
        (1, "the example is a query and response line (ms-swift); --data-format=swift reads a file of these"),
        (9, "the example is in OpenAI's chat format; --data-format=openai reads a file of these"),
        (
            10,
            "the example is a query and response line (ms-swift); --data-format=swift reads a file of these",
        ),
    ]


def test_files_of_several_formats_have_a_provider_each() -> None:
    write(*examples_of("swift query"), name="one.jsonl")
    write(*examples_of("trl"), name="two.jsonl")

    report = lint("one.jsonl", "two.jsonl", offline=True, cache=False)

    assert found(report) == []
    assert report.provider == "swift, trl"
    assert [file.data_format for file in report.files] == ["swift", "trl"]
    assert any(
        note.startswith("files have data formats of 2 providers (swift, trl): ") for note in report.notes
    )


def test_a_stated_provider_reads_its_own_formats() -> None:
    write(*examples_of("sharegpt"))

    report = checked(provider="openai")

    assert {finding.message for finding in report.findings} == {
        "the example is a ShareGPT line; --data-format=sharegpt reads a file of these"
    }
    with pytest.raises(UsageError, match="data format sharegpt: OpenAI does not read it; expected openai or"):
        checked(provider="openai", data_format="sharegpt")
    with pytest.raises(
        UsageError, match=r"data_format is 'sharegtp' \(did you mean 'sharegpt'\?\); expected openai, "
    ):
        checked(data_format="sharegtp")


def test_the_option_decides_before_the_configuration_and_the_examples() -> None:
    write(*examples_of("llamafactory"))
    Path("vft.toml").write_text('data-format = "swift"')

    assert checked().provider == "swift"
    assert checked(data_format="llamafactory").provider == "llamafactory"


def described(**dataset: Any) -> None:
    Path("dataset_info.json").write_text(json.dumps({"other": {"file_name": "x.json"}, "cards": dataset}))


def test_dataset_info_names_columns_and_tags() -> None:
    examples = [
        {
            "id": n,
            "dialog": [
                {"who": "Q", "says": "<image>Which lot?"},
                {"who": "tool", "says": "x"} if n < 0 else {"who": "A", "says": f"{n}"},
            ],
            "photos": [image],
        }
        for n, image in enumerate(images())
    ]
    write(*examples)
    described(
        file_name="train.jsonl",
        formatting="sharegpt",
        columns={"messages": "dialog", "images": "photos"},
        tags={"role_tag": "who", "content_tag": "says", "user_tag": "Q", "assistant_tag": "A"},
    )

    report = checked()

    assert found(report) == []
    assert (report.provider, report.files[0].images) == ("llamafactory", 12)
    assert "  llamafactory (dataset_info.json: cards), train, 12 examples, " in checked_text("train.jsonl")
    examples[4]["dialog"][0]["who"] = "human"
    write(*examples)
    assert found(checked()) == [(SHAPE, 5, "/dialog/0/who")]


def test_dataset_info_names_instructions_and_rankings() -> None:
    write(*({"ask": f"<image>{n}?", "good": f"{n}", "bad": "?", "pic": i} for n, i in enumerate(images())))
    described(
        file_name="train.jsonl",
        ranking=True,
        columns={"prompt": "ask", "chosen": "good", "rejected": "bad", "images": "pic"},
    )

    report = checked()

    assert found(report) == []
    assert (report.files[0].answered, report.files[0].images) == (12, 12)


UNUSABLE = {
    "has columns without messages; expected": {"formatting": "sharegpt", "columns": {"images": "images"}},
    "has ranking without the columns chosen and rejected": {"formatting": "sharegpt", "ranking": True},
}


@pytest.mark.parametrize("words", UNUSABLE)
def test_descriptions_that_the_trainer_cannot_use_are_faults(words: str) -> None:
    write(*examples_of("sharegpt"))
    described(file_name="train.jsonl", **UNUSABLE[words])

    findings = checked().findings

    assert {one.rule for one in findings} == {SHAPE}
    assert all(f"dataset_info.json {words}" in one.message for one in findings)


@pytest.mark.parametrize(
    "more",
    [
        {"columns": {"messages": "conversations", "images": "images"}},
        {"columns": {"messages": "conversations", "images": "images", "chosen": "a", "rejected": "b"}},
        {},
    ],
)
def test_descriptions_that_the_trainer_uses_are_no_faults(more: Any) -> None:
    write(*examples_of("sharegpt"))
    described(file_name="train.jsonl", formatting="sharegpt", **more)

    assert SHAPE not in {one.rule for one in checked().findings}


def test_columns_that_no_example_has_are_missing() -> None:
    examples = examples_of("sharegpt")
    columns = {"messages": "conversations", "images": "images"}
    write(*examples)
    described(file_name="train.jsonl", formatting="sharegpt", columns=columns)
    assert found(checked()) == []
    described(file_name="train.jsonl", formatting="sharegpt", columns={**columns, "videos": "clips"})

    (finding,) = checked().findings

    assert finding.message == "no example has clips, which dataset_info.json describes"


def test_a_provider_reads_the_images_of_a_file_in_a_format_that_it_does_not_read() -> None:
    write(*examples_of("llamafactory"))

    for provider in ("unsloth", "axolotl", "trl"):
        assert checked(provider=provider).files[0].images == 12
    assert checked(provider="together").files[0].data_format == "openai"


def test_a_description_is_not_a_file_of_examples() -> None:
    write(*examples_of("llamafactory"))
    described(file_name="train.jsonl", formatting="sharegpt", columns={"messages": "messages"})

    with pytest.raises(
        UsageError, match=r"describes datasets and has no examples; give x.json or train.jsonl$"
    ):
        lint("dataset_info.json")

    assert [file.path for file in lint("*.json*").files] == ["train.jsonl"]


def test_examples_may_have_the_name_of_a_description() -> None:
    write(*examples_of("swift query"), name="dataset_info.json")

    assert checked("dataset_info.json").files[0].examples == 12


@pytest.mark.parametrize("content", ["{}", '{"a": 1}', '{"a": {"file_name": 7}}', '{"a": {"columns": {}}}'])
def test_a_description_of_other_files_is_none(content: str) -> None:
    write(*examples_of("swift query"))
    Path("dataset_info.json").write_text(content)

    report = checked()

    assert report.files[0].data_format == "swift"
    assert not any("dataset_info" in note for note in report.notes)


@pytest.mark.parametrize(
    ("content", "trouble"),
    [
        ("", "not used: it is not JSON"),
        ('{"a": {"file_name": "train.jsonl"', "not used: it is not JSON"),
        ("[]", "not used: it is not an object with datasets by name"),
        (
            '{"a": {"file_name": "train.jsonl", "formatting": 7}}',
            "the dataset a has the formatting 7; expected alpaca, sharegpt or openai",
        ),
        (" " * (4 * 1024 * 1024 + 1), "not used: it is larger than 4,194,304 bytes"),
    ],
)
def test_a_description_that_cannot_be_used_is_named(content: str, trouble: str) -> None:
    write(*examples_of("llamafactory"))
    Path("dataset_info.json").write_text(content)

    report = checked()

    assert found(report) == []
    assert f"dataset_info.json: {trouble}" in report.notes
    assert not any("dataset_info" in note for note in checked(data_format="swift").notes)
    assert not any("dataset_info" in note for note in checked(provider="openai").notes)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no named pipes in folders")
def test_a_description_that_is_no_regular_file_is_named() -> None:
    write(*examples_of("llamafactory"))
    os.mkfifo("dataset_info.json")

    assert "dataset_info.json: not used: not a regular file" in checked().notes


def test_a_description_has_its_file_by_any_spelling_and_the_first_that_fits_counts() -> None:
    write(*examples_of("sharegpt"))
    one = {
        "file_name": "./train.jsonl",
        "formatting": "sharegpt",
        "columns": {"messages": "conversations", "images": "images"},
    }
    datasets = {"odd": {**one, "formatting": "parquet"}, "cards": one, "again": one}
    Path("dataset_info.json").write_text(json.dumps(datasets))

    report = checked()

    assert found(report) == []
    assert report.files[0].layout["dataset"] == "cards"
    assert (
        "dataset_info.json: 3 datasets have the file train.jsonl; "
        "the first with a known formatting is used: cards" in report.notes
    )


@pytest.mark.parametrize(
    "described",
    [
        {"columns": 7, "tags": [], "formatting": "sharegpt"},
        {"columns": {"messages": None, "images": 7}, "tags": {"role_tag": {}}, "formatting": "openai"},
        {"columns": {"prompt": "a", "query": "a", "response": "a", "history": "a"}},
    ],
)
def test_odd_descriptions_are_read_as_far_as_they_go(described: Any) -> None:
    write({"a": "a", "conversations": 7}, *examples_of("sharegpt"))
    Path("dataset_info.json").write_text(json.dumps({"x": {"file_name": "train.jsonl", **described}}))

    assert checked().files[0].data_format == "llamafactory"


OPENAI_PARTS = st.builds(lambda text: {"type": "text", "text": text}, st.text()) | st.builds(
    lambda url: {"type": "image_url", "image_url": {"url": url}}, st.text()
)


@given(
    st.lists(
        st.builds(
            lambda role, content: {"role": role, "content": content},
            st.sampled_from(["system", "user", "assistant"]),
            st.text() | st.lists(OPENAI_PARTS),
        ),
        min_size=1,
    ),
    st.dictionaries(st.sampled_from(["tools", "parallel_tool_calls"]), st.just(True)),
)
def test_an_example_of_openai_is_never_taken_for_another(messages: list[Example], more: Example) -> None:
    entry = recognise({"messages": messages, **more})

    assert entry is not None
    assert entry["data_format"] == "openai"


def test_the_format_of_a_file_that_cannot_be_read_is_openai() -> None:
    assert detect_format("none.jsonl").name == "openai"
    assert detect_format(write("text")).name == "openai"


def numbered(example: Callable[[int, str], Example]) -> str:
    return write(*(example(n, image) for n, image in enumerate(images())))


SWIFT_ONLY: dict[str, Callable[[int, str], Example]] = {
    "roles of tools": lambda n, i: {
        "messages": [
            asked(),
            {"role": "tool_call", "content": '{"name": "f", "arguments": {}}'},
            {"role": "tool_response", "content": f"{n}"},
            answered(f"{n}"),
        ],
        "images": [i],
    },
    "loss": lambda n, i: {"messages": [asked(), {**answered(f"{n}"), "loss": True}], "images": [i]},
    "loss in some": lambda n, i: {
        "messages": [
            asked(),
            {**answered(f"{n}"), **({"loss": False} if n == 9 else {})},
            asked("And the date?"),
            answered("x"),
        ],
        "images": [i],
    },
    "loss beside parts": lambda n, i: {
        "messages": [
            {"role": "user", "content": parts({"type": "image_url", "image_url": {"url": i}}, "Which?")},
            {**answered(f"{n}"), "loss": True},
        ]
    },
    "rejected images": lambda n, i: {
        "messages": [asked(), answered(f"{n}")],
        "images": [i],
        "rejected_images": ["images/0.png" if n else "images/1.png"],
    },
    "URLs": lambda n, _: {
        "messages": [asked(), answered(f"{n}")],
        "images": [f"https://example.com/{n}.png"],
    },
    "texts to continue": lambda n, i: {"messages": [answered(f"<image>{n}")], "images": [i]},
}


@pytest.mark.parametrize("example", SWIFT_ONLY.values(), ids=SWIFT_ONLY)
def test_what_only_swift_reads_is_of_swift(example: Callable[[int, str], Example]) -> None:
    report = checked(numbered(example))

    assert report.files[0].data_format == "swift"
    assert found(report) == []


def test_one_url_in_a_file_of_llamafactory_is_a_fault_of_that_example() -> None:
    examples = examples_of("llamafactory")
    examples[4]["images"] = ["https://example.com/4.png"]
    write(*examples)

    report = checked()

    assert report.files[0].data_format == "llamafactory"
    assert found(report) == [("image/unsupported-url-scheme", 5, "/images/0")]


@pytest.mark.parametrize("kind", ["video", "audio"])
def test_videos_and_audios_beside_messages_are_of_llamafactory(kind: str) -> None:
    report = checked(
        numbered(
            lambda n, _: {
                "messages": [asked(f"<{kind}>What is it?"), answered(f"{n}")],
                f"{kind}s": [f"{n}.{kind}"],
            }
        )
    )

    assert report.files[0].data_format == "llamafactory"
    assert found(report) == []


@pytest.mark.parametrize("key", ["objects", "images", "image", "rejected_response", "videos"])
@pytest.mark.parametrize("value", [None, "", {}])
def test_an_empty_key_does_not_decide(key: str, value: object) -> None:
    write(*({"messages": [asked("Which?"), answered(f"{n}")], key: value} for n in range(12)))

    assert checked().files[0].data_format == "openai"


def test_an_empty_list_of_images_is_of_trl_and_null_is_a_text_of_any_format() -> None:
    write(*({"messages": [asked("Which?"), answered(f"{n}")], "images": []} for n in range(12)))
    assert checked().files[0].data_format == "trl"

    trl = examples_of("trl")
    write(*({"messages": [asked("Which?"), answered(f"{n}")], "images": None} for n in range(12)), trl[0])
    assert checked().files[0].data_format == "trl"


@pytest.mark.parametrize("container", ["lines", "array"])
def test_large_examples_are_read_to_their_end(container: str) -> None:
    large = "A" * (9 * 1024 * 1024)
    examples = [
        {"messages": examples_of("trl")[0]["messages"], "note": large, "images": ["images/0.png"]}
    ] * 2
    name = "train.jsonl" if container == "lines" else "train.json"
    text = "".join(json.dumps(example) + "\n" for example in examples)
    Path(name).write_text(text if container == "lines" else json.dumps(examples))

    assert detect_format(name).name == "trl"
