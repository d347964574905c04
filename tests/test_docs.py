"""The commands in the documentation print what it says they print."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")


def blocks(page: str) -> list[tuple[str, str]]:
    return BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))


def steady(text: str) -> str:
    """Leave out what differs from run to run and machine to machine: times, sizes, versions, paths."""
    text = re.sub(r"\d+\.\d+ ?s\b", "N s", text)
    text = re.sub(r"\d[\d,.]* (bytes|kB|MB)", "N bytes", text)
    text = re.sub(
        r"^(platform|rootdir|plugins|cachedir|configfile|hypothesis).*\n", "", text, flags=re.MULTILINE
    )
    text = re.sub(r"=+", "=", text)
    return re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE).strip()


def run(command: str, folder: Path) -> str:
    """Run *command* as it stands, with this Python's vft and pytest."""
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    # pytest says more where it finds CI than on the terminal of a reader.
    environment = {name: os.environ[name] for name in os.environ if not name.startswith(("PYTEST_", "CI"))}
    environment |= {"PATH": path, "COLUMNS": "80"}
    done = subprocess.run(  # noqa: S602 - our own documentation, in a shell as its readers run it
        command, shell=True, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return done.stdout


def follow(page: str, folder: Path) -> int:
    """Run the Python and console blocks of *page* in *folder*; return how many outputs were compared."""
    compared = 0
    for kind, text in blocks(page):
        if kind == "python":
            (folder / "make_data.py").write_text(text, encoding="utf-8")
            run("python make_data.py", folder)
        if kind == "console":
            command, _, expected = text.removeprefix("$ ").partition("\n")
            printed = run(command, folder)
            if expected:
                assert steady(printed) == steady(expected)
                compared += 1
    return compared


def test_the_tutorial_is_true(tmp_path: Path) -> None:
    assert follow("docs/tutorial.md", tmp_path) == 3


def test_the_readme_is_true(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    commands = [text for kind, text in blocks("README.md") if kind == "console"]
    shown = [text for text in commands if "\n" in text.strip()]
    assert len(shown) == 2
    for text in shown:
        command, _, expected = text.removeprefix("$ ").partition("\n")
        assert steady(run(command, tmp_path)) == steady(expected)


def test_the_rule_that_the_guide_writes_holds(tmp_path: Path) -> None:
    page = blocks("docs/how-to/write-a-rule.md")
    rule = tmp_path / "my_rules" / "image" / "tiny.toml"
    rule.parent.mkdir(parents=True)
    rule.write_text(next(text for kind, text in page if kind == "toml"), encoding="utf-8")
    console = next(text for kind, text in page if kind == "console")
    command, _, expected = console.removeprefix("$ ").partition("\n")
    assert run(command, tmp_path) == expected


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_blocks_of_toml_are_toml_and_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for kind, block in BLOCK.findall(text):
        if kind == "toml":
            tomllib.loads(block)
    for target in LINK.findall(text):
        assert (page.parent / target).exists(), target
