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
    assert capsys.readouterr().out.count("is there already") == 3


def test_datasets_that_are_found_are_checked(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("data/train.jsonl", "data/validation.jsonl", 'data/it\'s "new".jsonl'):
        write_dataset(name)
    Path("log.jsonl").write_text('{"time": 1}\n{"time": 2}\n')

    assert main(["init", "--write", "--provider=openai"]) == 0

    assert "no dataset: log.jsonl" in capsys.readouterr().out
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
    assert "for you to add to .pre-commit-config.yaml\n    - repo: https://github.com/" in shown
    written = Path("pyproject.toml").read_bytes().decode()
    assert written.startswith(project + 2 * newline)
    assert written.count("\n") == written.count(newline)
    assert tomllib.loads(written)["tool"]["vft"] == {"provider": "together", "data": {}}
    assert Path(".pre-commit-config.yaml").read_text() == hooks
    assert not WORKFLOW.exists()


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("pyproject.toml", "[tool.vft]\n", "is there already: pyproject.toml"),
        ("pyproject.toml", "tool = {}\n", "for you to add to pyproject.toml"),
        ("vft.toml", "", "is there already: vft.toml"),
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
        (["--provider=togeter"], {}, "unknown provider 'togeter' (did you mean 'together'?)"),
        ([], {"pyproject.toml": "["}, "pyproject.toml"),
    ],
)
def test_what_cannot_be_used_is_one_line(
    arguments: list[str], files: dict[str, Any], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in files.items():
        Path(name).write_text(text)

    assert main(["init", "--write", *arguments]) == 2

    error = capsys.readouterr().err
    assert expected in error
    assert error.count("\n") == 1
    assert not WORKFLOW.exists()
