"""Under pytest-xdist one worker lints, and all report as one process would."""

from __future__ import annotations

import pytest

from .project import Project

DATA = ("--vft-data=train.jsonl", "--vft-validation-data=held-out.jsonl", "--vft-test-data=a b[1].jsonl")


@pytest.fixture(autouse=True)
def files(project: Project) -> None:
    """Three splits with failures, skips and a warning."""
    project.write("train.jsonl", grey=[3], about="squares")
    project.write("held-out.jsonl", about="squares", remote=[1])
    project.write("a b[1].jsonl", examples=3, grey=[1])
    project.configure('[severity]\n"dataset/split-leak" = "warning"')
    project.pytester.makepyfile("def test_passes(): pass\ndef test_fails(): assert 0")


@pytest.mark.parametrize("dist", ["load", "loadgroup", "each"])
def test_data_are_linted_once(project: Project, dist: str) -> None:
    project.count_lints()

    project.run_apart("-n2", f"--dist={dist}", *DATA)

    assert project.lints == 1


def test_results_warnings_and_header_are_those_of_one_process(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = project.folder / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))

    alone, lines = project.outcomes_and_lines(*DATA)
    shared, shared_lines = project.outcomes_and_lines("-n2", *DATA)

    assert {"passed", "failure", "skipped"} == set(alone.values())
    assert shared == alone
    for said in ("VftWarning", "vft: provider"):
        of_one = [line for line in lines if said in line]
        assert len(of_one) == 1
        assert [line for line in shared_lines if said in line] == of_one
    assert not list(temporary.glob("vft-*"))


def test_worker_that_crashes_leaves_the_others_their_results(project: Project) -> None:
    project.pytester.makepyfile(test_crash="import os\ndef test_crashes(): os._exit(1)")

    result = project.run_apart("-n2", *DATA, "-k", "test_crashes or unsupported-mode")

    result.assert_outcomes(passed=0, failed=3, skipped=1)
    result.stdout.fnmatch_lines(["*train.jsonl:3: mode is L*"])
