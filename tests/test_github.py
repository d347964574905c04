"""The files for GitHub: valid by the schemas that GitHub's editors use, and about what is there."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted(GITHUB.glob("workflows/*.yml"))
SCHEMAS = {
    "vendor.github-workflows": WORKFLOWS,
    "custom.github-workflows-require-timeout": WORKFLOWS,
    "vendor.github-issue-forms": sorted(GITHUB.glob("ISSUE_TEMPLATE/[0-9]*.yml")),
    "vendor.github-issue-config": [GITHUB / "ISSUE_TEMPLATE" / "config.yml"],
    "vendor.dependabot": [GITHUB / "dependabot.yml"],
}


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("schema", SCHEMAS)
def test_files_are_valid(schema: str) -> None:
    assert SCHEMAS[schema]
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *SCHEMAS[schema]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


def test_each_supported_python_is_tested_on_each_system() -> None:
    matrix = read(GITHUB / "workflows" / "ci.yml")["jobs"]["tests"]["strategy"]["matrix"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    versions = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))
    assert matrix["python"] == versions
    assert {one.partition("-")[0] for one in matrix["os"]} == {"ubuntu", "macos", "windows"}


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_may_only_read_and_run_no_text_of_others(workflow: Path) -> None:
    assert read(workflow)["permissions"] == {"contents": "read"}
    for job in read(workflow)["jobs"].values():
        for step in job["steps"]:
            assert "${{" not in step.get("run", "")
            assert (
                not step.get("uses", "").startswith("actions/checkout")
                or not step["with"]["persist-credentials"]
            )


def test_workflows_name_files_that_exist() -> None:
    commands = [
        step["run"]
        for path in WORKFLOWS
        for job in read(path)["jobs"].values()
        for step in job["steps"]
        if "run" in step
    ]
    named = {
        word for command in commands for word in command.split() if re.fullmatch(r"[\w.]+(?:/[\w.]+)+", word)
    }

    assert {".ci/run", "docs/generate.py", "examples/books/train.jsonl"} <= named
    assert not [name for name in named if not (ROOT / name).exists()]
