"""Who takes a dataset, and why not the others: one measurement, judged for each provider."""

from __future__ import annotations

import base64
import json
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from web.server import Server, serving

from pytest_vft import UsageError, build_example, compare_providers, convert, lint, write_jsonl
from pytest_vft.catalogue.cases import data_url
from pytest_vft.catalogue.providers import provider_ids
from pytest_vft.checking import lint as checking
from pytest_vft.cli import main
from pytest_vft.compatibility import AfterConversion, Compatibility, CompatibilityVerdict
from pytest_vft.formats.writers.base import TRAINING_LOSSES
from pytest_vft.model import Report
from pytest_vft.options import FORMATS
from pytest_vft.report.conversion import lost_texts, refusal_words
from pytest_vft.runs.groups import find_groups
from pytest_vft.runs.run import run, run_all

FAULTY = [
    "png 24x24 l",
    "jpeg 24x24 rgb cut=9",
    "gif 16x16 p",
    "webp 4x4 rgb",
]
BOOKS = Path(__file__).parents[1] / "examples" / "books"
QWEN = "Qwen/Qwen2.5-VL-7B-Instruct"
Example = dict[str, Any]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def card(number: int, image: str = "png 24x24 rgb") -> Example:
    return build_example(f"Which card is number {number}?", f"Card {number}", data_url(image))


def cards(number: int = 12, **others: Any) -> list[Example]:
    return [card(n, **others) for n in range(number)]


def mixed(example: Example) -> Example:
    """Return *example* with a system message as a string before its lists."""
    system = {"role": "system", "content": "Look at the card."}
    return {"messages": [system, *example["messages"]]}


def as_trl(example: Example, **others: Any) -> Example:
    """Return *example* with its image in a column."""
    messages = json.loads(json.dumps(example["messages"]))
    content = messages[-2]["content"]
    image = next(part for part in content if part["type"] == "image_url")
    content[content.index(image)] = {"type": "image"}
    return {"messages": messages, "images": [image["image_url"]["url"]], **others}


def verdicts(*paths: str, **options: Any) -> dict[str, str]:
    return {one.id: one.verdict for one in compare_providers(*paths, **options).providers}


def rules(one: Compatibility) -> list[tuple[str | None, int]]:
    return [(reason.rule, reason.number) for reason in one.reasons]


# The measurement


def settings_for(providers: list[str], *paths: str, **options: Any) -> list[Any]:
    groups = [find_groups({"provider": name, "jobs": 1, **options}, paths) for name in providers]
    return [settings for group in groups for settings in group]


def untimed(report: Report) -> Report:
    return replace(report, notes=tuple(note for note in report.notes if "cache" not in note))


@pytest.mark.parametrize("options", [{}, {"depth": "header"}, {"max_findings": 1}, {"ignore": "example"}])
def test_each_provider_has_the_report_of_a_check_of_its_own(options: dict[str, Any]) -> None:
    """Skipped examples, limits and findings are those of the provider, whoever else is measured."""
    write_jsonl("train.jsonl", [*cards(9), *(card(n, image) for n, image in enumerate(FAULTY))])
    write_jsonl("test.jsonl", [mixed(one) for one in cards(3, image="gif 16x16 p")])
    Path("more.jsonl").write_text('{"messages": 1}\n\n[]\n{"a": 1, "a": 2}\n')
    several = settings_for(provider_ids(), "train.jsonl", "test.jsonl", "more.jsonl", **options)

    reports = run_all(several)

    assert len(reports) > 3
    assert [untimed(one) for one in reports] == [untimed(run(settings)) for settings in several]


@pytest.mark.parametrize("model", [None, QWEN])
def test_each_provider_counts_the_tokens_of_its_model(model: str | None) -> None:
    write_jsonl("train.jsonl", [card(n, "png 900x1200 rgb") for n in range(3)])
    several = settings_for(["openai", "azure"], "train.jsonl")
    several += settings_for(["trl", "swift"], "train.jsonl", model=model)

    reports = run_all(several)

    assert reports == [run(settings) for settings in several]
    openai, azure, *trainers = (report.cost and report.cost.tokens_at_most for report in reports)
    assert openai == azure
    assert (openai in trainers, None in trainers) == (False, model is None)


