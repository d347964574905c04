"""Rules and providers for trainers that people run themselves."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from tests.plans import plan

from pytest_vft.catalogue.cases import data_url, draw
from pytest_vft.catalogue.load import shipped_rules
from pytest_vft.catalogue.providers import load_provider, provider_ids
from pytest_vft.catalogue.select import select_rules
from pytest_vft.checking.memory import pack, unpack
from pytest_vft.checking.shard import ShardLinter
from pytest_vft.cli import main
from pytest_vft.errors import UsageError
from pytest_vft.facts.first_keys import MAX_KEYS, FirstKeys, key_facts
from pytest_vft.model import Finding
from pytest_vft.reading.image_store import ImageStore
from pytest_vft.reading.shards import Shard
from pytest_vft.runs.lint import lint

TRAINERS = ("llamafactory", "swift", "trl")
QWEN = "Qwen/Qwen2.5-VL-7B-Instruct"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def image(spec: str = "jpeg 16x16 rgb", **more: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": data_url(spec), **more}}


def user(*content: Any, **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(content), **more}


def assistant(text: str = "A pear.", **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": [{"type": "text", "text": text}], **more}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def example(*messages: Any, **more: Any) -> dict[str, Any]:
    return {"messages": list(messages), **more}


def write(*examples: Any, name: str = "train.jsonl") -> str:
    Path(name).write_text("".join(json.dumps(one) + "\n" for one in examples), encoding="utf-8")
    return name


def rules(findings: Iterable[Finding]) -> list[str]:
    return [finding.rule for finding in findings]


@pytest.mark.parametrize("provider", TRAINERS)
def test_trainers_are_shipped_and_take_any_model(provider: str) -> None:
    assert provider in provider_ids()
    assert load_provider(provider).model("anything/at-all") == "anything/at-all"
    assert load_provider(provider).job_api is None


@pytest.mark.parametrize("provider", ["trl", "swift"])
def test_openai_lines_with_a_column_pass(provider: str) -> None:
    path = write(
        *(
            example(
                user(text(f"Which fruit is {n}?"), image(f"png {n}x16 rgb")),
                assistant(f"A pear {n}."),
                images=[],
            )
            for n in (16, 17)
        )
    )

    report = lint(path, provider=provider, model=QWEN)

    assert report.ok
    assert not report.findings


def test_trl_trains_blind_without_a_column() -> None:
    path = write(example(user(text("Which fruit?"), image()), assistant()))

    (finding,) = lint(path, provider="trl", model=QWEN).findings

    assert (finding.rule, finding.line) == ("file/missing-images-column", None)
    assert finding.message == "has 1 example with images, but no column images or image"


def test_one_example_with_the_column_gives_it_to_all() -> None:
    path = write(
        example(user(text("Which fruit?"), image()), assistant()),
        example(user(text("Which colour?")), assistant("Green."), images=[]),
    )

    assert lint(path, provider="trl", model=QWEN).ok


def test_fields_that_a_trainer_does_not_read() -> None:
    path = write(
        example(
            user(text("One?"), name="Ann"),
            assistant("1", weight=0),
            user(text("Which fruit?"), image(detail="low")),
            assistant("Green."),
            images=[],
            tools=[{"type": "function", "function": {"name": "f"}}],
        )
    )

    report = lint(path, provider="trl", model=QWEN)

    assert [(one.rule, one.severity, one.pointer) for one in report.findings] == [
        ("example/unread-field", "error", ""),
        ("message/ignored-field", "warning", "/messages/0"),
        ("message/unread-field", "error", "/messages/1"),
        ("message/ignored-field", "warning", "/messages/2"),
    ]


def test_role_order_belongs_to_llamafactory() -> None:
    messages = [
        {"role": "user", "content": "One?"},
        {"role": "user", "content": "Now!"},
        {"role": "assistant", "content": "1"},
    ]
    path = write(example(*messages))

    assert rules(lint(path, provider="llamafactory").findings) == ["example/role-order"]
    assert rules(lint(path, provider="trl").findings) == []


# Length


def test_images_alone_over_the_cutoff_are_an_error() -> None:
    path = write(example(user(text("Which fruit?"), image("png 1920x1080 rgb")), assistant(), images=[]))

    (finding,) = lint(path, provider="trl", model=QWEN).findings
    assert (
        finding.message == "the images alone have at least 1,222 tokens; at most 1,024 of an example are read"
    )
    assert lint(path, provider="trl", model=QWEN, max_tokens=1222 + 1000).ok
    assert lint(path, provider="trl", model=QWEN, max_tokens=0).findings == ()
    assert lint(path, provider="swift", model=QWEN).ok
    assert rules(lint(path, provider="swift", model=QWEN, max_tokens=1000).findings) == [
        "example/too-many-image-tokens"
    ]


def test_what_is_not_proved_is_a_warning() -> None:
    path = write(example(user(text("Which fruit?"), image("png 1920x1080 rgb")), assistant(), images=[]))

    (finding,) = lint(path, provider="trl", model="Qwen/Qwen3-VL-8B-Instruct").findings

    assert (finding.rule, finding.severity) == ("example/may-be-too-long", "warning")


def test_without_a_model_the_tokens_of_images_are_unknown() -> None:
    report = lint(
        write(
            example(user(text("Which fruit?"), image()), assistant(), images=[]),
            example(user(text("Which colour?")), assistant("Green."), images=[]),
        ),
        provider="trl",
    )

    assert report.ok
    (tally,) = [rule.tally for rule in report.rules if rule.id == "example/too-many-image-tokens"]
    assert (tally.unknown, tally.passed) == (1, 1)


def test_max_tokens_replaces_the_limit_of_a_model_too() -> None:
    path = write(example({"role": "user", "content": "dog " * 20}, {"role": "assistant", "content": "dog"}))
    only = {"select": "example/too-many-tokens"}

    assert lint(path, **only).ok
    assert rules(lint(path, max_tokens=20, **only).findings) == ["example/too-many-tokens"]
    with pytest.raises(UsageError, match="does not state"):
        lint(path, max_tokens=0, **only)


def test_max_tokens_is_an_option(capsys: pytest.CaptureFixture[str]) -> None:
    path = write(example(user(text("Which fruit?"), image("png 640x480 rgb")), assistant(), images=[]))

    assert main(["check", path, "--provider=trl", f"--model={QWEN}", "--max-tokens=390"]) == 1
    assert "at least 391 tokens" in capsys.readouterr().out
    with pytest.raises(UsageError, match="max_tokens is -1; expected at least 0"):
        lint(path, max_tokens=-1)


def test_max_tokens_needs_a_rule_of_the_provider(capsys: pytest.CaptureFixture[str]) -> None:
    Path("acme.toml").write_text('name = "Acme"\n', encoding="utf-8")

    assert (
        main(
            [
                "check",
                write(example(user(text("One?")), assistant())),
                "--provider=./acme.toml",
                "--max-tokens=9",
            ]
        )
        == 2
    )
    assert "max_tokens: Acme does not state what happens to long examples" in capsys.readouterr().err


# Keys that appear late


def late(path: str, shard_bytes: int) -> tuple[dict[str, tuple[int, int]], int]:
    """Return the first places of keys, and the number of examples with images, by shards of that size."""
    chosen = select_rules(shipped_rules(), load_provider("trl"))
    linter = ShardLinter(plan(rules=chosen), ImageStore(full=True))
    size = Path(path).stat().st_size
    whole = linter.lint(Shard(path, "train", 0, 0))
    start, data = 0, Path(path).read_bytes()
    while start < size:
        end = data.find(b"\n", start + shard_bytes - 1) + 1 or size
        whole.extend(linter.lint(Shard(path, "train", start, end)), 0)
        start = end
    return whole.first_keys, whole.pictured


@pytest.mark.parametrize("shard_bytes", [1, 100, 1000])
def test_first_places_do_not_depend_on_shards(shard_bytes: int) -> None:
    path = write(
        example({"role": "user", "content": "One?"}, {"role": "assistant", "content": "1"}),
        {},
        example({"role": "user", "content": "Two?", "name": "Ann"}, {"role": "assistant", "content": "2"}),
        example(user(image()), assistant(), images=[]),
    )
    lines = Path(path).read_bytes().splitlines(keepends=True)
    second, third = len(lines[0]) + len(lines[1]), len(b"".join(lines[:3]))

    assert late(path, shard_bytes) == (
        {
            "messages": (1, 0),
            "messages[].role": (1, 0),
            "messages[].content": (1, 0),
            "messages[].content (text)": (1, 0),
            "messages[].name": (3, second),
            "messages[].content (list)": (4, third),
            "images": (4, third),
        },
        1,
    )


def test_late_key_names_the_line() -> None:
    messages = [{"role": "user", "content": "One?"}, {"role": "assistant", "content": "1"}]
    path = write(*[example(*messages)] * 3, example(*messages, tools=[]))
    Path("vft.toml").write_text('[params]\n"file/late-key" = { block_bytes = 200 }\n', encoding="utf-8")

    (finding,) = lint(path, provider="trl", select="file/late-key", config="vft.toml").findings

    assert (finding.line, finding.pointer) == (None, "")
    assert finding.message == "line 4 is the first with tools, after the first 200 bytes"


def test_examples_with_keys_of_their_own_are_bounded() -> None:
    keys = FirstKeys()
    for number in range(MAX_KEYS + 10):
        keys.add({f"key {number}": [{str(number): 1, "content": None}]}, number, number)

    assert len(keys.places) == MAX_KEYS
    assert key_facts(keys.places)["last_new_key_line"] < MAX_KEYS


def test_facts_of_a_file_without_examples() -> None:
    assert key_facts({}) == {
        "images_column": False,
        "image_columns": [],
        "last_new_key": "",
        "last_new_key_line": 0,
        "last_new_key_start": 0,
    }


def test_first_places_are_remembered() -> None:
    path = write(example(user(image()), assistant(), images=[]))
    linter = ShardLinter(
        plan(rules=select_rules(shipped_rules(), load_provider("trl"))), ImageStore(full=True)
    )
    totals = linter.lint(Shard(path, "train", 0, Path(path).stat().st_size))
    packed = pack(deepcopy(totals))

    assert packed is not None
    known = unpack(packed)
    assert known is not None
    assert (known.first_keys, known.pictured) == (totals.first_keys, 1)


def test_remembered_shard_may_move(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_vft.checking.memory._SMALLEST_SHARD", 1)
    messages = [{"role": "user", "content": "One?"}, {"role": "assistant", "content": "1"}]
    moved = json.dumps(example(*messages, tools=[])) + "\n"
    Path("vft.toml").write_text('[params]\n"file/late-key" = { block_bytes = 200 }\n', encoding="utf-8")
    write(json.loads(moved), name="short.jsonl")

    def found(path: str) -> list[str]:
        report = lint(path, provider="trl", select="file/late-key", config="vft.toml")
        return [finding.message for finding in report.findings]

    assert found("short.jsonl") == []
    longer = "".join(json.dumps(example(*messages)) + "\n" for _ in range(4))
    Path("long.jsonl").write_text(longer + moved, encoding="utf-8")
    monkeypatch.setattr(
        "pytest_vft.checking.merging.cut_shards",
        lambda path, split, start, size, _: [
            Shard(path, split, start, len(longer)),
            Shard(path, split, len(longer), size),
        ],
    )
    for _ in range(2):  # linted, then remembered
        assert found("long.jsonl") == ["line 5 is the first with tools, after the first 200 bytes"]


def test_openai_pays_nothing() -> None:
    path = write(example(user(image()), assistant()))
    totals = ShardLinter(plan(), ImageStore(full=True)).lint(
        Shard(path, "train", 0, Path(path).stat().st_size)
    )

    assert (totals.first_keys, totals.pictured) == ({}, 0)


# Data formats of the trainers

QA = {
    1: ("Who are they?", "They are Kane and Gretzka."),
    2: ("What are they doing?", "They are celebrating a goal."),
    3: ("Which colour is the grass?", "It is a bright green."),
}
Asked = Callable[[int, str, str], dict[str, Any]]


def path_of(number: int) -> list[str]:
    return [f"images/{number}.jpg"]


def parts(words: str) -> list[dict[str, Any]]:
    return [{"type": "image"}, text(words)]


# Examples as the demo files of the trainers have them.
DEMOS: dict[str, tuple[str, Asked]] = {
    "llamafactory messages": (
        "llamafactory",
        lambda n, q, a: {
            "messages": [{"role": "user", "content": f"<image>{q}"}, {"role": "assistant", "content": a}],
            "images": path_of(n),
        },
    ),
    "llamafactory ranking": (
        "llamafactory",
        lambda n, q, a: {
            "conversations": [{"from": "human", "value": f"<image>{q}"}],
            "chosen": {"from": "gpt", "value": a},
            "rejected": {"from": "gpt", "value": f"I cannot say; {a}"},
            "images": path_of(n),
        },
    ),
    "llava": (
        "llamafactory",
        lambda n, q, a: {
            "id": str(n),
            "image": f"images/{n}.jpg",
            "conversations": [{"from": "human", "value": f"<image>\n{q}"}, {"from": "gpt", "value": a}],
        },
    ),
    "trl messages": (
        "trl",
        lambda n, q, a: example(user(*parts(q)), assistant(a), images=path_of(n)),
    ),
    "trl strings": (
        "trl",
        lambda n, q, a: example(
            {"role": "user", "content": q}, {"role": "assistant", "content": a}, images=path_of(n)
        ),
    ),
    "trl completion": (
        "trl",
        lambda n, q, a: {"prompt": [user(*parts(q))], "completion": [assistant(a)], "images": path_of(n)},
    ),
    "trl preference": (
        "trl",
        lambda n, q, a: {
            "prompt": [user(*parts(q))],
            "chosen": [assistant(a)],
            "rejected": [assistant(f"I cannot say; {a}")],
            "images": path_of(n),
        },
    ),
    "swift query": (
        "swift",
        lambda n, q, a: {"query": f"<image>{q}", "response": a, "images": path_of(n)},
    ),
    "swift messages": (
        "swift",
        lambda n, q, a: example(
            {"role": "system", "content": "You help."},
            {"role": "user", "content": q},
            {"role": "assistant", "content": a, "loss": True},
            images=path_of(n),
        ),
    ),
}


@pytest.fixture
def drawn(here: Path) -> None:
    (here / "images").mkdir()
    for number in QA:
        _, data = draw(f"jpeg {60 + number}x64 rgb")
        (here / f"images/{number}.jpg").write_bytes(data)


@pytest.mark.usefixtures("drawn")
@pytest.mark.parametrize("demo", DEMOS)
def test_demo_files_pass_silently(demo: str) -> None:
    provider, asked = DEMOS[demo]

    report = lint(write(*(asked(n, *pair) for n, pair in QA.items())), provider=provider, model=QWEN)

    assert report.ok
    assert (report.findings, report.files[0].images) == ((), len(QA))
    assert not any(rule.tally.unknown for rule in report.rules)


def planted(*messages: dict[str, str], images: list[str] | None = None) -> dict[str, Any]:
    return example(*messages, **({} if images is None else {"images": images}))


def says(role: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


ONE = path_of(1)
# Examples of LLaMA-Factory with a fault: rule, place, and severity of the finding.
FAULTY: dict[str, tuple[dict[str, Any], tuple[str, str]]] = {
    "two user turns": (
        planted(
            says("user", "<image>One?"), says("user", "Now!"), says("assistant", "It is one."), images=ONE
        ),
        ("example/role-order", ""),
    ),
    "user last": (
        planted(
            says("user", "<image>One?"), says("assistant", "It is one."), says("user", "So?"), images=ONE
        ),
        ("example/role-order", ""),
    ),
    "assistant first": (
        planted(
            says("assistant", "Hello to you."),
            says("user", "<image>?"),
            says("assistant", "It is one."),
            images=ONE,
        ),
        ("example/role-order", ""),
    ),
    "late system": (
        planted(
            says("user", "<image>One?"),
            says("system", "Be brief."),
            says("assistant", "It is one."),
            images=ONE,
        ),
        ("example/role-order", ""),
    ),
    "unknown role": (
        planted(
            says("developer", "Be brief."),
            says("user", "<image>?"),
            says("assistant", "It is one."),
            images=ONE,
        ),
        ("example/invalid-shape", "/messages/0/role"),
    ),
    "a tag too many": (
        planted(says("user", "<image><image>One?"), says("assistant", "It is one."), images=ONE),
        ("example/placeholder-mismatch", ""),
    ),
    "a tag too few": (
        planted(says("user", "One?"), says("assistant", "It is one."), images=ONE),
        ("example/placeholder-mismatch", ""),
    ),
    "no list of images": (
        planted(says("user", "<image>One?"), says("assistant", "It is one.")),
        ("example/placeholder-mismatch", ""),
    ),
    "a list as content": (
        planted(says("user", [text("<image>One?")]), says("assistant", "It is one."), images=ONE),
        ("message/list-content", "/messages/0"),
    ),
    "a URL": (
        planted(
            says("user", "<image>One?"), says("assistant", "It is one."), images=["https://example.com/1.jpg"]
        ),
        ("image/unsupported-url-scheme", "/images/0"),
    ),
}


@pytest.mark.usefixtures("drawn")
@pytest.mark.parametrize("fault", FAULTY)
def test_planted_fault_is_found_at_its_place(fault: str) -> None:
    faulty, (rule, pointer) = FAULTY[fault]
    sound = DEMOS["llamafactory messages"][1](2, *QA[2])

    report = lint(write(sound, faulty), provider="llamafactory", model=QWEN, offline=True)

    assert [(one.rule, one.line, one.pointer, one.severity) for one in report.findings] == [
        (rule, 2, pointer, "error")
    ]


@pytest.mark.usefixtures("drawn")
def test_swift_writes_missing_tags_and_keeps_surplus_ones_as_text() -> None:
    few = {"query": "One?", "response": "It is one.", "images": ONE}
    many = {"query": "<image><image>Two?", "response": "It is two.", "images": path_of(2)}

    (finding,) = lint(write(few, many), provider="swift", model=QWEN).findings

    assert (finding.rule, finding.line) == ("example/placeholder-mismatch", 2)


@pytest.mark.usefixtures("drawn")
def test_swift_reads_system_as_a_string_only() -> None:
    system = says("system", [text("You help.")])
    path = write(example(system, user(text("Which fruit?"), image()), assistant()))

    report = lint(path, provider="swift", model=QWEN, data_format="swift")

    assert [(one.rule, one.pointer) for one in report.findings] == [("message/list-content", "/messages/0")]


@pytest.mark.usefixtures("drawn")
def test_places_for_images_without_a_column_train_blind() -> None:
    report = lint(write(example(user(*parts("Which fruit?")), assistant())), model=QWEN, provider="trl")

    assert rules(report.findings) == ["file/missing-images-column", "example/placeholder-mismatch"]


@pytest.mark.usefixtures("drawn")
def test_lengths_that_were_not_checked_are_noted() -> None:
    asked = DEMOS["trl messages"][1]
    path = write(*(asked(n, *pair) for n, pair in QA.items()))

    (note,) = lint(path, provider="trl").notes
    assert note.startswith(
        "lengths of examples with images were not checked: give the model with --model=NAME"
    )
    (note,) = lint(path, provider="trl", model="acme/\x1b[31mvl").notes
    assert r"the image tokens of acme/\x1b[31mvl are unknown" in note
    assert lint(path, provider="trl", max_tokens=0).notes == ()
    assert lint(path, provider="trl", model=QWEN).notes == ()


def test_long_texts_are_not_counted_in_the_encoding_of_another_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pytest_vft.reading.tokenizer.count_tokens", lambda _: 500)
    asked, said = "pear " * 4000, "It is a green pear."
    path = write(example(user(text(asked)), assistant(said), images=[]))

    (finding,) = lint(path, provider="trl", model=QWEN).findings

    assert finding.rule == "example/may-be-too-long"
    assert finding.message.startswith("has at least 4,005 tokens, of which images are up to 0")
