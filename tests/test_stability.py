"""What docs/reference/stability.md promises: formats as stored, and a page that names all of them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from evaluation.files import prediction, question, write_lines
from plugin.project import drawn
from structures import SAMPLES, assert_as_stored

import pytest_vft
from pytest_vft import build_example, write_jsonl
from pytest_vft.catalogue.load import shipped_rules
from pytest_vft.cli import main
from pytest_vft.options import COMMANDS, OPTIONS

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/reference/stability.md").read_text(encoding="utf-8")
DETAILS = "".join(
    (ROOT / f"docs/reference/{name}.md").read_text(encoding="utf-8") for name in ("report", "plan")
)
EVAL_MAPS = {".gates[].groups", ".gates[].by"}
REPORT_MAPS = {".truncated", ".files[].bad_lines"}

Run = Callable[..., Any]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return what runs a command in a folder with a faulty dataset, and returns its JSON."""
    monkeypatch.chdir(tmp_path)
    examples = [
        build_example(
            f"What is {n}?",
            "A square.",
            "https://example.com/1.png" if n == 5 else drawn("L" if n == 3 else "RGB", n),
        )
        for n in range(12)
    ]
    write_jsonl("train.jsonl", examples)

    def run(*arguments: str) -> Any:
        assert main(arguments) in (0, 1)
        return json.loads(capsys.readouterr().out)

    return run


def test_reports_are_as_stored(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    report = run("check", "train.jsonl", "--offline", "--format=json")
    assert main(["check", "train.jsonl", "--offline", "--write-baseline"]) == 0
    capsys.readouterr()
    known = run("check", "train.jsonl", "--offline", "--baseline=vft-baseline.json", "--format=json")
    baseline = json.loads(Path("vft-baseline.json").read_text(encoding="utf-8"))

    assert (len(report["findings"]), len(known["known"])) == (1, 1)
    assert_as_stored([report, known], REPORT_MAPS)
    assert_as_stored([baseline], {".findings", ".findings.*", ".findings.*.*"})


def test_comparisons_of_providers_are_as_stored(run: Run) -> None:
    assert_as_stored([run("providers", "train.jsonl", "--offline", "--format=json")])


def test_evaluations_are_as_stored(run: Run) -> None:
    write_lines("test.jsonl", [question(n, image=n, truth="Yes") for n in range(20)])
    for name, wrong in (("new", 3), ("old", 5)):
        write_lines(
            f"{name}.jsonl",
            [prediction(n, "No" if n < wrong else "Yes", "Yes", kind=n % 2) for n in range(20)],
        )
    arguments = (
        "new.jsonl",
        "--test=test.jsonl",
        "--against=old.jsonl",
        "--min-accuracy=0.5",
        "--by=kind",
        "--min-n=5",
    )

    results = run("eval", *arguments, "--format=json")

    assert results["comparisons"]
    assert_as_stored([results], EVAL_MAPS)


def test_the_page_and_the_samples_have_all_formats() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))

    formats = set(re.findall(r'"(vft-[a-z]+/\d+)"', code))
    assert formats == set(re.findall(r"`(vft-[a-z]+/\d+)`", PAGE))
    assert formats == {"/".join(path.stem.rsplit("-", 1)) for path in SAMPLES.glob("*.txt")}


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("*.txt")), ids=lambda path: path.stem)
def test_each_key_is_documented(sample: Path) -> None:
    keys = set(re.findall(r"\.(\w+)", sample.read_text(encoding="utf-8")))

    if sample.stem not in ("vft-record-1", "vft-baseline-1"):  # read by vft only
        assert not {key for key in keys if f"`{key}`" not in DETAILS}


def test_released_names_still_exist() -> None:
    """Names that were released, so that one that goes away is noticed; VFT_WRITE_SAMPLES=1 adds new ones."""
    path = SAMPLES / "names.lst"
    names = {
        *(f"command {command.name}" for command in COMMANDS),
        *(f"option --{option.name}" for option in OPTIONS),
        *(f"option {option.pytest_name}" for option in OPTIONS if option.pytest_name),
        *(f"rule {id_}" for id_ in shipped_rules()),
        *(f"python {name}" for name in pytest_vft.__all__),
    }
    if os.environ.get("VFT_WRITE_SAMPLES"):
        path.write_text("".join(f"{name}\n" for name in sorted(names)), encoding="utf-8")

    released = set(path.read_text(encoding="utf-8").splitlines())
    assert len(released) > 200
    assert released <= names