def test_texts_are_counted_by_the_tokenizer_of_each_model() -> None:
    """Texts of more than 16,384 bytes are counted for OpenAI by the tokenizer, and bounded for Qwen."""
    examples = cards(3)
    for text, example in zip(("a", "\u00e9t\u00e9 ", "ice cream "), examples, strict=True):
        example["messages"][-1]["content"] = text * 4_000
    write_jsonl("train.jsonl", [*examples, *cards(3)])
    several = settings_for(["openai"], "train.jsonl") + settings_for(["trl"], "train.jsonl", model=QWEN)

    assert run_all(several) == [run(settings) for settings in several]
    assert run_all(several[::-1]) == [run(settings) for settings in several[::-1]]


def test_long_examples_are_found_for_each_model_with_its_own_tokens() -> None:
    """900x1200 pixels are 1,376 tokens for the family, over TRL's 1,024, and at most 1,105 for OpenAI."""
    write_jsonl("train.jsonl", [as_trl(card(n, "png 900x1200 rgb")) for n in range(3)])
    one = compare_providers("train.jsonl", providers=["trl"], model=QWEN)["trl"]
    several = settings_for(["openai"], "train.jsonl") + settings_for(["trl"], "train.jsonl", model=QWEN)

    assert one.verdict == "refuses"
    assert ("example/too-many-image-tokens", 3) in rules(one)
    assert run_all(several) == [run(settings) for settings in several]


def test_files_are_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    write_jsonl("train.jsonl", cards())
    measured: list[str] = []
    merge_files = checking.merge_files

    def count(files: Any, *others: Any, **more: Any) -> None:
        measured.extend(file.source.path for file in files)
        merge_files(files, *others, **more)

    monkeypatch.setattr(checking, "merge_files", count)
    compare_providers("train.jsonl")

    assert measured.count("train.jsonl") == 1


# The table: for each dataset, what each provider makes of it, and the gravest reason


CONTENTS = "bedrock-llama bedrock-nova vertex"  # providers with data formats of their own
LISTS = f"{CONTENTS} llamafactory"  # and one that reads chats of strings only
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
NOT_JSON = "refuses line/invalid-json"
NOT_A_CHAT = "refuses example/invalid-shape"


def but(*names: str) -> str:
    """Return all providers but *names*."""
    return " ".join(name for name in provider_ids() if name not in " ".join(names).split())


def lines_of(*examples: Any) -> str:
    return "".join(json.dumps(example) + "\n" for example in examples)


def with_url(url: str, number: int = 12) -> str:
    return lines_of(*(build_example(f"{n}?", f"{n}", url.replace("N", f"{n}")) for n in range(number)))


def talk(*contents: Any) -> Example:
    roles = ("user", "assistant")
    return {"messages": [{"role": roles[n % 2], "content": c} for n, c in enumerate(contents)]}


def lists(example: Example) -> Example:
    """Return *example* with lists only."""
    messages = [
        {**one, "content": [{"type": "text", "text": c}] if isinstance(c := one["content"], str) else c}
        for one in example["messages"]
    ]
    return {**example, "messages": messages}


def twice(example: Example) -> Example:
    """Return *example* with another image."""
    messages = lists(example)["messages"]
    return {
        "messages": [{**messages[0], "content": [{"type": "image"}, *messages[0]["content"]]}, *messages[1:]]
    }


def prompted(example: Example) -> Example:
    """Return *example* as a prompt with its completion, and its image in the column image."""
    *prompt, completion = example["messages"]
    return {"prompt": prompt, "completion": [completion], "image": example["images"][0]}


def sharegpt(number: int) -> Example:
    human = {"from": "human", "value": f"<image>Which card is {number}?"}
    return {"conversations": [human, {"from": "gpt", "value": "A card."}], "images": ["a.png"]}


def gemini(number: int) -> Example:
    image = {"fileData": {"mimeType": "image/png", "fileUri": f"gs://cards/{number}.png"}}
    asked = {"role": "user", "parts": [{"text": "Which card?"}, image]}
    return {"contents": [asked, {"role": "model", "parts": [{"text": "A card."}]}]}


