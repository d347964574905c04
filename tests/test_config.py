"""[tool.vft] of pyproject.toml and vft.toml: where it is found, what each key does, what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pytest_vft import ConfigError, build_example, lint, write_jsonl
from pytest_vft.catalogue.cases import data_url
from pytest_vft.cli import main
from pytest_vft.runs.config import MAX_FINDINGS, Config, load_config

GREY = "png 24x24 l"
RULE = """
summary = "An image is small."
severity = "error"
message = "width is {width}"
advice = "Draw it larger."
why = "Nobody sees a thing."
source = "https://example.com"
checked = 2026-11-21
[require]
width = { minimum = 25 }
"""


class Done(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def data(self) -> dict[str, Any]:
        data: dict[str, Any] = json.loads(self.out)
        return data

    @property
    def splits(self) -> dict[str, str]:
        return {file["path"]: file["split"] for file in self.data["files"]}

    def rule(self, id_: str) -> dict[str, Any]:
        return next(rule for rule in self.data["rules"] if rule["id"] == id_)

    def failed(self) -> dict[str, int]:
        return {rule["id"]: rule["failed"] for rule in self.data["rules"] if rule["failed"]}


Check = Callable[..., Done]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def check(capsys: pytest.CaptureFixture[str]) -> Check:
    def run(*arguments: str, form: str = "json") -> Done:
        return Done(main(["check", f"--format={form}", *arguments]), *capsys.readouterr())

    return run


def write(name: str, image: str = "png 24x24 rgb", count: int = 10) -> str:
    """Write *count* examples to *name*, the last one with *image*."""
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    images = ["png 24x24 rgb"] * (count - 1) + [image]
    examples = [
        build_example(f"What is on {Path(name).stem} {number}?", f"It is {number}.", data_url(token))
        for number, token in enumerate(images)
    ]
    write_jsonl(name, examples)
    return name


def configure(text: str, name: str = "vft.toml") -> None:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


# Where it is found


def test_none_is_needed() -> None:
    config = load_config()

    assert config == Config()
    assert (config.provider, config.model, config.select, config.max_findings) == (
        None,
        None,
        None,
        MAX_FINDINGS,
    )


def test_table_of_another_tool_is_none_of_ours(check: Check) -> None:
    configure('[tool.ruff]\nline-length = 110\n[project]\nname = "vft"', "pyproject.toml")

    assert check(write("train.jsonl")).code == 0
    assert load_config() == Config()


@pytest.mark.parametrize(
    ("name", "text"),
    [("vft.toml", 'provider = "azure"'), ("pyproject.toml", '[tool.vft]\nprovider = "azure"')],
)
def test_found_here_and_upwards(
    check: Check, folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    configure(text, name)
    write("a/b/train.jsonl")

    assert check("a/b/train.jsonl").data["provider"] == "azure"
    monkeypatch.chdir(folder / "a" / "b")
    assert check("train.jsonl").data["provider"] == "azure"


def test_first_folder_that_has_one_counts_and_vft_toml_wins_in_it() -> None:
    configure('model = "outer"')
    configure('[tool.vft]\nmodel = "pyproject"', "inner/pyproject.toml")
    configure("[tool.ruff]", "inner/most/pyproject.toml")
    Path("inner/most/folder").mkdir()

    assert load_config(start=Path("inner/most/folder")).model == "pyproject"
    configure('model = "vft"', "inner/vft.toml")
    assert load_config(start=Path("inner/most/folder")).model == "vft"


def test_named_one_counts_alone(check: Check) -> None:
    configure('provider = "nobody"')
    configure('provider = "azure"', "other/mine.toml")

    assert check(write("train.jsonl"), "--config=other/mine.toml").data["provider"] == "azure"


def test_named_pyproject_has_the_table(check: Check) -> None:
    configure("[tool.ruff]", "pyproject.toml")

    assert check(write("t.jsonl"), "--config=pyproject.toml") == (
        2,
        "",
        "vft: pyproject.toml: has no [tool.vft]\n",
    )


def test_paths_are_relative_to_the_file(check: Check, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(
        '[data]\ntrain = "data/train.jsonl"\n[per-file-ignores."data/*.jsonl"]\nimage = "grey"', "a/vft.toml"
    )
    write("a/data/train.jsonl", GREY)
    Path("a/b").mkdir()

    assert check("--config=a/vft.toml").splits == {"a/data/train.jsonl": "train"}
    assert check("--config=a/vft.toml").code == 0
    monkeypatch.chdir(folder / "a" / "b")
    assert check().splits == {str(folder / "a/data/train.jsonl"): "train"}
    assert check().code == 0


def test_folder_with_brackets_in_its_name_is_a_folder(
    check: Check, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure('[data]\ntrain = "*.jsonl"', "run [1]/vft.toml")
    write("run [1]/train.jsonl")
    Path("run [1]/b").mkdir()
    monkeypatch.chdir(folder / "run [1]" / "b")

    assert list(check().splits) == [str(folder / "run [1]/train.jsonl")]


# What each key does


def test_provider_and_model_unless_the_command_line_says_otherwise(check: Check) -> None:
    configure('provider = "azure"\nmodel = "gpt-4.1-2025-04-14"')
    write("train.jsonl")

    assert check("train.jsonl").data["model"] == "gpt-4.1-2025-04-14"
    other = check("train.jsonl", "--provider=openai", "--model=gpt-4o-2024-08-06").data
    assert (other["provider"], other["model"]) == ("openai", "gpt-4o-2024-08-06")


def test_data_is_globs_in_a_string_or_a_list(check: Check) -> None:
    configure('[data]\ntrain = "d/train-*.jsonl"\nvalidation = ["v.jsonl", "folder"]\ntest = ["t.jsonl"]')
    for name in ("d/train-2.jsonl", "d/train-1.jsonl", "v.jsonl", "folder/w.jsonl", "t.jsonl"):
        write(name)

    assert check().splits == {
        "d/train-1.jsonl": "train",
        "d/train-2.jsonl": "train",
        "v.jsonl": "validation",
        "folder/w.jsonl": "validation",
        "t.jsonl": "test",
    }


def test_file_given_by_name_takes_its_split_from_data(check: Check) -> None:
    configure('[data]\nvalidation = "v*.jsonl"')
    for name in ("validation.jsonl", "else.jsonl"):
        write(name)

    assert check("./validation.jsonl", "else.jsonl").splits == {
        "./validation.jsonl": "validation",
        "else.jsonl": "train",
    }
    assert check("--test-data=validation.jsonl").splits == {"validation.jsonl": "test"}


def test_data_that_is_not_there_hurts_only_when_it_is_wanted(check: Check, folder: Path) -> None:
    configure('[data]\ntrain = "not-downloaded/*.jsonl"')

    assert check(write("train.jsonl")).code == 0
    assert check() == (2, "", f"vft: {folder}/vft.toml: data.train: not-downloaded/*.jsonl: no such file\n")


def test_select_is_what_runs_unless_the_command_line_says_otherwise(check: Check) -> None:
    configure('select = ["image/too-*", "line/not-utf8"]')
    write("train.jsonl", GREY)

    assert check("train.jsonl").code == 0
    assert check("train.jsonl", "--select=image").failed() == {"image/unsupported-mode": 1}


def test_ignored_rules_are_counted_and_their_reasons_shown(check: Check) -> None:
    configure('[ignore]\n"image/unsupported-*" = "the scans are being replaced"')
    write("train.jsonl", GREY)

    rule = check("train.jsonl").rule("image/unsupported-mode")

    assert (rule["checked"], rule["failed"], rule["ignored"]) == (10, 0, 1)
    assert rule["reason"] == "the scans are being replaced"
    text = check("train.jsonl", form="text")
    assert text.code == 0
    assert "\nignored image/unsupported-mode, 1 finding: the scans are being replaced\n" in text.out


@pytest.mark.parametrize("pattern", ["old/*.jsonl", "a.jsonl", "*/a.*"])
def test_per_file_ignores_hold_for_the_files_that_they_name(check: Check, pattern: str) -> None:
    configure(f'[per-file-ignores."{pattern}"]\n"image/unsupported-mode" = "first year"')
    write("old/a.jsonl", GREY)
    write("new/b.jsonl", GREY)

    done = check("old", "new")

    assert done.code == 1
    assert [finding["path"] for finding in done.data["findings"]] == ["new/b.jsonl"]
    assert done.rule("image/unsupported-mode")["reason"] == "first year"
    assert done.rule("image/unsupported-mode")["ignored"] == 1


@pytest.mark.parametrize(
    ("allowed", "code", "severity", "note"),
    [
        (1, 1, "error", None),
        (2, 0, "warning", None),
        (3, 0, "warning", "note: allow: image/unsupported-mode has 2 findings of 3 allowed; lower it to 2"),
    ],
)
def test_so_many_findings_are_allowed(
    check: Check, allowed: int, code: int, severity: str, note: str | None
) -> None:
    configure(f'allow = {{"image/unsupported-mode" = {allowed}}}')
    write("a.jsonl", GREY)
    write("b.jsonl", GREY)

    done = check("a.jsonl", "b.jsonl")
    text = check("a.jsonl", "b.jsonl", form="text")

    assert done.code == code
    assert done.rule("image/unsupported-mode")["severity"] == severity
    assert {finding["severity"] for finding in done.data["findings"]} == {severity}
    assert f"{severity} image/unsupported-mode [*]: 1 image, 2 examples (allowed: {allowed})" in text.out
    assert [line for line in text.out.split("\n") if line.startswith("note")] == ([note] if note else [])


def test_allowance_that_nothing_needs_any_more_goes_to_zero(check: Check) -> None:
    configure('allow = {"image/unsupported-mode" = 3}')

    done = check(write("train.jsonl"), form="text")

    assert done.code == 0
    assert "0 findings of 3 allowed; lower it to 0" in done.out


def test_params_of_a_rule(check: Check) -> None:
    configure(
        '[params."image/too-large"]\nmax_bytes = 20\n[params."image/unsupported-mode"]\nmodes = ["RGB", "L"]'
    )
    write("train.jsonl", GREY)

    done = check("train.jsonl")

    assert done.failed() == {"image/too-large": 10}
    assert done.data["findings"][0]["message"].endswith("expected at most 20")


def test_severity_of_a_rule(check: Check) -> None:
    configure('severity = {"image/unsupported-mode" = "warning"}')

    done = check(write("train.jsonl", GREY))

    assert done.code == 0
    assert done.rule("image/unsupported-mode")["severity"] == "warning"
    assert done.data["findings"][0]["severity"] == "warning"


def test_rules_of_ones_own(check: Check) -> None:
    configure('rules = ["rules of ours"]', "conf/vft.toml")
    configure(RULE, "conf/rules of ours/image/small.toml")

    done = check(write("train.jsonl"), "--config=conf/vft.toml")

    assert done.code == 1
    assert done.failed() == {"image/small": 10}


def test_rule_of_ones_own_needs_a_name_of_its_own(check: Check, folder: Path) -> None:
    configure('rules = ["mine"]')
    configure(RULE, "mine/image/too-large.toml")

    done = check(write("train.jsonl"))

    assert (done.code, done.out) == (2, "")
    path = folder / "mine/image/too-large.toml"
    assert done.err == f"vft: {path}: a rule image/too-large exists already; use another name\n"


def test_a_thousand_findings_of_a_rule_are_kept_unless_something_else_is_said(check: Check) -> None:
    write_jsonl("train.jsonl", [build_example(f"{n}?", f"{n}", data_url(GREY)) for n in range(1_002)])

    done = check("train.jsonl", "--ignore=file")

    assert len(done.data["findings"]) == 1_000
    assert done.data["truncated"] == {"image/unsupported-mode": 2}


@pytest.mark.parametrize(("most", "kept"), [(3, 3), (0, 12)])
def test_so_many_findings_are_kept_and_counts_stay_exact(check: Check, most: int, kept: int) -> None:
    configure(f"max_findings = {most}")
    write_jsonl("train.jsonl", [build_example(f"{n}?", f"{n}", data_url(GREY)) for n in range(12)])

    done = check("train.jsonl")

    assert len(done.data["findings"]) == kept
    assert done.rule("image/unsupported-mode")["failed"] == 12
    assert done.data["truncated"] == {"image/unsupported-mode": 12 - kept}


def test_submit_is_accepted(check: Check) -> None:
    configure('[submit]\nsuffix = "books"\nepochs = 3')

    assert check(write("train.jsonl")).code == 0


def test_python_reads_the_same_configuration() -> None:
    configure('[ignore]\n"image/unsupported-mode" = "grey is fine"')
    write("train.jsonl", GREY)

    assert lint("train.jsonl").ok
    assert lint("train.jsonl", config="vft.toml").ok
    assert not lint("train.jsonl", config=Config()).ok


# What is refused


@pytest.mark.parametrize(
    ("text", "said"),
    [
        # misspelt
        ('provder = "azure"', "unknown key 'provder' (did you mean 'provider'?)"),
        ("[igore]", "unknown key 'igore' (did you mean 'ignore'?)"),
        ("[per_file_ignores]", "unknown key 'per_file_ignores' (did you mean 'per-file-ignores'?)"),
        ("max-findings = 3", "unknown key 'max-findings' (did you mean 'max_findings'?)"),
        ('[data]\ntrian = "t"', "data: unknown key 'trian' (did you mean 'train'?)"),
        ("[tool.vft]", "unknown key 'tool'"),
        # of a wrong type
        ("provider = 3", "provider is a number; expected a string"),
        ("[data]\ntrain = 3", "data.train is a number; expected a string or an array"),
        ("[data]\ntrain = [3]", "data.train.0 is a number; expected a string"),
        ('data = "train.jsonl"', "data is a string; expected an object"),
        ('select = "image"', "select is a string; expected an array"),
        ('ignore = ["image"]', "ignore is an array; expected an object"),
        ('ignore = {"image" = true}', "ignore.image is a boolean; expected a string"),
        (
            "[per-file-ignores]\n'*.jsonl' = 'image'",
            "per-file-ignores.*.jsonl is a string; expected an object",
        ),
        ('allow = {"image/too-large" = "3"}', "allow.image/too-large is a string; expected a whole number"),
        ('allow = {"image/too-large" = true}', "allow.image/too-large is a boolean; expected a whole number"),
        ('allow = {"image/too-large" = -1}', "allow.image/too-large is -1"),
        ('params = {"image/too-large" = 3}', "params.image/too-large is a number; expected an object"),
        ('rules = "mine"', "rules is a string; expected an array"),
        ("max_findings = -1", "max_findings is -1"),
        ("submit = true", "submit is a boolean; expected an object"),
        # unknown
        ('provider = "opnai"', "provider: no provider 'opnai' (did you mean 'openai'?)"),
        ('model = "gpt-4o-2024-08-60"', "(did you mean 'gpt-4o-2024-08-06'?)"),
        ('select = ["imag"]', "select: no rule 'imag' (did you mean 'image'?)"),
        (
            'ignore = {"image/too-lage" = "x"}',
            "ignore: no rule 'image/too-lage' (did you mean 'image/too-large'?)",
        ),
        (
            "[per-file-ignores.'*.x']\nimag = 'x'",
            "per-file-ignores.*.x: no rule 'imag' (did you mean 'image'?)",
        ),
        (
            'allow = {"image/too-lage" = 1}',
            "allow: no rule 'image/too-lage' (did you mean 'image/too-large'?)",
        ),
        ('allow = {"image" = 1}', "allow: no rule 'image'"),
        ('[params."image/too-lage"]', "params: no rule 'image/too-lage' (did you mean 'image/too-large'?)"),
        (
            '[params."image/too-large"]\nmax_byte = 1',
            "image/too-large: no parameter 'max_byte' (did you mean 'max_bytes'?); it has: max_bytes",
        ),
        (
            '[params."image/too-large"]\nmax_bytes = "1"',
            "image/too-large: parameter max_bytes is '1'; expected a whole number",
        ),
        (
            'severity = {"image/too-lage" = "error"}',
            "severity: no rule 'image/too-lage' (did you mean 'image/too-large'?)",
        ),
        (
            'severity = {"image/too-large" = "eror"}',
            'severity.image/too-large is "eror"; expected error or warning',
        ),
        ('rules = ["mine"]', "rules: mine: no such folder"),
        # in two minds
        (
            '[data]\ntrain = "*.jsonl"\ntest = "t*.jsonl"',
            "data: t.jsonl: is given as train and as test split",
        ),
        # not TOML
        ("provider = ", "not valid TOML: "),
        ('provider = "\x00"', "not valid TOML: "),
    ],
)
def test_what_is_wrong_is_one_line_that_names_file_key_and_nearest(
    check: Check, folder: Path, text: str, said: str
) -> None:
    configure(text)
    write("t.jsonl")

    done = check("t.jsonl")

    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"vft: {folder}/vft.toml: ")
    assert said in done.err
    assert done.err.count("\n") == 1


def test_file_that_is_not_utf8_is_refused(check: Check) -> None:
    Path("vft.toml").write_bytes(b'provider = "\xff"')

    assert "vft.toml: not valid TOML: " in check(write("t.jsonl")).err


def test_all_commands_refuse_it(capsys: pytest.CaptureFixture[str]) -> None:
    configure('provder = "azure"')
    write("t.jsonl")

    for command in (["check", "t.jsonl"], ["show", "t.jsonl:1"], ["rules"], ["explain", "image/too-large"]):
        assert main(command) == 2
        assert "(did you mean 'provider'?)" in capsys.readouterr().err


def test_python_raises_the_same() -> None:
    configure('provider = "opnai"')

    with pytest.raises(ConfigError, match=r"vft\.toml: provider: no provider 'opnai'"):
        lint(write("t.jsonl"))
