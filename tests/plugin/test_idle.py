"""Who asks for nothing pays for nothing."""

from __future__ import annotations

import pytest

from .project import Project

HEAVY = {"PIL", "jsonschema", "jsonschema_rs", "orjson", "pybase64", "rich", "xxhash", "filelock"}

# Written last, and by a plugin, since a test would see the modules of its own time only.
LIST_MODULES = """
import sys, pathlib

def pytest_unconfigure():
    pathlib.Path("modules.txt").write_text(" ".join(sys.modules))
"""


def modules(project: Project, *arguments: str) -> set[str]:
    project.pytester.makeconftest(LIST_MODULES)
    project.pytester.makepyfile("def test_passes(): pass")
    project.pytester.runpytest_subprocess("-p", "vft", *arguments)
    return set((project.folder / "modules.txt").read_text().split())


def test_no_option_loads_nothing(project: Project) -> None:
    project.write()
    project.configure('[data]\ntrain = "train.jsonl"')

    loaded = modules(project)

    assert {name for name in loaded if name.startswith("pytest_vft")} == {
        "pytest_vft",
        "pytest_vft.options",
        "pytest_vft.plugin",
    }
    assert not loaded & HEAVY


def test_option_that_only_shapes_output_loads_nothing(project: Project) -> None:
    """The option may be in addopts."""
    assert not modules(project, "--vft-max-shown=3") & HEAVY


def test_an_option_loads_what_it_needs(project: Project) -> None:
    project.write()

    assert {"pytest_vft.items.datasets", "PIL"} <= modules(project, "--vft-data=train.jsonl")


def test_other_runs_are_left_alone(project: Project) -> None:
    project.pytester.makepyfile("def test_passes(): pass")

    result = project.run("-rA")

    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("vft:*")


def test_marker_and_fixture_are_known(project: Project) -> None:
    project.run("--markers").stdout.fnmatch_lines(["@pytest.mark.vft: *"])
    project.run("--fixtures").stdout.fnmatch_lines(["vft_lint *", "*pytest_vft.lint*"])


def test_entry_point_is_found_without_being_named(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    project.write(grey=[1])

    result = project.pytester.runpytest_subprocess("--vft-data=train.jsonl")

    result.stdout.fnmatch_lines(["*train.jsonl:1: mode is L*"])


def test_plugin_can_be_blocked(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")

    result = project.pytester.runpytest_subprocess("-p", "no:vft", "--vft-data=train.jsonl")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*unrecognized arguments: --vft-data=train.jsonl"])