PNG = data_url("png 24x24 rgb")
POINTER = base64.b64encode(
    b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
).decode()
LLAMA = {
    "messages": [{"role": "user", "content": "<image>Which?"}, {"role": "assistant", "content": "This."}],
    "images": ["gone.png"],
}
TABLE: dict[str, tuple[str, dict[str, str]]] = {
    "strings and lists": (
        lines_of(*cards()),
        {
            "takes": "axolotl azure fireworks openai swift unsloth",
            "loses file/missing-images-column": "trl",
            "refuses example/mixed-content": "together",
            "refuses data format": LISTS,
        },
    ),
    "lists only": (
        lines_of(*map(lists, cards())),
        {
            "takes": "axolotl azure fireworks openai swift together unsloth",
            "loses file/missing-images-column": "trl",
            "refuses data format": LISTS,
        },
    ),
    "WEBP": (
        lines_of(*(lists(one) for one in cards(image="webp 24x24 rgb"))),
        {
            "takes": "axolotl azure openai swift together unsloth",
            "loses file/missing-images-column": "trl",
            "refuses image/unsupported-format": "fireworks",
            "refuses data format": LISTS,
        },
    ),
    "grey images": (  # OpenAI skips them; nobody else says anything about modes
        lines_of(*(lists(one) for one in cards(image="png 24x24 l"))),
        {
            "takes": "axolotl fireworks swift together unsloth",
            "loses image/unsupported-mode": "azure openai",
            "loses file/missing-images-column": "trl",
            "refuses data format": LISTS,
        },
    ),
    "weight 0": (
        lines_of(
            *(
                lists(
                    {
                        "messages": [
                            *card(0)["messages"][:1],
                            {"role": "assistant", "content": "No", "weight": 0},
                            *card(n)["messages"],
                        ]
                    }
                )
                for n in range(12)
            )
        ),
        {
            "takes": "azure fireworks openai together",
            "loses message/unread-field": "axolotl swift unsloth",
            "loses file/missing-images-column": "trl",
            "refuses data format": LISTS,
        },
    ),
    "twelve images": (
        lines_of(
            *(
                talk(
                    [{"type": "image_url", "image_url": {"url": PNG}}] * 12,
                    [{"type": "text", "text": f"{n}"}],
                )
                for n in range(12)
            )
        ),
        {
            "takes": "axolotl azure fireworks swift unsloth",
            "loses file/missing-images-column": "trl",
            "refuses example/too-many-images": "openai together",
            "refuses data format": LISTS,
        },
    ),
    "spaces in base64": (  # who decodes strictly ends; OpenAI skips the image
        with_url(PNG.replace("base64,", "base64, ")),
        {
            "loses image/invalid-base64": "azure openai swift",
            "refuses image/invalid-base64": "axolotl fireworks trl unsloth",
            "refuses example/mixed-content": "together",
            "refuses data format": LISTS,
        },
    ),
    "Git LFS pointers": (
        with_url(f"data:image/png;base64,{POINTER}"),
        {
            "loses image/undecodable": "azure openai swift",
            "refuses image/undecodable": "axolotl fireworks trl unsloth",
            "refuses example/mixed-content": "together",
            "refuses data format": LISTS,
        },
    ),
    "a data URL as text": (
        lines_of(
            *(
                talk(f"Which card is {n}? {data_url('png 64x64 rgb bytes=3000')}", "A card.")
                for n in range(12)
            )
        ),
        {"loses message/image-in-text": but(CONTENTS), "refuses data format": CONTENTS},
    ),
    "content parts as a string": (
        lines_of(
            *(talk(json.dumps([{"type": "image_url", "image_url": {"url": PNG}}]), f"{n}") for n in range(12))
        ),
        {"loses message/image-in-text": but(CONTENTS), "refuses data format": CONTENTS},
    ),
    "a call without an answer": (
        lines_of(
            *(
                {
                    "messages": [
                        *card(n)["messages"][:-1],
                        {"role": "assistant", "content": None, "tool_calls": [CALL]},
                        {"role": "assistant", "content": "A card."},
                    ]
                }
                for n in range(12)
            )
        ),
        {
            "takes": "fireworks openai",
            "loses message/missing-content": "swift",
            "loses file/missing-images-column": "trl",
            "loses message/null-content": "axolotl unsloth",
            "refuses example/repeated-role": "azure",
            "refuses example/mixed-content": "together",
            "refuses data format": LISTS,
        },
    ),
    "URLs that were not fetched": (  # OpenAI and ms-swift go on without what they cannot fetch
        with_url("https://example.com/N.png"),
        {
            "takes": "azure openai swift",
            "unknown": "axolotl trl unsloth",
            "refuses image/unsupported-url-scheme": "fireworks",
            "refuses example/mixed-content": "together",
            "refuses data format": LISTS,
        },
    ),
    "LLaMA-Factory, images gone": (
        json.dumps([LLAMA] * 12),
        {"refuses image/not-found": "llamafactory swift", "refuses data format": but("llamafactory swift")},
    ),
    "ShareGPT, images gone": (
        lines_of(*map(sharegpt, range(12))),
        {"refuses image/not-found": "llamafactory swift", "refuses data format": but("llamafactory swift")},
    ),
    "Gemini": (
        lines_of(*map(gemini, range(12))),
        {"takes": "vertex", "refuses data format": but("vertex")},
    ),
    "TRL": (  # parts without a source, and a list: other trainers read these, too
        lines_of(*(as_trl(one) for one in cards())),
        {"takes": (own := "axolotl swift trl unsloth"), "refuses data format": but(own)},
    ),
    "TRL, two images": (  # Axolotl takes the first of a list
        lines_of(*({**as_trl(one), "images": [PNG, PNG]} for one in map(twice, cards()))),
        {
            "takes": "swift trl unsloth",
            "loses example/unused-listed-images": "axolotl",
            "refuses data format": but("axolotl swift trl unsloth"),
        },
    ),
    "TRL, images in parts and an empty list": (
        lines_of(*({**lists(one), "images": []} for one in cards())),
        {
            "takes": "fireworks swift trl",
            "loses example/overlooked-images": "unsloth",
            "refuses example/empty-image-list": "axolotl",
            "refuses example/unknown-key": "azure openai together",
            "refuses message/list-content": "llamafactory",
            "refuses data format": CONTENTS,
        },
    ),
    "TRL, a prompt": (  # Axolotl reads messages; a column image is none for Unsloth
        lines_of(*(prompted(as_trl(one)) for one in cards())),
        {
            "takes": "trl",
            "loses file/unread-image-column": "unsloth",
            "refuses data format": but("trl unsloth"),
        },
    ),
    "TRL, strings": (  # the questions of Unsloth have no place for images
        lines_of(*({**talk(f"{n}?", "A card."), "images": [PNG]} for n in range(12))),
        {
            "takes": (own := "axolotl swift trl unsloth"),
            "refuses data format": but(own, "llamafactory"),
            "refuses image/unsupported-url-scheme": "llamafactory",
        },
    ),
    "strings without an image": (
        lines_of(*(talk(f"{n}?", "A card.") for n in range(12))),
        {"takes": but(CONTENTS), "refuses data format": CONTENTS},
    ),
    "Axolotl, files in parts": (  # TRL sees no column, and ms-swift and Unsloth no image at the key path
        lines_of(*(talk([{"type": "image", "path": "gone.png"}], f"{n}") for n in range(12))),
        {
            "refuses image/not-found": "axolotl trl swift unsloth",
            "refuses data format": but("axolotl swift trl unsloth"),
        },
    ),
    "a developer": (  # Axolotl and Unsloth give any role to the template
        lines_of(
            *({"messages": [{"role": "developer", "content": "Look."}, *one["messages"]]} for one in cards())
        ),
        {
            "takes": "axolotl unsloth",
            "loses example/invalid-shape": "swift",
            "refuses example/invalid-shape": "azure fireworks openai together trl",
            "refuses data format": LISTS,
        },
    ),
    "records glued together": (lines_of(*cards()).replace("\n", ""), {NOT_JSON: but()}),
    "commas after lines": (lines_of(*cards()).replace("\n", ",\n"), {NOT_JSON: but()}),
    "Batch requests": (
        lines_of(
            *({"custom_id": f"{n}", "method": "POST", "url": "/v1", "body": card(n)} for n in range(12))
        ),
        {NOT_A_CHAT: but()},
    ),
    "CSV": (
        "id,question,answer\n" + "".join(f"{n},Which?,This.\n" for n in range(12)),
        {"refuses file/not-jsonl": but()},
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_cell(name: str) -> None:
    content, expected = TABLE[name]
    Path("train.jsonl").write_text(content)
    cells = {provider: cell for cell, names in expected.items() for provider in names.split()}

    found = compare_providers("train.jsonl", offline=True)

    assert {one.id: cells[one.id] for one in found.providers if cells[one.id] not in said(one)} == {}
    assert cells.keys() == {one.id for one in found.providers}


def said(one: Compatibility) -> set[str]:
    """Return the verdict of *one*, with each reason for it."""
    reasons = {f"{one.verdict} {reason.rule or 'data format'}" for reason in one.reasons}
    return reasons if one.verdict in {"refuses", "loses"} else {one.verdict}


def test_books() -> None:
    comparison = compare_providers(BOOKS / "train.jsonl")

    assert {one.id: one.verdict for one in comparison.providers} == {
        **dict.fromkeys(("azure", "openai"), "takes"),
        **dict.fromkeys(("axolotl", "swift", "trl", "unsloth"), "loses"),  # weight 0 of few-shot answers
        "together": "refuses",  # strings and lists in one example
        "fireworks": "refuses",  # WEBP
        **dict.fromkeys(LISTS.split(), "refuses"),  # the data format
    }
    assert rules(comparison["trl"]) == [("file/missing-images-column", 1), ("message/unread-field", 48)]
    assert rules(comparison["swift"]) == [("message/unread-field", 48)]
    assert rules(comparison["together"]) == [("example/mixed-content", 24)]
    assert rules(comparison["fireworks"]) == [("image/unsupported-format", 48)]
    assert comparison["openai"].cost is not None


# A provider of a user's own


ACME = """
name = "Acme"
extends = "together"

[rules."example/too-many-images"]
limits  = { max_images = 1 }
source  = "https://docs.acme.example/vision"
checked = 2026-11-25

[rules."file/too-few-examples"]
limits  = { min_examples = 20 }
source  = "https://docs.acme.example/vision"
checked = 2026-11-25
"""


def test_a_file_with_two_limits_works_everywhere(capsys: pytest.CaptureFixture[str]) -> None:
    Path("acme.toml").write_text(ACME)
    two = [{"type": "image_url", "image_url": {"url": PNG}}] * 2
    answer = [{"type": "text", "text": "Two cards."}]
    write_jsonl("train.jsonl", [talk(two, answer) for _ in range(12)])

    comparison = compare_providers("train.jsonl", providers=["./acme.toml", "together"])

    assert comparison["together"].verdict == "takes"
    assert rules(comparison["acme"]) == [("file/too-few-examples", 1), ("example/too-many-images", 12)]
    assert main(["check", "train.jsonl", "--provider=./acme.toml"]) == 1
    assert "has 2 images; expected at most 1" in capsys.readouterr().out
    assert main(["check", "train.jsonl", "--provider=together,acme.toml"]) == 1
    assert "error example/too-many-images[acme]: 12 examples" in capsys.readouterr().out
    assert main(["explain", "acme.toml"]) == 0
    assert "stated by together" in capsys.readouterr().out
    assert main(["providers", "train.jsonl", "--provider=acme.toml,together"]) == 0
    assert "acme      refuses  the file has 12 examples; expected at least 20" in capsys.readouterr().out


# Command line


Vft = Callable[..., tuple[int, str]]


@pytest.fixture
def vft(capsys: pytest.CaptureFixture[str]) -> Vft:
    def run(*arguments: str) -> tuple[int, str]:
        code = main(["providers", *arguments])
        done = capsys.readouterr()
        return code, done.out + done.err

    return run


def test_survey_passes_whatever_the_verdicts_are(vft: Vft) -> None:
    write_jsonl("train.jsonl", cards(12, image="png 24x24 l"))

    code, out = vft("train.jsonl", "--provider=openai,trl")

    assert code == 0
    assert "openai  loses    12 images: mode is L; expected RGB or RGBA (first: line 1)" in out


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ((), "no files"),
        (("none.jsonl",), "none.jsonl: no such file"),
        (("link.jsonl",), "link.jsonl: cannot be read"),
        (("empty.jsonl",), "has no examples"),
        (("train.jsonl", "--provider=opnai"), "did you mean 'openai'?"),
        (("train.jsonl", "--provider=./own.toml"), "no such provider file"),
    ],
)
def test_what_cannot_be_judged(vft: Vft, files: tuple[str, ...], said: str) -> None:
    write_jsonl("train.jsonl", cards())
    Path("empty.jsonl").touch()
    Path("link.jsonl").symlink_to("gone.jsonl")

    code, out = vft(*files)

    assert (code, said in out) == (2, True), out


