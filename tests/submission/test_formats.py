"""Formats of submissions, as docs/reference/stability.md promises them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from structures import assert_as_stored

from pytest_vft.cli import main

from .fake_server import FakeServer

PLAN_MAPS = {
    ".expected_skips",
    ".predicted_skips",
    ".request.settings",
    ".requests[].headers",
    ".requests[].body",
    ".requests[].body.*",
}


def test_formats_are_as_stored(
    fake: FakeServer, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert folder.is_dir()
    monkeypatch.setenv("OPENAI_BASE_URL", fake.url)

    def printed(*arguments: str) -> list[dict[str, object]]:
        assert main(["submit", *arguments, "--format=json"]) == 0
        return [json.loads(capsys.readouterr().out)]

    assert_as_stored(printed("plan", "train.jsonl"), PLAN_MAPS)
    assert_as_stored(printed("preflight", "train.jsonl"), {".uploaded"})
    assert_as_stored(
        printed("apply", "train.jsonl", "--yes"), {".skips", ".expected_skips", ".checkpoints[].metrics"}
    )
    (record,) = Path().glob("*.record*")
    assert_as_stored(map(json.loads, record.read_text(encoding="utf-8").splitlines()))
