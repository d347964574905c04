"""Hooks of projects that were written for test functions work on our items."""

from __future__ import annotations

import textwrap
import xml.etree.ElementTree as ET

import pytest

from pytest_vft.catalogue.load import shipped_rules

from .project import ONE_RULE, Project

DATA = ("--vft-data=data/train.jsonl", ONE_RULE)
MODE = "image/unsupported-mode"


@pytest.fixture(autouse=True)
def files(project: Project) -> None:
    project.write("data/train.jsonl", grey=[3, 7])
    project.pytester.makepyfile(test_ordinary='def test_passes(): "An ordinary test."')


# Each is a common recipe: screenshots, extra columns of pytest-html, fixtures added to all tests, databases,
# statuses of Allure, string conditions.
CONFTESTS = {
    "screenshot": """
        import pytest

        @pytest.hookimpl(hookwrapper=True)
        def pytest_runtest_makereport(item, call):
            report = (yield).get_result()
            setattr(item, "rep_" + report.when, report)
            if report.when == "call" and report.failed:
                page = item.funcargs.get("page")
                assert page is None and "driver" not in item.fixturenames
                with open("failed.txt", "a") as file:
                    file.write(f"{item.module.__name__}::{item.function.__name__} {item.cls}\\n")
        """,
    "description": """
        import pytest

        @pytest.hookimpl(hookwrapper=True)
        def pytest_runtest_makereport(item, call):
            report = (yield).get_result()
            report.description = str(item.function.__doc__)
            report.title = item.obj.__doc__ or item.originalname
            report.suite = item.parent.obj.__doc__ or item.module.__file__
            if report.when == "call":
                with open("failed.txt", "a") as file:
                    file.write(report.description + "\\n")
        """,
    "fixtures": """
        def pytest_collection_modifyitems(items):
            for item in items:
                item.fixturenames.insert(0, "everywhere")
            items.sort(key=lambda item: (item.module.__name__, item.function.__name__, item.instance is None))

        def pytest_runtest_setup(item):
            if "db" in item.fixturenames or item.funcargs.get("db"):
                raise AssertionError("no database")

        import pytest

        @pytest.fixture
        def everywhere(): pass
        """,
    "allure": """
        def pytest_runtest_makereport(item, call):
            if call.excinfo is not None:
                is_failed = isinstance(call.excinfo.value, AssertionError)
                with open("failed.txt", "a") as file:
                    file.write(("failed" if is_failed else "broken") + "\\n")
        """,
    "condition": """
        import pytest

        def pytest_collection_modifyitems(items):
            for item in items:
                item.add_marker(pytest.mark.skipif("sys.platform == 'none'", reason="not here"))
        """,
}
WRITTEN = {
    "screenshot": f"train::{MODE} None\n",
    "description": shipped_rules()[MODE].summary,
    "allure": "failed\n",
}


@pytest.mark.parametrize("recipe", CONFTESTS)
@pytest.mark.parametrize("more", [[], ["-n1", "-p", "xdist"]], ids=["here", "workers"])
def test_common_conftest_works(project: Project, recipe: str, more: list[str]) -> None:
    project.pytester.makeconftest(CONFTESTS[recipe])

    result = project.run_apart(*more, *DATA) if more else project.run(*DATA)

    result.assert_outcomes(passed=5, failed=1)
    written = project.folder / "failed.txt"
    assert WRITTEN.get(recipe, "") in (written.read_text() if written.exists() else "")


@pytest.mark.parametrize("place", [".", "data"])
@pytest.mark.parametrize("more", [[], ["-n1", "-p", "xdist"]], ids=["here", "workers"])
def test_conftest_beside_or_above_the_data_works_with_only(
    project: Project, place: str, more: list[str]
) -> None:
    (project.folder / place / "conftest.py").write_text(textwrap.dedent(CONFTESTS["allure"]))

    result = (project.run_apart if more else project.run)(*more, "--vft-only", *DATA)

    result.assert_outcomes(passed=4, failed=1)
    assert (project.folder / "failed.txt").read_text() == "failed\n"


