"""The hook, run by pre-commit with the configuration of a user."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
NEEDED = ["src", "rules", "pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml"]
# An environment is made and our dependencies are fetched.
TIMEOUT = 300


def run(*command: str | Path, cwd: Path, home: str = "") -> subprocess.CompletedProcess[str]:
    # Git speaks through the environment to what its hooks run, as this may be.
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    env |= {"PRE_COMMIT_HOME": home, "PRE_COMMIT_COLOR": "never"}
    return subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=TIMEOUT
    )


def commit_all(folder: Path) -> None:
    git = ["git", "-c", "user.name=Test", "-c", "user.email=test@example.com"]
    for command in (
        ["init", "-q"],
        ["add", "-A"],
        ["commit", "-q", "--no-verify", "--allow-empty", "-m", "All"],
    ):
        assert run(*git, *command, cwd=folder).returncode == 0


def write_dataset(path: Path, mode: str) -> None:
    """Write ten training examples to *path*, each with an image of *mode*."""
    with path.open("w", encoding="utf-8") as file:
        for number in range(10):
            image = io.BytesIO()
            Image.new("L", (32, 32), 20 * number).convert(mode).save(image, "PNG")
            url = "data:image/png;base64," + base64.b64encode(image.getvalue()).decode()
            question = [
                {"type": "text", "text": f"How dark is image {number} of {path.stem}?"},
                {"type": "image_url", "image_url": {"url": url}},
            ]
            messages = [
                {"role": "user", "content": question},
                {"role": "assistant", "content": f"It is {number}."},
            ]
            file.write(json.dumps({"messages": messages}) + "\n")


@pytest.fixture(scope="module")
def hooks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of the hook as it stands, whether committed or not."""
    folder = tmp_path_factory.mktemp("hooks")
    for name in NEEDED:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, folder)
    commit_all(folder)
    return folder


@pytest.fixture
def user(tmp_path: Path) -> Path:
    """A repository with one clean dataset."""
    folder = tmp_path / "user"
    folder.mkdir()
    (folder / "README.md").write_text("Not a dataset.\n")
    write_dataset(folder / "clean.jsonl", "RGB")
    return folder


def run_hook(hooks: Path, user: Path, hook: str = "vft") -> subprocess.CompletedProcess[str]:
    revision = run("git", "rev-parse", "HEAD", cwd=hooks).stdout.strip()
    used = [{"repo": str(hooks), "rev": revision, "hooks": [{"id": "vft"}, {"id": "vft-fix"}]}]
    # JSON is YAML. All tests share the environment of the hooks, which takes long to make.
    (user / ".pre-commit-config.yaml").write_text(json.dumps({"repos": used}))
    commit_all(user)
    command = [sys.executable, "-m", "pre_commit", "run", hook, "--all-files"]
    return run(*command, cwd=user, home=str(hooks.parent / "pre-commit"))


def test_files_are_repaired_in_place_and_then_pass(hooks: Path, user: Path) -> None:
    write_dataset(user / "faulty.jsonl", "L")
    clean = (user / "clean.jsonl").read_bytes()

    first = run_hook(hooks, user, "vft-fix")
    second = run_hook(hooks, user, "vft-fix")

    assert first.returncode == 1, first.stdout + first.stderr
    assert "files were modified by this hook" in first.stdout
    assert second.returncode == 0, second.stdout + second.stderr
    assert run_hook(hooks, user).returncode == 0
    assert (user / "clean.jsonl").read_bytes() == clean


def test_clean_dataset_passes(hooks: Path, user: Path) -> None:
    result = run_hook(hooks, user)

    assert result.returncode == 0, result.stdout + result.stderr
    assert "Passed" in result.stdout


def test_fault_is_named_with_rule_file_and_line(hooks: Path, user: Path) -> None:
    write_dataset(user / "faulty.jsonl", "L")

    result = run_hook(hooks, user)

    assert result.returncode == 1, result.stdout + result.stderr
    printed = result.stdout.splitlines()
    assert "faulty.jsonl:1: error image/unsupported-mode [*]: mode is L; expected RGB or RGBA" in printed
    verdict = "FAILED  10 of 20 lines have errors (10 findings) in 1 of 2 files"
    assert f"{verdict}; [*] 10 can be repaired: vft fix faulty.jsonl" in printed
    assert "clean.jsonl:" not in result.stdout
    assert "vft: provider" not in result.stdout
