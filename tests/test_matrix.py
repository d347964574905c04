"""Who takes a dataset, and why not the others: one measurement, judged for each provider."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_vft import (
    UsageError,
    build_example,
    compare_providers,
    lint,
    write_jsonl,
)
from pytest_vft.catalogue.cases import data_url
from pytest_vft.catalogue.providers import load_provider, provider_ids
from pytest_vft.checking import lint as checking
from pytest_vft.cli import main
from pytest_vft.compatibility import Compatibility
from pytest_vft.model import Report
from pytest_vft.options import FORMATS
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


# The table


def test_books() -> None:
    comparison = compare_providers(BOOKS / "train.jsonl", providers=["openai", "azure", "trl", "swift"])

    assert [one.verdict for one in comparison.providers] == ["takes", "takes", "loses", "loses"]
    assert rules(comparison["trl"]) == [("file/missing-images-column", 1), ("message/unread-field", 48)]
    assert rules(comparison["swift"]) == [("message/unread-field", 48)]
    assert comparison["openai"].cost is not None


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
            "FAILED train.jsonl::example/mixed-content[[]together[]] - 12 examples*",
            "FAILED train.jsonl::file/missing-images-column[[]trl[]] - *",
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
    "cards": cards(),
    "mixed": [mixed(one) for one in cards()],
    "weighted": [weighted(n) for n in range(12)],
    "tagged": [
        *cards(),
        card(12) | {"messages": [{"role": "user", "content": "<image>?"}, *card(12)["messages"][1:]]},
    ],
    "behind URLs": [build_example(f"{n}?", "A card", f"https://img.example.com/{n}.png") for n in range(12)],
}


@pytest.mark.parametrize("name", DATASETS)
def test_the_verdict_after_a_conversion_is_that_of_the_conversion(name: str) -> None:
    """For each cell of the table: what is said is what convert does and a comparison of its output says."""
    write_jsonl("train.jsonl", DATASETS[name])

    comparison = compare_providers("train.jsonl", offline=True)

    said = {one.id: one.after for one in comparison.providers if one.after}
    assert said
    for provider, after in said.items():
        if name == "behind URLs" and "url" not in load_provider(provider).transports:
            assert after.verdict == ("refuses" if provider == "bedrock-llama" else "takes")
            continue  # offline, nothing is fetched
        arguments = [word.replace("BUCKET", "acme") for word in shlex.split(after.command)[1:]]
        code = main([*arguments, "--drop", "--offline"])
        (again,) = compare_providers(f"{provider}/train.jsonl", providers=provider, offline=True).providers
        refused = Path(f"{provider}/train.jsonl.rej").exists()
        if after.verdict == "takes":
            assert (code, again.verdict in ("takes", "unknown"), refused) == (0, True, False)
        elif after.verdict == "loses":
            assert "--allow-loss" in after.command
        else:
            assert refused or again.verdict == "refuses"


def test_what_a_provider_takes_is_not_converted() -> None:
    write_jsonl("train.jsonl", cards())

    assert compare_providers("train.jsonl", providers="openai")["openai"].after is None


def test_the_next_command_is_that_of_a_provider_that_takes_the_result(vft: Vft) -> None:
    write_jsonl("train.jsonl", [mixed(one) for one in cards()])

    _, out = vft("train.jsonl", "--provider=vertex,together")

    assert "after convert: takes" in out
    assert "\nnext: vft convert train.jsonl --to=together --out=together\n" in out


def test_the_first_examples_of_a_long_file_are_converted() -> None:
    write_jsonl("train.jsonl", (mixed(card(n)) for n in range(300)))

    (one,) = compare_providers("train.jsonl", providers="bedrock-nova").providers

    assert one.after is not None
    assert (one.after.verdict, one.after.left) == ("takes", ())