def test_conftest_of_the_root_is_for_rules_on_the_dataset_as_well(project: Project) -> None:
    project.pytester.makeconftest(
        """
        def pytest_itemcollected(item):
            with open("seen.txt", "a") as file:
                file.write(item.name + "\\n")
        """
    )

    project.run("--vft-only", "--vft-select=dataset/split-leak", DATA[0])

    assert "dataset/split-leak" in (project.folder / "seen.txt").read_text().splitlines()


def test_conftest_elsewhere_is_for_elsewhere(project: Project) -> None:
    (project.folder / "other").mkdir()
    (project.folder / "other" / "conftest.py").write_text(textwrap.dedent(CONFTESTS["allure"]))
    (project.folder / "other" / "test_other.py").write_text("def test_passes(): pass")

    project.run(*DATA).assert_outcomes(passed=6, failed=1)
    assert not (project.folder / "failed.txt").exists()


def test_broken_conftest_beside_the_data_is_an_error(project: Project) -> None:
    (project.folder / "data" / "conftest.py").write_text("1 / 0")

    result = project.run("--vft-only", *DATA)

    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*ZeroDivisionError*"])


def test_verbose_collection_shows_what_each_item_is_about(project: Project) -> None:
    result = project.run("--collect-only", "-v", "--vft-only", *DATA)

    result.stdout.fnmatch_lines([f"*<RuleItem {MODE}>", f"*{shipped_rules()[MODE].summary}"])


@pytest.mark.parametrize("more", [[], ["-n1", "-p", "xdist"]], ids=["here", "workers"])
def test_line_style_shows_path_line_and_message(project: Project, more: list[str]) -> None:
    arguments = ("--tb=line", "--junitxml=junit.xml", *DATA)

    result = project.run_apart(*more, *arguments) if more else project.run(*arguments)

    result.stdout.fnmatch_lines([f"data/train.jsonl:3: {MODE}: mode is L; expected RGB or RGBA"])
    failure = ET.parse(project.folder / "junit.xml").find(".//failure")  # noqa: S314 - written by pytest
    assert failure is not None
    assert "data/train.jsonl:7: mode is L; expected RGB or RGBA" in (failure.text or "")


@pytest.mark.parametrize("style", ["long", "short", "native", "no", "auto"])
def test_other_styles_show_no_traceback(project: Project, style: str) -> None:
    result = project.run(f"--tb={style}", *DATA)

    result.assert_outcomes(passed=5, failed=1)
    result.stdout.no_fnmatch_line("*ItemFailedError*")


# Properties


def properties(project: Project, *arguments: str) -> dict[str, str]:
    """Return the properties of the item of the mode."""
    project.run("--junitxml=junit.xml", "--vft-only", *arguments)
    cases = ET.parse(project.folder / "junit.xml").iter("testcase")  # noqa: S314 - written by pytest
    (case,) = [case for case in cases if case.get("name") == MODE]
    return {str(one.get("name")): str(one.get("value")) for one in case.iter("property")}


def test_junit_report_has_rule_severity_and_source(project: Project) -> None:
    found = properties(project, *DATA)

    assert (found["rule"], found["severity"]) == (MODE, "error")
    assert found["source"].startswith("https://")


@pytest.mark.parametrize("toml", [f'severity = {{"{MODE}" = "warning"}}', f'allow = {{"{MODE}" = 2}}'])
def test_severity_is_the_effective_one(project: Project, toml: str) -> None:
    project.configure(toml)

    assert properties(project, *DATA)["severity"] == "warning"


def test_properties_of_others_are_kept_and_ours_are_there_once(project: Project) -> None:
    project.pytester.makeconftest(
        """
        def pytest_runtest_call(item):
            item.user_properties.append(("team", "books"))
            item.runtest = lambda run=item.runtest: (item.user_properties.append(("rule", "again")), run())
        """
    )

    assert properties(project, *DATA) | {"source": ""} == {
        "team": "books",
        "rule": MODE,
        "severity": "error",
        "source": "",
    }
