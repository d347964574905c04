"""The vft command: what it prints, on which stream, and with which exit code."""

from __future__ import annotations

import base64
import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pytest_vft import build_example, write_jsonl
from pytest_vft import plugin as plugin_module
from pytest_vft.catalogue.cases import data_url, draw
from pytest_vft.catalogue.load import shipped_rules
from pytest_vft.catalogue.providers import load_provider
from pytest_vft.catalogue.select import bind_rules
from pytest_vft.checking.measuring import needs_detector
from pytest_vft.cli import main
from pytest_vft.cli.parser import parse
from pytest_vft.options import COMMANDS, Command

VFT = Path(sys.executable).parent / "vft"
GOOD = "png 24x24 rgb"
GREY = "png 24x24 l"
BOUND = bind_rules(shipped_rules(), load_provider("openai"))


class Done(NamedTuple):
    code: int
    out: str
    err: str


Vft = Callable[..., Done]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def vft(capsys: pytest.CaptureFixture[str]) -> Vft:
    def run(*arguments: str) -> Done:
        code = main(arguments)
        return Done(code, *capsys.readouterr())

    return run


def example(number: int, image: str = GOOD) -> dict[str, Any]:
    return build_example(f"What is on image {number}?", f"It is {number}.", data_url(image))


def write(name: str, images: dict[int, str] | None = None, count: int = 10) -> str:
    """Write *count* examples to *name*, clean but for the *images* on the lines that are given."""
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    write_jsonl(name, [example(line, (images or {}).get(line, GOOD)) for line in range(1, count + 1)])
    return name


def data(done: Done) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(done.out)
    return report


def paths(done: Done) -> list[str]:
    return [file["path"] for file in data(done)["files"]]


def run_vft(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **environment}
    return subprocess.run([VFT, *arguments], env=env, capture_output=True, text=True, check=False)


# What passes


def test_clean_file_passes_in_silence_on_stderr(vft: Vft) -> None:
    done = vft("check", write("train.jsonl"))

    assert (done.code, done.err) == (0, "")
    assert re.search(r"^PASSED  \d+ rules fine\n\Z", done.out, re.MULTILINE)


def test_installed_command_does_the_same(vft: Vft) -> None:
    write("train.jsonl")

    done = run_vft("check", "train.jsonl", "--format=json")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == vft("check", "train.jsonl", "--format=json").out


def test_command_has_the_name_of_the_package_too(vft: Vft) -> None:
    write("train.jsonl")
    arguments = ["check", "train.jsonl", "--format=json"]

    done = subprocess.run(
        [VFT.with_name("pytest-vft"), *arguments], capture_output=True, text=True, check=False
    )

    assert done.stdout == vft(*arguments).out


def test_python_runs_it_as_a_module() -> None:
    module = [sys.executable, "-m", "pytest_vft", "check", write("train.jsonl")]

    assert subprocess.run(module, capture_output=True, check=False).returncode == 0


