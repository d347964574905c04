"""The action for GitHub: its file, and its steps, run as the runner runs them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import yaml
from github_runner import read_log

from pytest_vft import build_example, write_jsonl
from pytest_vft.catalogue.cases import data_url

ROOT = Path(__file__).parents[1]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
TIMEOUT = 120


def test_action_follows_the_schema_of_actions() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-actions"]

    subprocess.run([*command, ROOT / "action.yml"], check=True, timeout=TIMEOUT)


class Runner:
    """Runs the steps of the action that are scripts; those of other actions are left out."""

    def __init__(self, folder: Path) -> None:
        self.work, self.temp, self.output = folder / "work", folder / "temp", folder / "output"
        self.work.mkdir()
        self.temp.mkdir()
        # The packages that we depend on, and the one that builds ours, are borrowed from here.
        self.env = os.environ | {
            "GITHUB_ACTION_PATH": str(ROOT),
            "GITHUB_OUTPUT": str(self.output),
            "PYTHONPATH": sysconfig.get_path("purelib"),
            "PIP_NO_BUILD_ISOLATION": "0",  # which means that there is none
            "PIP_NO_DEPS": "1",
            "PIP_NO_INDEX": "1",
            "RUNNER_TEMP": str(self.temp),
        }
        self.values = {"steps.python.outputs.python-path": sys.executable}
        self.run(next(step for step in ACTION["runs"]["steps"] if step.get("id") == "install"))
        name, _, value = self.output.read_text().strip().partition("=")
        self.values[f"steps.install.outputs.{name}"] = value

    def run(self, step: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        env = {name: self.evaluate(value) for name, value in step["env"].items()}
        assert "${{" not in step["run"], "an input in a script is code"
        shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        return subprocess.run(
            shell,
            env=self.env | env,
            cwd=self.work,
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT,
        )

    def evaluate(self, value: str) -> str:
        return re.sub(r"\$\{\{ (.+?) \}\}", lambda match: self.values[match[1]], value)

    def check(self, **inputs: str) -> subprocess.CompletedProcess[str]:
        """Run the step that checks, with *inputs*."""
        assert set(inputs) <= set(ACTION["inputs"])
        for name, declared in ACTION["inputs"].items():
            self.values[f"inputs.{name}"] = inputs.get(name, declared["default"])
        (step,) = (step for step in ACTION["runs"]["steps"] if "PATHS" in step.get("env", ()))
        return self.run(step)


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Runner:
    runner = Runner(tmp_path_factory.mktemp("runner"))
    for name, modes in (("clean", ["rgb"] * 10), ("two words", ["rgb"] * 9 + ["l"])):
        examples = (
            build_example(
                f"What is {number} in {name}?", f"It is {number}.", data_url(f"png {20 + number}x20 {mode}")
            )
            for number, mode in enumerate(modes)
        )
        write_jsonl(runner.work / f"{name}.jsonl", examples)
    return runner


def test_clean_files_pass(runner: Runner) -> None:
    done = runner.check(paths="clean.jsonl\r\n", args="--offline\r\n--depth=header")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "PASSED" in done.stdout


def test_each_input_is_used(runner: Runner) -> None:
    done = runner.check(
        paths="clean.jsonl\ntwo words.jsonl",
        provider="openai",
        args="--offline",
        report="csv:findings.csv\nmarkdown:two words.md\n",
        sarif="vft.sarif",
    )

    assert done.returncode == 1, done.stdout + done.stderr
    errors = [command for command in read_log(done.stdout) if command.name == "error"]
    assert [error.properties["file"] for error in errors] == ["two words.jsonl"]
    assert "provider openai" in done.stdout or "OpenAI" in done.stdout
    assert json.loads((runner.work / "vft.sarif").read_text())["runs"]
    assert (runner.work / "findings.csv").exists()
    assert (runner.work / "two words.md").exists()


@pytest.mark.parametrize("name", ["paths", "provider", "args", "report", "sarif"])
def test_no_input_is_run(runner: Runner, name: str) -> None:
    done = runner.check(**{name: "$(touch owned) `touch owned` ; touch owned"})

    assert done.returncode == 2, done.stdout + done.stderr
    assert not (runner.work / "owned").exists()


@pytest.mark.parametrize("paths", ["", "  \n "])
def test_without_paths_the_configuration_is_checked(runner: Runner, paths: str) -> None:
    (runner.work / "vft.toml").write_text('data.train = "clean.jsonl"\n')

    done = runner.check(paths=paths, args="--offline")

    (runner.work / "vft.toml").unlink()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "clean.jsonl" in done.stdout