def test_a_long_reason_of_several_providers_is_said_once(vft: Vft) -> None:
    role = {"role": "developer", "content": "Look."}
    write_jsonl("train.jsonl", [{"messages": [role, *one["messages"]]} for one in cards()])

    _, out = vft("train.jsonl", "--provider=openai,fireworks,llamafactory", "--offline")

    assert out.count('role is "developer"') == 1
    assert re.search(r"^openai +refuses  \[1\]$", out, re.MULTILINE)
    assert re.search(r"^fireworks +refuses  \[1\]$", out, re.MULTILINE)
    assert re.search(r"^llamafactory +refuses  data format openai; ", out, re.MULTILINE)
    assert '\n[1] 12 examples: role is "developer"; expected' in out
    assert re.search(r"^  takes +openai, fireworks, llamafactory$", out, re.MULTILINE)


def test_the_option_for_images_outside_the_roots_is_named_once(vft: Vft) -> None:
    Path("cards").mkdir()
    Path("data").mkdir()
    cards = Path("cards").resolve()
    write_jsonl("data/train.jsonl", (as_trl(card(n)) | {"images": [f"{cards}/{n}.png"]} for n in range(12)))

    _, out = vft("data/train.jsonl")
    comparison = compare_providers("data/train.jsonl", providers="trl,axolotl")

    advice = f"image/outside-root: Add --image-root={cards} if these images belong to the dataset"
    assert comparison.notes[-1] == advice
    assert " ".join(out.split()).count(advice) == 1


