"""An image is decoded only the first time, and the report is the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pytest_vft.catalogue.cases import data_url
from pytest_vft.reading import image_reader
from pytest_vft.reading.images import ImageMeasurements, read_image
from pytest_vft.runs.lint import lint

SIZES = range(16, 28)
SPECS = [f"png {size}x16 rgb" for size in SIZES]


def example(spec: str) -> str:
    image = {"type": "image_url", "image_url": {"url": data_url(spec)}}
    messages = [
        {"role": "user", "content": [{"type": "text", "text": f"What is {spec}?"}, image]},
        {"role": "assistant", "content": "A dog."},
    ]
    return json.dumps({"messages": messages})


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write(*SPECS)
    return tmp_path


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that grows by the width of each image that is decoded."""
    widths: list[int] = []

    def spy(data: bytes, **settings: Any) -> tuple[ImageMeasurements, Image.Image | None]:
        read = read_image(data, **settings)
        widths.append(read[0].width or 0)
        return read

    monkeypatch.setattr(image_reader, "read_image", spy)
    return widths


def write(*specs: str) -> None:
    Path("train.jsonl").write_text("".join(example(spec) + "\n" for spec in specs), encoding="utf-8")


def test_second_run_decodes_nothing_and_says_the_same(decoded: list[int]) -> None:
    write(*SPECS, "jpeg 16x16 l", "jpeg 64x64 rgb cut=200", "gif 16x16 p")

    first = lint("train.jsonl")
    number = len(decoded)
    second = lint("train.jsonl")

    assert number == len(SPECS) + 3
    assert len(decoded) == number
    assert second == first
    assert not first.ok


def test_one_changed_line_is_one_decoded_image(decoded: list[int]) -> None:
    lint("train.jsonl")
    decoded.clear()
    write(*SPECS[:-1], "png 99x16 rgb")

    lint("train.jsonl")

    assert decoded == [99]


def test_image_that_stands_often_is_decoded_once(decoded: list[int]) -> None:
    write(*SPECS, *SPECS, *SPECS)

    lint("train.jsonl", cache=False)

    assert decoded == list(SIZES)


def test_header_depth_keeps_nothing(here: Path) -> None:
    assert lint("train.jsonl", depth="header").ok
    assert not (here / ".vft_cache").exists()


def test_without_cache_nothing_is_kept_or_used(here: Path, decoded: list[int]) -> None:
    lint("train.jsonl", cache=False)
    assert not (here / ".vft_cache").exists()

    lint("train.jsonl")
    lint("train.jsonl", cache=False)

    assert len(decoded) == 3 * len(SPECS)


def test_what_was_kept_for_another_depth_is_not_used(decoded: list[int]) -> None:
    lint("train.jsonl")
    lint("train.jsonl", depth="header")

    assert len(decoded) == 2 * len(SPECS)


def test_nothing_to_remember_leaves_nothing_behind(here: Path) -> None:
    text = {"messages": [{"role": "user", "content": "What?"}, {"role": "assistant", "content": "A dog."}]}
    Path("train.jsonl").write_text((json.dumps(text) + "\n") * 10, encoding="utf-8")

    lint("train.jsonl")

    assert not (here / ".vft_cache").exists()


def test_git_ignores_the_cache(here: Path) -> None:
    lint("train.jsonl")

    assert (here / ".vft_cache" / ".gitignore").read_text(encoding="utf-8") == "*\n"


def test_cache_stands_beside_the_configuration(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "vft.toml").write_text("", encoding="utf-8")
    (here / "below").mkdir()
    monkeypatch.chdir(here / "below")

    lint("../train.jsonl")

    assert (here / ".vft_cache" / "images.sqlite").exists()


def test_broken_cache_is_set_aside_with_a_note(here: Path, decoded: list[int]) -> None:
    lint("train.jsonl")
    (here / ".vft_cache" / "images.sqlite").write_bytes(b"no database" * 1000)
    decoded.clear()

    report = lint("train.jsonl")

    assert len(decoded) == len(SPECS)
    (note,) = report.notes
    assert "images.sqlite is renamed to images.broken" in note
    assert (here / ".vft_cache" / "images.broken").exists()
    assert not lint("train.jsonl").notes
    assert len(decoded) == len(SPECS)


def test_cache_that_cannot_be_written_costs_nothing_but_itself(here: Path) -> None:
    (here / ".vft_cache").write_text("a file where a folder should be", encoding="utf-8")

    report = lint("train.jsonl")

    assert report.ok
    (note,) = report.notes
    assert ".vft_cache" in note


def test_runs_at_the_same_time_do_not_disturb_each_other(here: Path) -> None:
    write(*(f"png {size}x{size} rgb" for size in range(10, 120)))
    command = [sys.executable, "-c", "from pytest_vft.cli import main; main(['check', '--format=json'])"]
    (here / "vft.toml").write_text('[data]\ntrain = ["train.jsonl"]\n', encoding="utf-8")

    runs = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)
    ]
    said = [run.communicate(timeout=60) for run in runs]

    assert len({out for out, _ in said}) == 1
    assert {err for _, err in said} == {""}
    assert json.loads(said[0][0])["ok"]
