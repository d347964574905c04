"""Sources that were read long ago are listed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / ".ci" / "stale"
PROVIDER = """
name    = "Acme"
source  = "https://acme.example/closing"
checked = 2026-01-02

[models.one]
source  = "https://acme.example/models"
checked = 2026-04-01

[rules."image/too-large"]
limits  = { max_bytes = 1 }
source  = "https://acme.example/closing"
checked = 2026-01-02
"""
FAMILIES = """
[[families]]
source  = "https://acme.example/tokens"
checked = 2026-01-01
"""


def stale(folder: Path, today: str) -> list[str]:
    command = [sys.executable, str(SCRIPT), f"--today={today}", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "providers").mkdir()
    (tmp_path / "providers" / "acme.toml").write_text(PROVIDER, encoding="utf-8")
    (tmp_path / "image-tokens.toml").write_text(FAMILIES, encoding="utf-8")
    return tmp_path


def test_nothing_is_old(folder: Path) -> None:
    assert stale(folder, "2026-04-01") == ["0 of 4 values were last read more than 90 days ago"]


def test_old_sources_are_listed_with_what_they_support(folder: Path) -> None:
    assert stale(folder, "2026-04-03") == [
        "2026-01-01, 92 days ago: https://acme.example/tokens",
        "    image-tokens.toml: families.0",
        "2026-01-02, 91 days ago: https://acme.example/closing",
        "    providers/acme.toml",
        '    providers/acme.toml: rules."image/too-large"',
        "3 of 4 values were last read more than 90 days ago",
    ]


def test_all_values_of_the_package_are_found() -> None:
    rules = SCRIPT.parents[1] / "rules"
    *_, last = stale(rules, "2100-01-01")

    dates = sum(path.read_text(encoding="utf-8").count("\nchecked") for path in rules.rglob("*.toml"))
    assert last == f"{dates} of {dates} values were last read more than 90 days ago"
    assert "\n.ci/stale\n" in (SCRIPT.parent / "run").read_text(encoding="utf-8")
