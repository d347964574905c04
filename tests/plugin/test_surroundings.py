"""Pytest with parts taken away, and pytest at its strictest."""

from __future__ import annotations

import sys

import pytest

from .project import ONE_RULE, Project

DATA = ("--vft-data=train.jsonl", ONE_RULE)
STRICT = """
[pytest]
addopts = --strict-markers --strict-config
filterwarnings = error
xfail_strict = true
"""


@pytest.fixture(autouse=True)
def files(project: Project) -> None:
    project.write(grey=[3])
    project.pytester.makepyfile("def test_passes(): pass")


@pytest.mark.parametrize(
    "part", ["cacheprovider", "junitxml", "skipping", "warnings", "capture", "logging", "unraisableexception"]
)
def test_pytest_without_a_part(project: Project, part: str) -> None:
    result = project.run_apart("-p", f"no:{part}", *DATA)

    result.assert_outcomes(passed=5, failed=1)
    result.stdout.fnmatch_lines(["train.jsonl:3: mode is L*"])


@pytest.mark.parametrize(
    ("data", "code"), [(DATA, 1), (["--vft-data=train.jsonl", "-k", "file or passes"], 0)]
)
def test_pytest_without_a_terminal(project: Project, data: list[str], code: int) -> None:
    result = project.run_apart("-p", "no:terminal", *data)

    assert result.ret == code
    assert not result.errlines


def test_pytest_without_xdist(project: Project) -> None:
    result = project.pytester.runpytest_subprocess("-p", "no:xdist", "-p", "vft", *DATA)

    result.assert_outcomes(passed=5, failed=1)


def test_pytest_with_xdist_at_rest(project: Project) -> None:
    project.run_apart("-n0", *DATA).assert_outcomes(passed=5, failed=1)


@pytest.mark.parametrize("workers", [[], ["-n2"]])
def test_pytest_at_its_strictest(project: Project, workers: list[str]) -> None:
    project.pytester.makeini(STRICT)

    result = project.run_apart(*workers, "-W", "error", *DATA)

    result.assert_outcomes(passed=5, failed=1)
    result.stdout.fnmatch_lines(["train.jsonl:3: mode is L*"])


def test_options_can_stand_in_addopts(project: Project) -> None:
    project.pytester.makeini(f"[pytest]\naddopts = {' '.join(DATA)}")

    project.run().assert_outcomes(passed=5, failed=1)


def test_quiet_output_is_quiet(project: Project) -> None:
    result = project.run("-q", *DATA)

    result.stdout.no_fnmatch_line("vft: *")


def test_other_plugins_of_files_are_left_alone(project: Project) -> None:
    """A conftest may collect JSONL in its own way."""
    project.pytester.makeconftest(
        """
        import pytest

        class Mine(pytest.File):
            def collect(self):
                yield Item.from_parent(self, name="mine")

        class Item(pytest.Item):
            def runtest(self):
                pass

        def pytest_collect_file(file_path, parent):
            if file_path.suffix == ".jsonl":
                return Mine.from_parent(parent, path=file_path)
        """
    )

    assert project.ids() == [
        "test_other_plugins_of_files_are_left_alone.py::test_passes",
        "train.jsonl::mine",
    ]
    project.run(*DATA).assert_outcomes(passed=6, failed=1)


def test_items_bear_with_plugins_made_for_functions(project: Project) -> None:
    """pytest-retry resets the fixtures of any item that fails."""
    project.pytester.makeconftest("def pytest_runtest_setup(item): item._initrequest()")

    project.run(*DATA).assert_outcomes(passed=5, failed=1)


def test_items_may_take_their_time(project: Project) -> None:
    """With pytest-timeout, one item lints for all others."""
    project.pytester.makeconftest(
        """
        def pytest_configure(config):
            config.addinivalue_line("markers", "timeout: of pytest-timeout")
            config.pluginmanager.register(object(), "timeout")

        def pytest_runtest_setup(item):
            marker = item.get_closest_marker("timeout")
            assert (marker and marker.args) == ((0,) if item.get_closest_marker("vft") else None)
        """
    )

    project.run(*DATA, "--strict-markers").assert_outcomes(passed=5, failed=1)


@pytest.mark.skipif(sys.platform != "linux", reason="what forked processes inherit")
def test_worker_that_dies_is_told_by_each_item_and_not_tried_again(project: Project) -> None:
    project.pytester.makeconftest("""
        import os, signal
        from pytest_vft.checking import processes, shard

        def lint(self, shard):
            with open("shards.txt", "a") as file:
                file.write("shard\\n")
            os.kill(os.getpid(), signal.SIGKILL)

        processes._LEAST_FORKED, processes.SHARD_BYTES = 0, 1
        shard.ShardLinter.lint = lint
    """)

    result = project.run_apart("--vft-only", "--vft-jobs=2", *DATA)

    result.assert_outcomes(failed=5)
    result.stdout.fnmatch_lines(["*train.jsonl: bytes 0 to *worker process was killed*"])
    result.stdout.no_fnmatch_line("*Traceback*")
    assert (project.folder / "shards.txt").read_text() == "shard\n"
