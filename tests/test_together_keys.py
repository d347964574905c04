"""Keys that Together's checker takes and OpenAI's format does not have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from forms import answered

from pytest_vft import compare_providers, convert, write_jsonl


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("keys", "lost"),
    [({"weight": 0}, {"key weight": 12}), ({"weight": 1}, {"key weight": 12}), ({"name": None}, {})],
)
@pytest.mark.parametrize("role", ["user", "system"])
def test_keys_without_a_meaning(role: str, keys: dict[str, Any], lost: dict[str, int]) -> None:
    question = {"role": "user", "content": "Which lot?"}
    first = {"role": role, "content": "Read the label.", **keys}
    write_jsonl("train.jsonl", [{"messages": [first, question, answered(f"Lot {n}.")]} for n in range(12)])

    assert compare_providers("train.jsonl", providers="together")["together"].verdict == "takes"
    result = convert("train.jsonl", to="openai", out="out")

    assert (result.written, result.losses) == (True, lost)


@pytest.mark.parametrize("weight", [2, 0.5, "1"])
def test_a_weight_of_an_answer_is_a_whole_number(weight: Any) -> None:
    lines = [
        {"messages": [{"role": "user", "content": f"{n}?"}, {**answered("A lot."), "weight": weight}]}
        for n in range(12)
    ]
    write_jsonl("train.jsonl", lines)

    assert compare_providers("train.jsonl", providers="together")["together"].verdict == "refuses"
    assert not convert("train.jsonl", to="openai", out="out").written