def test_help_lists_the_commands(vft: Vft, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        vft("--help")

    assert left.value.code == 0
    groups = re.findall(r"^(data|models|reference):\n((?:  .+\n)+)", capsys.readouterr().out, re.MULTILINE)
    listed = {group: re.findall(r"^  (\w+) ", lines, re.MULTILINE) for group, lines in groups}
    assert listed == {
        "data": ["build", "check", "show", "fix", "convert", "providers"],
        "models": ["submit", "eval"],
        "reference": ["rules", "explain", "schema", "init"],
    }


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_each_command_has_help_with_examples_that_can_be_parsed(
    vft: Vft, capsys: pytest.CaptureFixture[str], command: Command
) -> None:
    with pytest.raises(SystemExit) as left:
        vft(command.name, "--help")

    assert left.value.code == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: vft {command.name} [OPTION ...]")
    _, _, end = shown.partition("\nexamples:\n")
    assert "\nexit codes:\n  0 " in end
    for example in re.findall("^  vft (.+)$", end, re.MULTILINE):
        parsed, _ = parse(example.split())
        assert parsed.name == command.name


def test_version(vft: Vft, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        vft("--version")

    assert left.value.code == 0
    first, *others = capsys.readouterr().out.splitlines()
    assert first == f"vft {version('pytest-vft')}"
    assert f"pillow {version('pillow')} (libjpeg" in "\n".join(others)
    assert f"pyarrow {version('pyarrow')}" in others


# Exit codes


def test_finding_fails_and_is_reported_on_stdout(vft: Vft) -> None:
    done = vft("check", write("train.jsonl", {3: GREY}))

    assert (done.code, done.err) == (1, "")
    assert "error image/unsupported-mode [*]: 1 image" in done.out
    assert "  train.jsonl:3  mode is L; expected RGB or RGBA (/messages/0/content/1)\n" in done.out
    assert "\nFAILED  " in done.out


def test_unreadable_file_is_a_finding(vft: Vft) -> None:
    Path("link.jsonl").symlink_to("nothing.jsonl")

    done = vft("check", "link.jsonl", write("train.jsonl"))

    assert done.code == 1
    assert "error file/unreadable: 1 file" in done.out


def test_warning_passes_unless_warnings_fail(vft: Vft) -> None:
    Path("vft.toml").write_text('severity = {"image/unsupported-mode" = "warning"}')
    write("train.jsonl", {3: GREY})

    assert "warning image/unsupported-mode" in vft("check", "train.jsonl").out
    assert vft("check", "train.jsonl").code == 0
    assert vft("check", "train.jsonl", "--fail-on=error").code == 0
    assert vft("check", "train.jsonl", "--fail-on=warning").code == 1


def test_what_is_not_checked_passes_unless_it_must_be_checked(vft: Vft) -> None:
    lines = [example(number) for number in range(9)]
    write_jsonl(
        "train.jsonl", [*lines, build_example("What is this?", "A dog.", "https://example.com/a.png")]
    )

    done = vft("check", "train.jsonl")

    assert done.code == 0
    assert re.search(
        r"^not checked: 1 image: offline \(image/[\w-]+ and \d+ more rules\)$", done.out, re.MULTILINE
    )
    assert "rules partly checked" in done.out
    assert vft("check", "train.jsonl", "--require-checked").code == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("chek", "unknown command 'chek' (did you mean 'check'?)"),
        ("check", "no files: give some, or list them under [tool.vft.data] (vft.toml: [data])"),
        ("check missing.jsonl", "missing.jsonl: no such file"),
        ("check missing-*.jsonl", "missing-*.jsonl: no such file"),
        ("check .", ".: the folder has no .jsonl or .ndjson files"),
        ("check pipe", "pipe: is not a regular file"),
        ("check t --slect=image", "unknown option --slect (did you mean '--select'?)"),
        ("check t --sel=image", "unknown option --sel (did you mean '--select'?)"),
        ("check t --save=d", "--save is an option of vft show, not of vft check; see 'vft check --help'"),
        ("show t:1 --seed=1", "--seed is an option of vft build and vft submit, not of vft show"),
        ("rules --timeout=1", "--timeout is an option of vft submit and vft eval, not of vft rules"),
        ("check t --vft-depth=full", "--vft-depth is an option of pytest; here it is --depth"),
        ("check t --vft-only", "--vft-only is an option of pytest; see"),
        ("check t --fix", "unknown option --fix; see 'vft check --help'"),
        ("lint t", "unknown command 'lint'; see 'vft --help'"),
        ("explain image/ugly", "no rule, scope or provider 'image/ugly'; 'vft rules' lists"),
        ("check t --since=main", "since: there is no git repository here"),
        ("check - -", "- is given more than once; standard input can be read once"),
        ("check t --provider", "argument --provider: expected one argument"),
        ("check t --provider=opnai", "no provider 'opnai' (did you mean 'openai'?)"),
        ("check t --model=gpt-4o-2024-08-60", "(did you mean 'gpt-4o-2024-08-06'?)"),
        ("check t --select=image/too-lagre", "no rule 'image/too-lagre' (did you mean 'image/too-large'?)"),
        ("check t --select=imgae", "no rule 'imgae' (did you mean 'image'?)"),
        ("check t --ignore=image/too-lagre", "no rule 'image/too-lagre' (did you mean 'image/too-large'?)"),
        (
            "check t --fail-on=eror",
            "--fail-on: unknown 'eror' (did you mean 'error'?); expected error or warning",
        ),
        (
            "check t --depth=ful",
            "--depth: unknown 'ful' (did you mean 'full'?); expected auto, header or full",
        ),
        ("check t --format=jsn", "--format: unknown 'jsn' (did you mean 'json'?); expected text, concise, "),
        ("check t --max-shown=-1", "--max-shown: '-1' is not valid; expected a whole number from 0 to "),
        ("check t --max-shown=ten", "--max-shown: 'ten' is not valid; expected a whole number from 0 to "),
        (
            "check t --url-budget=1e99",
            "--url-budget: '1e99' is not valid; expected a whole number from 0",
        ),
        (
            "check t --url-budget=0.1",
            "--url-budget: '0.1' is not valid; expected a whole number from 0",
        ),
        (
            "check t --report=jsn:out",
            "unknown report format 'jsn' (did you mean 'json'?); expected one of text, concise",
        ),
        ("check t --report=json", "expected FORMAT:FILE, as in json:report.json"),
        ("check t --report=json:", "expected FORMAT:FILE, as in json:report.json"),
        ("check t --report=json:t/report.json", "t/report.json: the folder t cannot be created: "),
        ("check t --config=none.toml", "none.toml: No such file or directory"),
        ("check t --test-data=t", "t: is given as train and as test split"),
        ("show t", "t: expected FILE:LINE, as in train.jsonl:12; a file alone needs --select or --sample"),
        ("show t:0", "t:0: expected FILE:LINE"),
        ("show t:1 t:2", "unexpected argument 't:2'"),
        ("rules --test=none", "none: no such folder of rules"),
        ("explain image/too-lagre", "provider 'image/too-lagre' (did you mean 'image/too-large'?)"),
        ("explain imgae", "no rule, scope or provider 'imgae' (did you mean 'image'?); 'vft rules' lists"),
        ("explain opnai", "no rule, scope or provider 'opnai' (did you mean 'openai'?)"),
        ("explain ./none.toml", "none.toml: no such provider file"),
        ("schema rul", "no schema 'rul' (did you mean 'rule'?); known: rule, provider, example, config"),
    ],
)
def test_what_cannot_be_followed_is_one_line_on_stderr(vft: Vft, arguments: str, said: str) -> None:
    write("t")
    os.mkfifo("pipe")

    done = vft(*arguments.split())

    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("vft: ")
    assert said in done.err
    assert done.err.count("\n") == 1


