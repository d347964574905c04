"""Each input in the corpus of a fuzz target, among them what fuzzing has found, is free of defects."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

FUZZ = Path(__file__).parents[1] / "fuzz"
CORPUS = sorted(path.relative_to(FUZZ / "corpus") for path in (FUZZ / "corpus").glob("*/*"))


@pytest.fixture(scope="module")
def targets() -> dict[str, Any]:
    return runpy.run_path(str(FUZZ / "targets.py"))


@pytest.mark.parametrize("case", CORPUS, ids=str)
def test_the_corpus_has_no_defect(targets: dict[str, Any], case: Path) -> None:
    targets["run_once"](case.parts[0], (FUZZ / "corpus" / case).read_bytes())


def test_each_target_has_a_corpus_and_is_run(targets: dict[str, Any]) -> None:
    names = set(targets["TARGETS"])
    assert names == {case.parts[0] for case in CORPUS}
    assert names == set(runpy.run_path(str(FUZZ / "run.py"))["NAMES"])
