"""`vft init`: what it writes works, and nothing that exists is changed."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from check_jsonschema import main as check_jsonschema

from pytest_vft import build_example, write_jsonl
from pytest_vft.catalogue.cases import data_url
from pytest_vft.cli import main

ROOT = Path(__file__).parents[1]
WORKFLOW = Path(".github/workflows/datasets.yml")
TIMEOUT = 120


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_dataset(path: str, mode: str = "rgb") -> None:
    Path(path).parent.mkdir(exist_ok=True)
    write_jsonl(
        path,
        (
            build_example(
                f"What is {number} in {path}?", f"It is {number}.", data_url(f"png {size}x20 {mode}")
            )
            for number, size in enumerate(range(len(path) + 20, len(path) + 30))
        ),
    )


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT)


def run_hook() -> int:
    """Run the hook of the configuration on the files that it selects, as pre-commit does."""
    (repository,) = yaml.safe_load(Path(".pre-commit-config.yaml").read_text())["repos"]
    (hook,) = repository["hooks"]
    shipped = {one["id"]: one for one in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}[
        hook["id"]
    ]
    pattern = hook.get("files", shipped["files"])
    names = [path.relative_to(Path.cwd()).as_posix() for path in sorted(Path.cwd().rglob("*"))]
    chosen = [name for name in names if re.search(pattern, name)]
    assert chosen
    return run(sys.executable, "-m", "pytest_vft", *shlex.split(shipped["entry"])[1:], *chosen).returncode


def snapshot() -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}


def test_nothing_is_written_unless_asked(capsys: pytest.CaptureFixture[str]) -> None:
    write_dataset("data/train.jsonl")
    before = snapshot()

    assert main(["init"]) == 0

    assert snapshot() == before
    assert "nothing was written: --write writes 3 files" in capsys.readouterr().out


def test_empty_project_gets_files_that_work(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "--write"]) == 0

    # Datasets come later, where the comments say.
    Path("test_nothing.py").write_text("def test_nothing() -> None: ...\n")
    assert run(sys.executable, "-m", "pytest", "-p", "no:cacheprovider").returncode == 0
    write_dataset("data/train.jsonl")
    assert run_hook() == 0
    write_dataset("data/train.jsonl", "l")
    assert run_hook() == 1
    check_jsonschema(["--builtin-schema", "vendor.github-workflows", str(WORKFLOW)], standalone_mode=False)
    before = snapshot()
    capsys.readouterr()
    assert main(["init", "--write"]) == 0
    assert snapshot() == before
    assert capsys.readouterr().out.count("kept: ") == 3


def test_datasets_that_are_found_are_checked(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("data/train.jsonl", "data/validation.jsonl", 'data/it\'s "new".jsonl'):
        write_dataset(name)
    Path("log.jsonl").write_text('{"time": 1}\n{"time": 2}\n')

    assert main(["init", "--write", "--provider=openai"]) == 0

    assert "not listed, no dataset: log.jsonl\nnext: vft check\n" in capsys.readouterr().out
    config = tomllib.loads(Path("vft.toml").read_text())
    assert config == {
        "provider": "openai",
        "data": {
            "train": ['data/it\'s "new".jsonl', "data/train.jsonl"],
            "validation": ["data/validation.jsonl"],
        },
    }
    assert main(["check", "--offline"]) == 0
    assert run_hook() == 0
    pytest_run = run(sys.executable, "-m", "pytest", "--vft-only", "-p", "no:cacheprovider", "data")
    assert "failed" not in pytest_run.stdout


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_existing_files_are_kept(newline: str, capsys: pytest.CaptureFixture[str]) -> None:
    project = newline.join(["[project]", 'name = "ours"  # kept', 'version = "1"'])
    Path("pyproject.toml").write_bytes(project.encode())
    hooks = "repos: []\n"
    Path(".pre-commit-config.yaml").write_text(hooks)
    Path(".gitlab-ci.yml").write_text("test: {}\n")

    assert main(["init", "--write", "--provider=together"]) == 0

    shown = capsys.readouterr().out
    assert "add to .pre-commit-config.yaml by hand\n    - repo: https://github.com/" in shown
    written = Path("pyproject.toml").read_bytes().decode()
    assert written.startswith(project + 2 * newline)
    assert written.count("\n") == written.count(newline)
    assert tomllib.loads(written)["tool"]["vft"] == {"provider": "together", "data": {}}
    assert Path(".pre-commit-config.yaml").read_text() == hooks
    assert not WORKFLOW.exists()


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("pyproject.toml", "[tool.vft]\n", "kept: pyproject.toml (exists)"),
        ("pyproject.toml", "tool = {}\n", "add to pyproject.toml by hand"),
        ("vft.toml", "", "kept: vft.toml (exists)"),
    ],
)
def test_configuration_that_exists_is_left_alone(
    name: str, text: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(name).write_text(text)

    assert main(["init", "--write"]) == 0

    assert expected in capsys.readouterr().out
    assert Path(name).read_text() == text


@pytest.mark.parametrize(
    ("arguments", "files", "expected"),
    [
        (["--provider=togeter"], {}, "no provider 'togeter' (did you mean 'together'?); known: a"),
        ([], {"pyproject.toml": "["}, "pyproject.toml"),
        ([], {"pyproject.toml": "\ufeff[project]\n"}, "starts with a byte order mark"),
    ],
)
def test_what_cannot_be_used_is_one_line(
    arguments: list[str], files: dict[str, Any], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in files.items():
        Path(name).write_text(text, encoding="utf-8")

    assert main(["init", "--write", *arguments]) == 2

    error = capsys.readouterr().err
    assert expected in error
    assert error.count("\n") == 1
    assert not WORKFLOW.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_files_that_cannot_be_listed_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    run("git", "init", "--quiet")
    Path(".gitignore").write_text("build/\n/old.jsonl\n")
    names = ["build/train.jsonl", "kept.jsonl", "old.jsonl", "bad\udcff.jsonl", "esc\x1b[31m.jsonl"]
    for name in names:
        write_dataset(name.replace("\udcff", "").replace("\x1b", ""))
    Path("bad.jsonl").rename(names[3])
    Path("esc[31m.jsonl").rename(names[4])

    assert main(["init", "--write"]) == 0

    assert tomllib.loads(Path("vft.toml").read_text())["data"] == {"train": ["kept.jsonl"]}
    shown = capsys.readouterr().out
    assert "not listed, ignored by git: build/train.jsonl, old.jsonl\n" in shown
    assert "in the name: bad\\udcff.jsonl, esc\\x1b[31m.jsonl\n" in shown


def test_below_the_root_of_a_repository_only_a_configuration_is_added(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run("git", "init", "--quiet")
    write_dataset("below/train.jsonl")
    monkeypatch.chdir("below")

    assert main(["init"]) == 0
    assert "--write writes 1 file\n" in capsys.readouterr().out
    Path("../pyproject.toml").write_text("[tool.vft]\n")
    assert main(["init", "--write"]) == 0

    assert [path.name for path in Path().iterdir()] == ["train.jsonl"]
    shown = capsys.readouterr().out
    assert "kept: ../pyproject.toml (exists)" in shown
    assert "hook and workflow: run vft init in .., the root" in shown
    assert "next: list the datasets under [tool.vft.data] in ../pyproject.toml\n" in shown


def test_what_was_written_before_an_error_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    Path("pyproject.toml").write_text("[project]\n")
    Path("pyproject.toml").chmod(0o660)
    mode = Path("pyproject.toml").stat().st_mode
    Path(".github").touch()

    assert main(["init", "--write"]) == 2

    shown = capsys.readouterr()
    assert shown.out == "added to the end of pyproject.toml\nwrote .pre-commit-config.yaml\n"
    assert ".github" in shown.err
    assert Path("pyproject.toml").stat().st_mode == mode


def test_another_provider_is_not_dropped(capsys: pytest.CaptureFixture[str]) -> None:
    Path("pyproject.toml").write_text('[tool.vft]\nprovider = "together"\n')

    assert main(["init", "--provider=together"]) == 0
    assert "kept: pyproject.toml" in capsys.readouterr().out
    assert main(["init", "--provider=openai"]) == 0

    expected = 'by hand\n    [tool.vft]\n    provider = "openai"  # now "together"\n'
    assert f"add to pyproject.toml {expected}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("- run: make  # we do not use vft check here", "would write"),
        ("# uses: pytest-vft/pytest-vft@v1", "would write"),
        ("- run: pip install pytest-vft", "would write"),
        ("- run: vft check --offline", "kept:"),
        ("- uses: pytest-vft/pytest-vft@v1", "kept:"),
        ("- run: pytest --vft-only", "kept:"),
    ],
)
def test_a_workflow_that_runs_vft_is_recognised(
    line: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    WORKFLOW.parent.mkdir(parents=True)
    WORKFLOW.with_name("ours.yml").write_text(f"{line}\n")
    Path(".pre-commit-config.yaml").write_text("repos: [{repo: local, hooks: [{entry: vft check}]}]\n")

    assert main(["init"]) == 0

    shown = capsys.readouterr().out
    assert f"\n{expected} .github/workflows/" in shown
    assert "kept: .pre-commit-config.yaml (exists)" in shown