def test_standard_input_is_refused_with_the_next_step(vft: Vft) -> None:
    for arguments in (["-"], ["--validation-data=-"]):
        code, out = vft(*arguments)
        assert (code, "write standard input to a file, such as train.jsonl" in out) == (2, True), out


def test_json(vft: Vft) -> None:
    write_jsonl("train.jsonl", [*cards(), card(12, "png 24x24 l")])

    code, out = vft("train.jsonl", "--format=json", "--provider=openai")

    data = json.loads(out)
    (one,) = data["providers"]
    assert code == 0
    assert (data["format"], data["files"][0]["examples"]) == ("vft-providers/1", 13)
    assert one["reasons"] == [
        {
            "rule": "image/unsupported-mode",
            "effect": "loses",
            "count": 1,
            "first": {"path": "train.jsonl", "line": 13},
            "message": "1 image: mode is L; expected RGB or RGBA",
        }
    ]
    assert (one["id"], one["verdict"]) == ("openai", "loses")
    assert one["after"]["command"] == "vft convert train.jsonl --to=openai --out=openai"
    assert (one["closes"], one["closes_newcomers"]) == ("2027-01-06", "2026-05-07")
    assert one["tokens"]["at_least"] * 25 / 1_000_000 == pytest.approx(one["cost"]["at_least"], abs=1e-6)
    assert "file/late-key" in one["not_stated"]


