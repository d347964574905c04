"""`--with-loader`: readers of providers run in a process of their own, and only on request."""

from __future__ import annotations

import json
import os
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from pytest_vft import build_example, compare_providers, write_jsonl
from pytest_vft.catalogue.cases import data_url, draw
from pytest_vft.catalogue.providers import load_provider
from pytest_vft.cli import main
from pytest_vft.compatibility import LoaderResult
from pytest_vft.loaders.images import ImageOpener
from pytest_vft.loaders.process import run_loader

# Packages of providers that .ci/targets has installed for this Python, if they are not beside pytest-vft.
ELSEWHERE = sysconfig.get_path("purelib", vars={"base": f"{os.environ.get('VFT_TEST_TARGETS')}/current"})
CHECKER = """
print("{")  # what a reader prints is no answer


def check_file(file):
    lines = open(file).read().splitlines()
    bad = next((number for number, line in enumerate(lines, 1) if "bad" in line), None)
    return {"is_check_passed": bad is None, "message": "\\x1b[31mThe line is bad.", "line_number": bad}
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def fake(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package together 2.14.0 on the search path, whose checker refuses lines with "bad"."""
    folder = tmp_path_factory.mktemp("packages")
    inner = folder / "together" / "lib" / "utils"
    inner.mkdir(parents=True)
    for package in (inner, inner.parent, inner.parent.parent):
        (package / "__init__.py").touch()
    (inner / "files.py").write_text(CHECKER)
    metadata = folder / "together-2.14.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: together\nVersion: 2.14.0\n")
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return folder


def cards(number: int = 12, word: str = "Card") -> list[dict[str, Any]]:
    return [
        build_example(f"Which card is {n}?", f"{word} {n}", data_url("png 24x24 rgb")) for n in range(number)
    ]


@pytest.mark.usefixtures("fake")
def test_reader_takes_files() -> None:
    write_jsonl("train.jsonl", cards())

    assert run_loader("together", ["train.jsonl"], []) == LoaderResult("together 2.14.0")


@pytest.mark.usefixtures("fake")
def test_reader_refuses_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    write_jsonl("train.jsonl", [*cards(), *cards(1, "bad")])

    assert main(["providers", "train.jsonl", "--provider=together,openai", "--with-loader"]) == 0
    out = " ".join(capsys.readouterr().out.split())

    assert "loader: together 2.14.0: train.jsonl:13: \\x1b[31mThe line is bad." in out
    assert "loader: vft knows none" in out
    assert "\x1b" not in out


def test_reader_runs_only_on_request(fake: Path) -> None:
    (fake / "together" / "__init__.py").write_text("raise SystemExit('run')")
    write_jsonl("train.jsonl", cards())

    one = compare_providers("train.jsonl", providers=["together"])["together"]

    assert one.loader is None


def test_reader_is_not_taken_from_the_folder_of_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    Path("json.py").write_text("open('run', 'w')")
    write_jsonl("train.jsonl", cards())

    run_loader("together", ["train.jsonl"], [])

    assert not Path("run").exists()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("import os\nos._exit(3)", "ended with exit code 3 and without an answer"),
        ("check_files = None", "this version cannot be used: ImportError: "),
        ("def check_file(file):\n    raise ValueError('no\\nline')", "ValueError: no line"),
    ],
)
def test_reader_that_fails(fake: Path, content: str, problem: str) -> None:
    (fake / "together" / "lib" / "utils" / "files.py").write_text(content)
    write_jsonl("train.jsonl", cards())

    result = run_loader("together", ["train.jsonl"], [])

    assert str(result.problem).startswith(problem)


def test_reader_that_is_not_installed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "")
    write_jsonl("train.jsonl", cards())
    result = run_loader("google-genai", ["train.jsonl"], [])
    if result.installed:
        pytest.skip("google-genai is installed")

    assert main(["providers", "train.jsonl", "--provider=vertex", "--with-loader", "--format=json"]) == 0

    (one,) = json.loads(capsys.readouterr().out)["providers"]
    assert one["loader"]["installed"] is False
    assert one["loader"]["reader"] == "google-genai"


@pytest.mark.parametrize("image", ["https://example.com/a.png", "../secret.png", "/etc/passwd", "link.png"])
def test_images_elsewhere_are_not_opened(image: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "secret.png").write_bytes(draw("png 24x24 rgb")[1])
    (tmp_path / "data" / "link.png").symlink_to(tmp_path / "secret.png")
    opener = ImageOpener([])

    opener.open(image, str(tmp_path / "data" / "train.jsonl"))

    assert opener.unopened == 1
    assert not opener.opened


# The real readers


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    if Path(ELSEWHERE).exists():
        monkeypatch.setenv("PYTHONPATH", ELSEWHERE)


def loaded(name: str, *examples: dict[str, Any]) -> LoaderResult:
    write_jsonl("train.jsonl", examples)
    result = run_loader(name, ["train.jsonl"], [])
    if not result.installed:
        pytest.skip(f"{name} is not installed")
    return result


def in_column(example: dict[str, Any], *images: str) -> dict[str, Any]:
    content = example["messages"][0]["content"]
    content[:] = [{"type": "image"} if part["type"] == "image_url" else part for part in content]
    example["messages"][1]["content"] = [{"type": "text", "text": example["messages"][1]["content"]}]
    return {**example, "images": list(images)}


@pytest.mark.usefixtures("installed")
def test_trl_opens_no_image_without_a_column_and_all_with_one() -> None:
    blind = loaded("trl", *cards(3))
    seeing = loaded("trl", *(in_column(card, data_url("png 24x24 rgb")) for card in cards(3)))

    assert (blind.problem, blind.images) == (None, 0)
    assert (seeing.problem, seeing.images) == (None, 3)


@pytest.mark.usefixtures("installed")
def test_trl_quotes_what_is_wrong() -> None:
    result = loaded("trl", *(in_column(card) for card in cards(2)))

    assert "train.jsonl:1: ValueError: Number of images" in str(result.problem)


@pytest.mark.usefixtures("installed")
def test_load_image_opens_the_images_of_parts_for_axolotl_only() -> None:
    """Unsloth, ms-swift and LLaMA-Factory have readers of images of their own, which are not run."""
    seen = loaded("transformers", *cards(3))

    assert (seen.images, " and transformers " in seen.reader) == (3, True)
    assert loaded("datasets", *cards(3)).images is None
    loaders = {name: load_provider(name).loader for name in ("axolotl", "llamafactory", "swift", "unsloth")}
    assert loaders == {**dict.fromkeys(loaders, "datasets"), "axolotl": "transformers"}


@pytest.mark.usefixtures("installed")
def test_together_agrees_about_mixed_contents() -> None:
    result = loaded("together", *cards(3))
    one = compare_providers("train.jsonl", providers=["together"])["together"]

    assert "train.jsonl:1: " in str(result.problem)
    assert [reason.rule for reason in one.reasons] == ["example/mixed-content"]


@pytest.mark.usefixtures("installed")
def test_gemini_contents_are_validated() -> None:
    part = {"text": "Which?"}

    assert loaded("google-genai", {"contents": [{"role": "user", "parts": [part]}]}).problem is None
    assert "train.jsonl:1: " in str(
        loaded("google-genai", {"contents": [{"role": "user", "part": []}]}).problem
    )