def test_without_arguments_the_commands_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([])

    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (2, "")
    assert [line.split() for line in err.splitlines()] == [
        ["data", "build", "check", "show", "fix", "convert", "providers"],
        ["models", "submit", "eval"],
        ["reference", "rules", "explain", "schema", "init"],
    ]


def test_interruption_is_not_a_finding(vft: Vft, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pytest_vft.cli.check.run_groups", interrupt)

    assert vft("check", write("train.jsonl")) == (130, "", "vft: interrupted\n")


def test_fault_of_our_own_is_not_a_finding(vft: Vft, monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(*_: object, **__: object) -> None:
        raise LookupError("a bug")

    monkeypatch.setattr("pytest_vft.cli.check.run_groups", stumble)
    done = vft("check", write("train.jsonl"))

    assert (done.code, done.out) == (2, "")
    assert "LookupError: a bug\n" in done.err
    assert done.err.endswith("please report it with the lines above\n")


# Files


def test_folder_is_searched_in_order_and_without_what_is_hidden(vft: Vft) -> None:
    names = ["d/b.jsonl", "d/a.NDJSON", "d/c/d.ndjson", "d/.e.jsonl", "d/.f/g.jsonl", "d/h.json", "d/i.txt"]
    for name in names:
        write(name)

    done = vft("check", "d", "--format=json")

    assert paths(done) == ["d/a.NDJSON", "d/b.jsonl", "d/c/d.ndjson"]


def test_globs_are_searched_in_order(vft: Vft) -> None:
    for name in ("b-2.jsonl", "b-1.jsonl", "a-1.jsonl", "d/b-3.jsonl"):
        write(name)

    assert paths(vft("check", "b-*.jsonl", "--format=json")) == ["b-1.jsonl", "b-2.jsonl"]
    assert paths(vft("check", "**/b-3.jsonl", "--format=json")) == ["d/b-3.jsonl"]


@pytest.mark.parametrize(
    "name", ["part[1].jsonl", "what?.jsonl", "a * b.jsonl", "two words.jsonl", "-x.jsonl"]
)
def test_name_of_a_file_is_taken_literally(vft: Vft, name: str) -> None:
    write(name)
    write("part1.jsonl")

    assert paths(vft("check", "--format=json", "--", name)) == [name]


def test_any_name_will_do_for_a_file_that_is_named(vft: Vft) -> None:
    assert paths(vft("check", "--format=json", write("train.txt"))) == ["train.txt"]


def test_file_is_read_once(vft: Vft) -> None:
    write("d/train.jsonl")
    Path("link.jsonl").symlink_to("d/train.jsonl")

    assert paths(vft("check", "d/train.jsonl", "d", "./d/train.jsonl", "link.jsonl", "--format=json")) == [
        "d/train.jsonl"
    ]


def test_options_may_stand_between_files(vft: Vft) -> None:
    write("a.jsonl")
    write("b.jsonl")

    assert paths(vft("check", "a.jsonl", "--format=json", "b.jsonl")) == ["a.jsonl", "b.jsonl"]
    assert paths(vft("check", "--format=json", "a.jsonl", "--offline", "b.jsonl")) == ["a.jsonl", "b.jsonl"]


def test_splits_are_named_by_options(vft: Vft) -> None:
    write_jsonl("test.jsonl", [build_example("What is this?", None, data_url("png 30x30 rgb"))])
    for name in ("a.jsonl", "b.jsonl", "validation.jsonl"):
        write(name)

    done = vft(
        "check", "a.jsonl", "--data=b.jsonl", "--validation-data=validation.jsonl", "--test-data=test.jsonl",
        "--ignore=dataset", "--format=json",
    )  # fmt: skip

    assert done.code == 0
    assert {file["path"]: file["split"] for file in data(done)["files"]} == {
        "a.jsonl": "train",
        "b.jsonl": "train",
        "validation.jsonl": "validation",
        "test.jsonl": "test",
    }


# No files, and standard input


def test_empty_list_of_files_is_no_file(vft: Vft) -> None:
    write("train.jsonl", {1: GREY})
    Path("vft.toml").write_text('data = {train = "train.jsonl"}')

    assert vft("check").code == 1
    assert vft("check", "--offline", "--") == (0, "", "vft: no files after --: nothing to check\n")
    assert paths(vft("check", "--format=json", "--")) == []
    assert vft("check", "--data=train.jsonl", "--").code == 1


def test_all_after_two_dashes_are_files(vft: Vft) -> None:
    write("--format=json")

    assert vft("check", "--offline", "--", "--format=json").out.startswith("vft: provider ")


def pipe(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))


def test_dash_is_standard_input(vft: Vft, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe(monkeypatch, Path(write("train.jsonl", {2: GREY})).read_bytes())
    expected = vft("check", "train.jsonl").out.replace("train.jsonl", "-")
    expected = expected.replace("; [*] 1 can be repaired: vft fix -", "")  # standard input cannot be repaired
    expected = re.sub(r"  do: Run vft fix\. By hand: (.*)\n {6}(.*)", r"  do: \1 \2", expected)

    done = vft("check", "-")

    assert (done.code, done.err) == (1, "")
    assert "\n  -:2  mode is L; expected RGB or RGBA" in done.out
    assert done.out.splitlines()[1:] == expected.splitlines()[1:]


def test_standard_input_may_be_any_split_beside_files(vft: Vft, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe(monkeypatch, Path(write("train.jsonl")).read_bytes())

    done = vft("check", "train.jsonl", "--test-data=-", "--format=json")

    assert {file["path"]: file["split"] for file in data(done)["files"]} == {
        "train.jsonl": "train",
        "-": "test",
    }
    assert {finding["path"] for finding in data(done)["findings"]} == {"-"}


def test_standard_input_is_checked_by_the_configuration_of_the_current_folder(
    vft: Vft, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("vft.toml").write_text('severity = {"image/unsupported-mode" = "warning"}')
    pipe(monkeypatch, Path(write("train.jsonl", {2: GREY})).read_bytes())

    assert vft("check", "-").code == 0


@pytest.mark.parametrize("by_shell", [False, True], ids=["usual", "ignored"])
def test_sigterm_leaves_no_copy_of_standard_input(folder: Path, *, by_shell: bool) -> None:
    """A process that was told to ignore the signal goes on, and finds no examples."""
    code = "import signal, sys; from pytest_vft.cli import main;"
    code += "signal.signal(signal.SIGTERM, signal.SIG_IGN);" * by_shell
    with subprocess.Popen(
        [sys.executable, "-c", f"{code} sys.exit(main(['check', '-', '--offline']))"],
        env={**os.environ, "TMPDIR": str(folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    ) as run:
        assert run.stdin
        while not list(folder.glob("vft-*/-")):
            assert run.poll() is None
            time.sleep(0.01)
        run.send_signal(signal.SIGTERM)
        if by_shell:
            run.stdin.close()
        assert run.wait(30) == (1 if by_shell else -signal.SIGTERM)
    assert not list(folder.glob("vft-*"))


def test_empty_standard_input_is_named(vft: Vft, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe(monkeypatch, b"")

    done = vft("check", "-", "--select=image")

    assert (done.code, done.err) == (
        2,
        "vft: -: has no examples, so nothing was checked; leave the file out\n",
    )


def test_file_that_is_called_dash_is_named_by_its_folder(vft: Vft) -> None:
    assert paths(vft("check", write("./-"), "--format=json")) == ["./-"]


# The report


def test_json_report_is_the_documented_one(vft: Vft) -> None:
    write("train.jsonl", {2: GREY, 7: GREY, 9: "png 32x32 rgb"})

    done = vft(
        "check", "train.jsonl", "--format=json", "--select=image/unsupported-mode,image/too-large",
        "--ignore=image/too-large",
    )  # fmt: skip
    report = data(done)
    rules = {rule["id"]: rule for rule in report.pop("rules")}
    findings = report.pop("findings")

    assert done.code == 1
    assert report == {
        "format": "vft-report/1",
        "ok": False,
        "tool": {"name": "pytest-vft", "version": version("pytest-vft")},
        "provider": "openai",
        "model": "gpt-4o-2024-08-06",
        "depth": "auto",
        "offline": True,
        "faces": "not selected",
        "sampled": None,
        "baselines": [],
        "known": [],
        "files": [
            {
                "path": "train.jsonl",
                "split": "train",
                "data_format": "openai",
                "bytes": Path("train.jsonl").stat().st_size,
                "lines": 10,
                "examples": 10,
                "images": 10,
                "distinct_images": 3,
                "bad_lines": {"image/unsupported-mode": [[2, 2], [7, 7]]},
            }
        ],
        "cost": report["cost"],  # tests/test_tokens.py
        "truncated": {"image/unsupported-mode": 0},
        "notes": [],
        "urls": 0,
        "unsettled": [],
    }
    assert rules["image/unsupported-mode"] == {
        "id": "image/unsupported-mode",
        "severity": "error",
        "checked": 10,
        "failed": 2,
        "known": 0,
        "unknown": 0,
        "undecoded": 0,
        "damaged": 0,
        "absent": 0,
        "unopened": 0,
        "uncompared": 0,
        "partly_compared": 0,
        "header_only": 0,
        "unfetched": 0,
        "not_applicable": 0,
        "ignored": 0,
        "reason": None,
    }
    assert rules["image/too-large"]["reason"] == "on request"
    assert {tuple(rule) for rule in rules.values()} == {tuple(rules["image/unsupported-mode"])}
    image = findings[0]["image"]
    assert re.fullmatch("[0-9a-f]{32}", image)
    assert findings == [
        {
            "rule": "image/unsupported-mode",
            "severity": "error",
            "path": "train.jsonl",
            "line": line,
            "pointer": "/messages/0/content/1",
            "message": "mode is L; expected RGB or RGBA",
            "advice": "Run vft fix. By hand: " + shipped_rules()["image/unsupported-mode"].advice,
            "box": None,
            "image": image,
            "skips": "invalid image format",
            "fix": "convert-mode",
            "unsafe": False,
        }
        for line in (2, 7)
    ]


def test_finding_on_a_whole_file_has_no_line(vft: Vft) -> None:
    Path("train.jsonl").write_bytes(b"BZh91AY")

    (finding,) = data(vft("check", "train.jsonl", "--format=json"))["findings"]

    assert (finding["rule"], finding["path"]) == ("file/not-jsonl", "train.jsonl")
    assert (finding["line"], finding["pointer"], finding["image"], finding["skips"]) == (None, "", None, None)


def test_reports_go_to_files_too(vft: Vft) -> None:
    write("train.jsonl", {1: GREY, 2: "png 24x24 la"})

    done = vft(
        "check", "train.jsonl", "--format=json", "--report=json:new/a.json", "--report=text:a.txt",
        "--max-shown=1",
    )  # fmt: skip

    assert Path("new/a.json").read_text() == done.out
    text = Path("a.txt").read_text()
    assert "  train.jsonl:1  mode is L" in text
    assert "  ... and 1 more (--max-shown=0 shows them)" in text
    assert not re.search(r"\d\.\d s", text)


@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        (["--select=image/too-large"], {"image/too-large"}),
        (["--select=image"], {id_ for id_ in shipped_rules() if id_.startswith("image/")}),
        (["--select=image/*-mode"], {"image/unsupported-mode"}),
        (["--select=*-large"], {id_ for id_ in shipped_rules() if id_.endswith("-large")}),
        (
            ["--select=image/too-large, line/not-utf8", "--select=dataset/split-leak"],
            {"image/too-large", "line/not-utf8", "dataset/split-leak"},
        ),
    ],
)
def test_rules_are_selected_by_id_scope_and_glob(vft: Vft, options: list[str], chosen: set[str]) -> None:
    report = data(vft("check", write("train.jsonl"), "--format=json", *options))

    always = {id_ for id_, rule in shipped_rules().items() if rule.stops}
    assert {rule["id"] for rule in report["rules"]} - always == {
        id_
        for id_ in chosen - always
        if id_ in BOUND and not BOUND[id_].off and not needs_detector(BOUND[id_])
    }


@pytest.mark.parametrize("pattern", ["image/unsupported-mode", "image", "image/uns*", "line,image/*-mode"])
def test_rules_are_ignored_by_id_scope_and_glob(vft: Vft, pattern: str) -> None:
    write("train.jsonl", {3: GREY})

    done = vft("check", "train.jsonl", f"--ignore={pattern}", "--format=json")
    (rule,) = [rule for rule in data(done)["rules"] if rule["id"] == "image/unsupported-mode"]

    assert done.code == 0
    assert (rule["failed"], rule["ignored"], rule["reason"]) == (0, 1, "on request")
    assert data(done)["findings"] == []


def test_pixels_are_decoded_unless_headers_do(vft: Vft) -> None:
    media_type, image = draw("png 64x64 rgb")
    middle = len(image) // 2
    broken = image[:middle] + bytes(byte ^ 255 for byte in image[middle : middle + 8]) + image[middle + 8 :]
    url = f"data:{media_type};base64,{base64.b64encode(broken).decode()}"
    write_jsonl("train.jsonl", [*map(example, range(9)), build_example("What is this?", "A dog.", url)])

    assert vft("check", "train.jsonl", "--depth=header").code == 0
    for depth in ("auto", "full"):
        done = vft("check", "train.jsonl", f"--depth={depth}", "--format=json")
        assert [(one["rule"], one["line"]) for one in data(done)["findings"]] == [("image/undecodable", 10)]
        assert data(done)["depth"] == depth


@pytest.mark.parametrize(("option", "shown"), [([], 10), (["--max-shown=3"], 3), (["--max-shown=0"], 12)])
def test_so_many_findings_a_rule_are_shown(vft: Vft, option: list[str], shown: int) -> None:
    roles = [{"messages": [{"role": f"r{n}", "content": "What?"}]} for n in range(12)]
    write_jsonl("train.jsonl", roles)

    out = vft("check", "train.jsonl", "--select=example/invalid-shape", *option).out

    assert out.count('role is "r') == shown
    assert (f"... and {12 - shown} more" in out) == (shown < 12)
    assert "error example/invalid-shape: 12 examples" in out


def test_provider_and_model_are_named(vft: Vft) -> None:
    done = vft(
        "check", write("train.jsonl"), "--provider=azure", "--model=gpt-4.1-2025-04-14", "--format=json"
    )

    assert (data(done)["provider"], data(done)["model"]) == ("azure", "gpt-4.1-2025-04-14")
    assert vft("check", "train.jsonl", "--provider=azure").out.startswith("vft: provider azure, ")


def test_base_url_is_accepted_by_every_command(vft: Vft) -> None:
    done = vft("check", write("train.jsonl"), "--base-url=http://localhost")

    assert done.code == 0
    assert done.err == "vft: --base-url has no effect on a check\n"


@pytest.mark.parametrize(
    ("jobs", "problem"),
    [("0", "jobs is 0; expected at least 1"), ("two", "argument --jobs: invalid int value: 'two'")],
)
def test_number_of_processes_must_be_one(vft: Vft, jobs: str, problem: str) -> None:
    done = vft("check", write("train.jsonl"), f"--jobs={jobs}")

    assert done.code == 2
    assert problem in done.err


# Streams


def test_reader_may_leave_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    write("train.jsonl", {line: f"png {20 + line}x24 l" for line in range(1, 10)})

    done = subprocess.run(f"{VFT} check train.jsonl | head -1", shell=True, capture_output=True, check=False)  # noqa: S602 - a pipe is what is tested

    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.count(b"\n") == 1


@pytest.mark.parametrize(("image", "code"), [(GOOD, 0), (GREY, 1)])
def test_exit_code_stays_when_nobody_reads(monkeypatch: pytest.MonkeyPatch, image: str, code: int) -> None:
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    command = [str(VFT), "check", write("train.jsonl", {1: image})]

    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.close()
        assert process.stderr
        assert process.stderr.read() == b""
    assert process.returncode == code


def test_stream_that_knows_no_unicode_gets_escapes() -> None:
    write_jsonl("train.jsonl", [build_example("What?", "A dog.", data_url(GOOD), detail="low")] * 10)
    Path("train.jsonl").write_text(
        Path("train.jsonl").read_text().replace('"low"', '"日本"'), encoding="utf-8"
    )

    done = run_vft("check", "train.jsonl", PYTHONIOENCODING="ascii")

    assert (done.returncode, done.stderr) == (1, "")
    assert r"detail is \u65e5\u672c; expected" in done.stdout


def on_a_terminal(*arguments: str, **environment: str) -> str:
    """Return what `vft` writes to a terminal."""
    ours, its = pty.openpty()
    env = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TERM", "COLORTERM")}
    with subprocess.Popen([VFT, *arguments], stdout=its, stderr=its, env=env | environment):
        os.close(its)
        with open(ours, "rb", buffering=0) as terminal:  # noqa: PTH123 - a descriptor has no path
            return b"".join(_until_closed(terminal.read)).decode().replace("\r\n", "\n")


def _until_closed(read: Callable[[int], bytes]) -> Iterator[bytes]:
    try:
        while piece := read(65_536):
            yield piece
    except OSError:  # how Linux says that nobody is at the other end any more
        return


def test_colours_are_for_terminals_and_change_no_word() -> None:
    arguments = ["check", write("train.jsonl", {3: GREY})]

    coloured = on_a_terminal(*arguments, TERM="xterm-256color")
    plain = run_vft(*arguments, TERM="xterm-256color").stdout

    assert "\x1b[1;31merror\x1b[0m image/unsupported-mode" in coloured
    assert "\x1b" not in plain
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == plain


def test_colours_can_be_forced_into_a_pipe() -> None:
    arguments = ["check", write("train.jsonl", {3: GREY})]

    coloured = run_vft(*arguments, FORCE_COLOR="1", TERM="dumb", NO_COLOR="").stdout

    assert "\x1b[1;31merror\x1b[0m image/unsupported-mode" in coloured
    assert "\x1b" not in run_vft(*arguments, FORCE_COLOR="1", NO_COLOR="1").stdout
    assert "\x1b" not in run_vft(*arguments, FORCE_COLOR="").stdout
    assert json.loads(run_vft(*arguments, "--format=json", FORCE_COLOR="1", NO_COLOR="").stdout)


@pytest.mark.parametrize(("columns", "width"), [("40", 60), ("100", 100), ("300", 120)])
def test_width_is_that_of_the_terminal_within_limits(columns: str, width: int) -> None:
    Path("vft.toml").write_text(f'[ignore]\nimage = "{"a " * 300}"')

    text = on_a_terminal("check", write("train.jsonl"), COLUMNS=columns, TERM="dumb")

    (reason,) = [line for line in text.split("\n") if line.startswith("ignored image/too-large")]
    assert width - 2 < len(reason) <= width


def test_width_of_a_pipe_is_80() -> None:
    Path("vft.toml").write_text(f'[ignore]\nimage = "{"a " * 300}"')

    lines = run_vft("check", write("train.jsonl"), COLUMNS="120").stdout.split("\n")

    assert 78 < max(len(line) for line in lines if "a a" in line) <= 80


@pytest.mark.parametrize("environment", [{"TERM": "xterm", "NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colours_can_be_refused(environment: dict[str, str]) -> None:
    assert "\x1b" not in on_a_terminal("check", write("train.jsonl", {3: GREY}), **environment)


# Rules

RULE = """
summary  = "An image is tiny."
severity = "warning"
message  = "width is {width}; the least is {least}"
advice   = "Draw it larger."
why      = "Nobody sees a thing."
source   = "https://example.com/tiny"
checked  = 2026-11-21

[params]
least = 16

[require]
width = { minimum = { "$param" = "least" } }
"""
CASE = """
[[cases]]
verdict = "%s"%s
lines = '''
{"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "$image: png %s rgb"}}]\
}, {"role": "assistant", "content": "A dog."}]}
'''
"""
PASSING = CASE % ("pass", "", "16x16")
FAILING = CASE % ("fail", '\nmessage = "width is 15; the least is 16"', "15x16")
WRONG = CASE % ("fail", '\nmessage = "width is 16; the least is 16"', "16x16")


def write_rule(text: str) -> None:
    path = Path("my_rules/image/tiny.toml")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_rules_are_listed_with_severity_and_summary(vft: Vft) -> None:
    done = vft("rules")

    assert (done.code, done.err) == (0, "")
    listed = re.findall(r"^(\w+/[\w-]+) +(error|warning|off) +(.*)", done.out, re.MULTILINE)
    rules = shipped_rules()
    assert [id_ for id_, _, _ in listed] == list(rules)
    texts = {id_: f"{rule.summary} (repair: {rule.fix}" for id_, rule in rules.items()}
    assert all(texts[id_].startswith(summary.rstrip(",)")) for id_, _, summary in listed)
    assert done.out.endswith(f"\n{len(rules)} rules (vft explain RULE)\n")
    assert max(map(len, done.out.split("\n"))) <= 80


def test_list_of_rules_is_narrowed_and_says_what_is_ignored(vft: Vft) -> None:
    Path("vft.toml").write_text('ignore = {"image/too-large" = "we scale them later"}')

    out = vft("rules", "--select=image/too-large,image/truncated").out

    assert re.search(r"^image/too-large +ignored +we scale them later$", out, re.MULTILINE)
    assert re.search(r"^image/truncated +error +", out, re.MULTILINE)
    assert "image/unsupported-mode" not in out


def test_rule_that_does_not_run_is_listed_as_off(vft: Vft) -> None:
    Path("vft.toml").write_text('rules = ["my_rules"]')
    write_rule("off = true" + RULE)

    assert re.search(r"^image/tiny +off +An image is tiny\.$", vft("rules").out, re.MULTILINE)
    assert re.search(r"^image/tiny +warning +", vft("rules", "--select=image/tiny").out, re.MULTILINE)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such shells")
@pytest.mark.parametrize(
    ("command", "code", "err"),
    [
        ("vft rules >&-", 2, "vft: standard output is closed\n"),
        ("vft rules 2>&- >/dev/null", 0, ""),
        ("vft rules >&- 2>&-", 2, ""),
        ("vft check nowhere.jsonl 2>&-", 2, ""),
        ("vft rules >/dev/full", 2, "vft: standard output: No space left on device\n"),
        ("vft check nowhere.jsonl 2>/dev/full", 2, ""),
    ],
)
def test_closed_and_full_streams_are_one_line(command: str, code: int, err: str) -> None:
    if "/dev/full" in command and not os.path.exists("/dev/full"):  # noqa: PTH110 - a device
        pytest.skip("no /dev/full here")
    command = command.replace("vft", f"{sys.executable} -m pytest_vft", 1)

    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)  # noqa: S602 - closes streams

    assert (done.returncode, done.stderr) == (code, err)


@pytest.mark.parametrize(
    "arguments", [["show", f"a.jsonl:{'1' * 5_000}"], ["check", f"--max-shown={'1' * 5_000}"]]
)
def test_number_with_too_many_digits_is_one_line(vft: Vft, arguments: list[str]) -> None:
    done = vft(*arguments)

    assert (done.code, done.err.count("\n")) == (2, 1)
    assert "expected" in done.err


def test_flag_with_a_value_is_named(vft: Vft) -> None:
    assert vft("check", "--offline=yes").err == (
        "vft: --offline does not take a value; see 'vft check --help'\n"
    )


@pytest.mark.parametrize(
    ("value", "network"), [("1", "offline"), ("TRUE", "offline"), ("0", "network on"), ("", "network on")]
)
def test_variable_that_turns_the_network_off(
    vft: Vft, monkeypatch: pytest.MonkeyPatch, value: str, network: str
) -> None:
    monkeypatch.setenv("VFT_OFFLINE", value)
    url = build_example("What is this?", "A dog.", "https://127.0.0.1:1/dog.png")
    Path("train.jsonl").write_text(json.dumps(url) + "\n")

    assert vft("check", "train.jsonl").out.splitlines()[0].endswith(f", {network}")


def test_unclear_value_of_the_variable_is_refused(vft: Vft, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VFT_OFFLINE", "maybe")

    assert vft("check", write("train.jsonl")).err == "vft: VFT_OFFLINE is 'maybe'; expected 1 or 0\n"


def test_rule_file_is_explained(vft: Vft) -> None:
    write_rule(RULE)

    done = vft("explain", "my_rules/image/tiny.toml")

    assert (done.code, done.out.splitlines()[0]) == (0, "# image/tiny")


def test_report_that_is_a_loop_of_links_is_one_line(vft: Vft) -> None:
    Path("loop").symlink_to("loop")

    done = vft("check", write("train.jsonl"), "--report=text:loop")

    assert (done.code, done.err) == (2, "vft: loop: Too many levels of symbolic links\n")


def test_rules_of_ones_own_are_proved(vft: Vft) -> None:
    write_rule(RULE + PASSING + FAILING)

    assert vft("rules", "--test=my_rules") == (0, "PASSED  1 rule, 2 cases\n", "")


@pytest.mark.parametrize(
    ("cases", "said"),
    [
        ("", "no cases: write one that passes and one that fails"),
        (PASSING, "no case fails when require.width.minimum is deleted"),
        (PASSING + WRONG, "case fail-2: verdict is pass; expected fail"),
    ],
)
def test_rule_without_proof_fails(vft: Vft, cases: str, said: str) -> None:
    write_rule(RULE + cases)

    done = vft("rules", "--test=my_rules")

    assert (done.code, done.err) == (1, "")
    assert f"image/tiny: {said}" in done.out
    assert re.search(r"^FAILED  1 of 1 rule, \d cases?\n\Z", done.out, re.MULTILINE)


def test_broken_rule_is_an_error_that_names_file_key_and_nearest(vft: Vft) -> None:
    write_rule(RULE.replace("width =", "widht ="))

    done = vft("rules", "--test=my_rules")

    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "vft: my_rules/image/tiny.toml: require.widht: no such fact of image (did you mean 'width'?)\n"
    )


def test_pages_are_written_for_all_rules(vft: Vft) -> None:
    done = vft("rules", "--write-pages=pages")

    pages = (Path("pages/rules", f"{id_}.md") for id_ in shipped_rules())
    written = [Path("pages/facts.md"), Path("pages/repairs.md"), Path("pages/rules/index.md"), *pages]
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == list(map(str, written))
    assert all(page.read_text().startswith("# ") for page in written)


def test_rule_is_explained(vft: Vft) -> None:
    rule = shipped_rules()["image/unsupported-mode"]

    done = vft("explain", "image/unsupported-mode")

    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("# image/unsupported-mode\n")
    for said in (rule.summary, rule.why, rule.advice, "RGBA", "invalid image format"):
        assert said in done.out


def test_rule_of_ones_own_is_explained_too(vft: Vft) -> None:
    Path("vft.toml").write_text('rules = ["my_rules"]')
    write_rule(RULE + PASSING + FAILING)

    assert "Nobody sees a thing." in vft("explain", "image/tiny").out


# What pytest has

ELSEWHERE = {
    "--vft-only": "a command collects nothing but datasets",
    "--vft-submit": "vft submit plan|preflight|apply FILE",
    "--vft-yes": "an option of vft submit",
    "--vft-base-url": "an option of vft submit and vft eval",
    "--vft-eval": "vft eval FILE",
}
HERE_ONLY = {
    "--help": "pytest has its own",
    "--since": "pytest runs on whole datasets",
    "--format": "pytest has its own output; --vft-report writes files",
    "--statistics": "as for --format",
    "--quiet": "as for --format",
    "--exit-zero": "pytest has its own exit codes",
    "--fresh": "under pytest-xdist each worker would ask again",
    "--write-batch": "a test judges predictions and writes none",
}
RENAMED = {"--vft-eval-baseline"}  # gives an error that names the new option


class Options(list[str]):
    """Stands for pytest's parser, and lists the names of options."""

    def getgroup(self, *_: str) -> Options:
        return self

    def addoption(self, name: str, **_: object) -> None:
        self.append(name)


def test_option_of_pytest_is_one_of_the_command(vft: Vft, capsys: pytest.CaptureFixture[str]) -> None:
    options = Options()
    plugin_module.pytest_addoption(options)  # type: ignore[arg-type]  # all of a parser that it needs
    with pytest.raises(SystemExit):
        vft("check", "--help")
    ours = set(re.findall(r"^  (?:-h, )?(--[\w-]+)", capsys.readouterr().out, re.MULTILINE))

    assert {name for name in set(options) - ELSEWHERE.keys() if not name.startswith("--vft-eval-")} == {
        option.replace("--", "--vft-", 1) for option in ours - HERE_ONLY.keys()
    }
    assert set(options) >= ELSEWHERE.keys()


def test_option_of_an_evaluation_is_one_of_the_command(vft: Vft, capsys: pytest.CaptureFixture[str]) -> None:
    options = Options()
    plugin_module.pytest_addoption(options)  # type: ignore[arg-type]  # as above
    with pytest.raises(SystemExit):
        vft("eval", "--help")
    ours = set(re.findall(r"^  (?:-h, )?(--[\w-]+)", capsys.readouterr().out, re.MULTILINE))
    shared = {"--base-url", "--max-shown", "--model", "--data-format", "--image-root", "--no-images"}

    assert {name for name in options if name.startswith("--vft-eval-")} - RENAMED == {
        option.replace("--", "--vft-eval-", 1) for option in ours - shared - HERE_ONLY.keys()
    }
    assert set(options) >= {option.replace("--", "--vft-", 1) for option in shared}