def test_hostile_text_is_escaped_in_each_format(vft: Vft) -> None:
    name = "a\x1b[31m|<b>`.jsonl"
    write_jsonl(name, [{"messages": [{"role": "\x1b[31m<b>", "content": "a"}]}])

    for form in ("text", "json", "markdown", "html"):
        code, out = vft(name, f"--format={form}")
        assert code == 0
        assert "\x1b" not in out


def test_configuration_of_checks_does_not_hide_what_a_provider_refuses() -> None:
    write_jsonl("train.jsonl", cards(12, image="png 24x24 l"))
    Path("vft.toml").write_text(
        'select = ["line"]\n[ignore]\n"image/unsupported-mode" = "scans"\n'
        '[allow]\n"image/unsupported-mode" = 20\n'
    )

    assert verdicts("train.jsonl", providers=["openai"]) == {"openai": "loses"}


def test_url_that_was_not_fetched() -> None:
    """TRL raises for an image that cannot be fetched; OpenAI skips the image."""
    write_jsonl(
        "train.jsonl", [build_example("Which?", "This.", f"https://example.com/{n}.png") for n in range(10)]
    )

    comparison = compare_providers("train.jsonl", providers=["trl", "openai"], offline=True)

    assert comparison.urls == 10
    assert comparison["trl"].verdict == "unknown"
    assert "10 images not checked: offline" in [reason.message for reason in comparison["trl"].reasons]


