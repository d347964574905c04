"""The commands in the documentation print the documented output."""

from __future__ import annotations

import re
import shlex
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from documented import BLOCK, ROOT, blocks, follow, run, steady
from evaluation.server import Reply, Request, question_of, serving
from PIL import Image

from pytest_vft import build_example, write_jsonl
from pytest_vft.cli import main

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")
OURS = "https://github.com/pytest-vft/pytest-vft/blob/main/"  # PyPI shows the README without the other files


def test_the_guide_to_a_dirty_dataset_is_true(tmp_path: Path) -> None:
    assert follow("docs/how-to/adopt-on-a-dirty-dataset.md", tmp_path) == 8


def test_the_guide_to_comparisons_is_true(tmp_path: Path) -> None:
    assert follow("docs/how-to/compare-providers.md", tmp_path) == 1


@pytest.mark.parametrize(
    "trainer", ["with-llamafactory", "with-trl", "with-swift", "with-axolotl", "on-vertex", "on-bedrock"]
)
def test_the_guides_to_trainers_are_true(trainer: str, tmp_path: Path) -> None:
    assert follow(f"docs/how-to/train-{trainer}.md", tmp_path) == 1


def test_the_guide_to_parquet_is_true(tmp_path: Path) -> None:
    assert follow("docs/how-to/parquet.md", tmp_path) == 2


def test_the_guide_away_from_openai_is_true(tmp_path: Path) -> None:
    assert follow("docs/how-to/leave-openai.md", tmp_path) == 10


def test_the_guide_to_builds_is_true(tmp_path: Path) -> None:
    assert follow("docs/how-to/build.md", tmp_path) == 3


def test_the_guide_to_builds_from_exports_is_true(tmp_path: Path) -> None:
    assert follow("docs/how-to/build-from-exports.md", tmp_path) == 4


def test_the_guide_from_rows_to_an_evaluation_is_true(tmp_path: Path) -> None:
    assert follow("docs/how-to/from-rows-to-evaluation.md", tmp_path) == 2


def test_the_guide_to_conversions_is_true(tmp_path: Path) -> None:
    assert follow("docs/how-to/convert.md", tmp_path) == 2


def commands(workflow: Any, key: str = "") -> Iterator[str]:
    """Yield the commands in *workflow*, of GitHub or GitLab."""
    if isinstance(workflow, dict):
        for name, inner in workflow.items():
            yield from commands(inner, name)
    elif isinstance(workflow, list):
        for inner in workflow:
            yield from commands(inner, key)
    elif key in {"run", "script"}:
        yield workflow