# Several providers in a check


def test_one_provider_names_none_and_several_name_each(capsys: pytest.CaptureFixture[str]) -> None:
    write_jsonl("train.jsonl", [mixed(one) for one in cards()])

    assert main(["check", "train.jsonl", "--provider=together"]) == 1
    assert "[together]" not in capsys.readouterr().out
    assert main(["check", "train.jsonl", "--provider=together,trl"]) == 1
    out = capsys.readouterr().out

    assert "vft: provider together, trl, " in out
    assert "error example/mixed-content[together]: 12 examples" in out
    assert "error file/missing-images-column[trl]: 1 file" in out
    assert "train.jsonl  train, 12 examples, 12 images" in out
    assert main(["explain", "example/mixed-content[together]"]) == 0


@pytest.mark.parametrize("form", FORMATS)
def test_each_report_format_names_the_provider_of_a_finding(
    form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_jsonl("train.jsonl", [mixed(one) for one in cards()])

    main(["check", "train.jsonl", "--provider=together,trl", f"--format={form}", "--max-shown=0"])

    out = capsys.readouterr().out.replace("%5B", "[").replace("%5D", "]")
    assert "example/mixed-content[together]" in out
    assert "file/missing-images-column[trl]" in out
    assert "mixed-content[trl]" not in out or form == "junit"


def test_clean_file_passes_for_several_providers_and_a_file_of_ones_own() -> None:
    write_jsonl("train.jsonl", cards())
    Path("acme.toml").write_text('name = "Acme"\nextends = "openai"\n')

    report = lint("train.jsonl", provider="openai,./acme.toml")

    assert report.ok
    assert report.provider == "openai, acme"
    assert {rule.id for rule in report.rules} >= {"line/invalid-json[openai]", "line/invalid-json[acme]"}
    assert [file.examples for file in report.files] == [12]
    assert report.urls == 0


def test_a_provider_that_states_none_of_the_selected_rules_is_named() -> None:
    write_jsonl("train.jsonl", cards())
    left = "trl is not among the results: it states none of the rules of --select"

    report = lint("train.jsonl", provider="together,trl", select="example/mixed-content")

    assert report.provider == "together"
    assert left in report.notes
    assert left not in lint("train.jsonl", provider="together,trl", select="line").notes


def test_configuration_states_several_providers() -> None:
    Path("acme.toml").write_text('name = "Acme"\nextends = "together"\n')
    Path("vft.toml").write_text('provider = "acme.toml,openai"\n')
    Path("data").mkdir()
    write_jsonl("data/train.jsonl", cards())

    assert lint("data/train.jsonl").provider == "acme, openai"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"provider": "openai,trk"}, "no provider 'trk'"),
        ({"provider": "openai,trl", "model": QWEN}, "OpenAI has no vision fine-tuning for model"),
        ({"provider": "trl,./trl.toml"}, "trl is given twice"),
    ],
)
def test_mistakes_name_the_provider(options: dict[str, Any], said: str) -> None:
    write_jsonl("train.jsonl", cards())
    Path("trl.toml").write_text('name = "Mine"\nextends = "trl"\n')

    with pytest.raises(UsageError, match=re.escape(said)):
        lint("train.jsonl", **options)


def test_commands_for_one_provider_say_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "--provider=openai,trl"]) == 2
    assert "expected one provider; only checks take several" in capsys.readouterr().err


def test_pytest_has_an_item_for_each_rule_and_provider(pytester: pytest.Pytester) -> None:
    write_jsonl("train.jsonl", [mixed(one) for one in cards()])
    arguments = ["--vft-data=train.jsonl", "--vft-provider=together,trl", "-p", "no:cacheprovider"]

    result = pytester.runpytest_subprocess(*arguments, "-rf")

    found = result.parseoutcomes()
    assert found["failed"] == 2
    result.stdout.fnmatch_lines_random(
        [
            "FAILED train.jsonl::example/mixed-content[[]together[]]*",
            "FAILED train.jsonl::file/missing-images-column[[]trl[]]*",
            "12 examples, first: line 1",
        ]
    )
    named = pytester.runpytest_subprocess(
        *arguments[1:], "-v", "train.jsonl::example/mixed-content[together]", "train.jsonl::line"
    )
    outcomes = named.parseoutcomes()
    assert outcomes["failed"] == 1
    named.stdout.fnmatch_lines_random(["train.jsonl::line/invalid-json[[]trl[]] PASSED*"])
    assert "missing-images-column" not in named.stdout.str()


def test_pytest_submits_to_one_provider_only(pytester: pytest.Pytester) -> None:
    write_jsonl("train.jsonl", cards())

    result = pytester.runpytest("--vft-data=train.jsonl", "--vft-provider=openai,azure", "--vft-submit=plan")

    result.stderr.fnmatch_lines(["*--vft-submit: a job has one provider*"])


# After a conversion


def weighted(number: int) -> Example:
    """Return an example with a shot, which is not trained on, and two answers, which are."""
    shot, *answers = (card(n)["messages"] for n in range(number, number + 3))
    return {"messages": [shot[0], {**shot[1], "weight": 0}, *answers[0], *answers[1]]}


DATASETS = {
    **{name: content for name, (content, _) in TABLE.items() if name != "URLs that were not fetched"},
    "mixed": lines_of(*map(mixed, cards())),
    "weighted": lines_of(*map(weighted, range(12))),
    "tagged": lines_of(
        *cards(),
        card(12) | {"messages": [{"role": "user", "content": "<image>?"}, *card(12)["messages"][1:]]},
    ),
    "behind URLs": with_url("http://127.0.0.1:PORT/ok/N"),
}


def outcome(provider: str, after: AfterConversion) -> AfterConversion:
    """Run the command of *after*; return what the provider says of the files that are written."""
    said = dict(word.lstrip("-").split("=", 1) for word in shlex.split(after.command) if "=" in word)
    in_bucket = {
        "image_prefix": said.get("image-prefix", "").replace("BUCKET", "acme"),
        "bucket_owner": "123456789012",
    }
    options = {
        "to": said["to"],
        "out": said["out"],
        "allow_loss": said.get("allow-loss", ""),
        "allow_private": True,
        **(in_bucket if "image-prefix" in said else {}),
    }
    result = convert("train.jsonl", **options)
    if result.refusals:  # which keep the others from being written
        result = convert("train.jsonl", **options, drop=True)
    written = [output.path for output in result.outputs if output.kept]
    comparison = compare_providers(*written, providers=provider, offline=True) if written else None
    reasons = comparison[provider].reasons if comparison else ()
    refused = [reason.message for reason in reasons if reason.effect == "refuses"]
    if result.refusals:
        refused.append(refusal_words(result))
    losses = {kind: number for kind, number in result.losses.items() if kind in TRAINING_LOSSES}
    lost = [*lost_texts(losses), *(reason.message for reason in reasons if reason.effect == "loses")]
    verdict: CompatibilityVerdict = "refuses" if refused else "loses" if lost else "takes"
    return AfterConversion(after.command, verdict, (*refused, *lost))


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as one:
        yield one


@pytest.mark.parametrize("name", DATASETS)
def test_what_is_said_after_a_conversion_is_true(
    name: str, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For each cell of the table, the verdict and its reasons are those on what the command writes."""
    Path("train.jsonl").write_text(DATASETS[name].replace("PORT", str(server.port)))
    comparison = compare_providers("train.jsonl", offline=True)
    for variable in ("VFT_OFFLINE", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)

    said = {one.id: one.after for one in comparison.providers if one.after}

    assert {provider: outcome(provider, after) for provider, after in said.items()} == said


def test_what_a_provider_takes_is_not_converted() -> None:
    write_jsonl("train.jsonl", cards())

    assert compare_providers("train.jsonl", providers="openai")["openai"].after is None


def test_the_next_command_is_that_of_a_provider_that_takes_the_result(vft: Vft) -> None:
    write_jsonl("train.jsonl", [mixed(one) for one in cards()])

    _, out = vft("train.jsonl", "--provider=vertex,together")

    assert "\n  takes    vertex, together\n" in out
    assert "\nnext: vft convert train.jsonl --to=together --out=together\n" in out


def test_the_first_examples_of_a_long_file_are_converted() -> None:
    write_jsonl("train.jsonl", (mixed(card(n)) for n in range(300)))

    (one,) = compare_providers("train.jsonl", providers="bedrock-nova").providers

    assert one.after is not None
    assert (one.after.verdict, one.after.left) == ("takes", ())