@pytest.mark.parametrize(
    ("page", "written"),
    [
        ("docs/how-to/github-actions.md", {"vft.sarif", "summary.md", "vft.md"}),
        ("docs/how-to/gitlab.md", {"gl-code-quality-report.json", "junit.xml"}),
    ],
)
def test_the_workflows_run(page: str, written: set[str], tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples" / "books", tmp_path / "data")
    workflows = [yaml.safe_load(text) for kind, text in blocks(page) if kind == "yaml"]
    ours = [command for command in commands(workflows) if command.startswith(("vft ", "pytest "))]
    for command in ours:
        run(command, tmp_path)
    action = [workflow for workflow in workflows if "uses: pytest-vft/" in yaml.safe_dump(workflow)]
    assert len(ours) == len(workflows) - len(action)  # tests/test_action.py runs the action
    assert {path.name for path in tmp_path.iterdir()} - {"data", ".pytest_cache", ".vft_cache"} == written


def test_the_guide_to_evaluations_is_true(tmp_path: Path) -> None:
    page = blocks("docs/how-to/judge-predictions.md")
    (tmp_path / "make_data.py").write_text(next(text for kind, text in page if kind == "python"))
    run("python make_data.py", tmp_path)
    shown = [text for kind, text in page if kind == "console" and "\n" in text.strip()]
    assert len(shown) == 2
    for text in shown:
        command, _, expected = text.removeprefix("$ ").partition("\n")
        assert steady(run(command, tmp_path)) == steady(expected)


def test_the_guide_to_large_datasets_is_true(tmp_path: Path) -> None:
    shutil.copy(ROOT / "examples" / "books" / "train.jsonl", tmp_path)
    ((_, program),) = blocks("docs/how-to/large-datasets.md")
    (tmp_path / "check.py").write_text(program, encoding="utf-8")

    assert run("python check.py", tmp_path) == "True\n"


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


def test_the_guide_to_providers_is_true(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples" / "books", tmp_path / "books")
    compared = 0
    for kind, text in blocks("docs/how-to/write-a-provider.md"):
        if kind == "toml":
            file = tmp_path / text.partition("\n")[0].removeprefix("# ")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        else:
            command, _, expected = text.removeprefix("$ ").partition("\n")
            assert steady(run(command, tmp_path)) == steady(expected)
            compared += 1
    assert compared == 4


def test_the_guide_to_data_urls_embeds_images(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "images" / "a.png")
    write_jsonl(
        tmp_path / "train.jsonl", [build_example("What?", "That.", "https://example.com/x/a.png?w=1")]
    )
    (script,) = [text for kind, text in blocks("docs/how-to/image-urls.md") if kind == "python"]
    (tmp_path / "embed.py").write_text(script, encoding="utf-8")

    run("python embed.py", tmp_path)

    assert "data:image/png;base64," in (tmp_path / "embedded.jsonl").read_text(encoding="utf-8")


def anchors(page: Path) -> list[str]:
    """Return the anchors of the headings of *page*, as GitHub makes them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.+)", text, re.MULTILINE)
    return [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_blocks_are_what_they_say_and_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for kind, block in BLOCK.findall(text):
        if kind == "toml":
            tomllib.loads(block)
        if kind == "yaml":
            yaml.safe_load(block)
    for target in LINK.findall(text):
        assert (page.parent / target).exists(), target
        if (ROOT / "docs") in page.parents:  # the site has nothing else
            assert (page.parent / target).resolve().is_relative_to(ROOT / "docs"), target
    for target in re.findall(rf"\]\({OURS}([^)#]+)", text):
        assert (ROOT / target).exists(), target
    for ours, target, anchor in re.findall(rf"\]\(({OURS})?([^):#]*)#([^)]+)\)", text):
        other = (ROOT if ours else page.parent) / target if target else page
        assert anchor in anchors(other), f"{target}#{anchor}"


def test_the_first_page_links_to_each_page() -> None:
    linked = set(LINK.findall((ROOT / "docs/index.md").read_text(encoding="utf-8")))
    generated = ("reference/rules/", "reference/providers/")
    pages = {page.relative_to(ROOT / "docs").as_posix() for page in ROOT.glob("docs/**/*.md")}

    assert linked >= {page for page in pages if not page.startswith((*generated, "index.md"))}


def test_the_tests_that_the_security_model_names_exist() -> None:
    text = (ROOT / "docs/explanation/security.md").read_text(encoding="utf-8")

    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)
    assert len(named) > 10
    for path, name in named:
        assert f"\ndef {name}(" in (ROOT / path).read_text(encoding="utf-8"), f"{path}::{name}"


def test_the_readme_has_absolute_links_only() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")

    assert not LINK.findall(text)
    assert f"({OURS}docs/index.md)" in text


def test_the_urls_of_the_project_lead_to_files_of_it() -> None:
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]

    assert sorted(urls) == ["Changelog", "Documentation", "Homepage", "Issues"]
    for name in ("Changelog", "Documentation"):
        assert (ROOT / urls[name].removeprefix(OURS)).is_file()


WRONG = range(15, 23)  # the questions that the new model answers wrong


def new_model(request: Request, _: int) -> Reply:
    number = int(re.findall(r"\[(\d+)\]", question_of(request))[0])
    return Reply("Yes" if (number % 3 > 0) != (number in WRONG) else "No")


def test_the_guide_to_a_gate_is_true(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    page = blocks("docs/how-to/gate-a-release.md")
    Path("make_data.py").write_text(next(text for kind, text in page if kind == "python"), encoding="utf-8")
    run("python make_data.py", tmp_path)
    live, last_week, in_pytest = (
        text.removeprefix("$ ").partition("\n")[::2] for kind, text in page if kind == "console"
    )

    with serving(new_model) as endpoint:
        monkeypatch.setenv("AZURE_OPENAI_API_KEY", "azure-secret-of-the-tests")
        monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", endpoint.url.removesuffix("/v1"))
        assert main(shlex.split(live[0])[1:]) == 0
        assert steady(capsys.readouterr().out) == steady(live[1])
        assert len(endpoint.requests) == 120
        assert {one["model"] for one in endpoint.requests} == {"cards-prod"}
        assert all("/deployments/cards-prod/" in path for path in endpoint.paths)
        assert main(shlex.split(live[0])[1:]) == 0
        assert len(endpoint.requests) == 120

    capsys.readouterr()
    assert main(shlex.split(last_week[0])[1:]) == 2
    done = capsys.readouterr()
    assert (done.out, steady(done.err)) == ("", steady(last_week[1]))
    assert steady(run(in_pytest[0], tmp_path)) == steady(in_pytest[1])
