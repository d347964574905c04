"""Datasets beside other plugins, which the table in docs/how-to/other-plugins.md lists."""

from __future__ import annotations

import json
import re
import subprocess
from html import unescape
from pathlib import Path

import pytest

from .project import Project

DATA = ("--vft-data=train.jsonl",)
JSON_REPORT = ("-p", "pytest_jsonreport", "-p", "pytest_metadata.plugin", "--json-report")
FAILING = "train.jsonl::image/unsupported-mode"
UNSETTLED = "train.jsonl::image/truncated"  # one image is behind a URL, which is not fetched


@pytest.fixture(autouse=True)
def files(project: Project) -> None:
    project.write(grey=[3], remote=[5])
    project.pytester.makepyfile(test_shapes="def test_first(): pass\ndef test_second(): pass")


def assert_as_without(project: Project, *options: str, apart: bool = False) -> pytest.RunResult:
    """Run pytest with *options*; assert that each item has the outcome that it has without other plugins."""
    alone = project.run(*DATA).parseoutcomes()
    assert alone["failed"] == 1
    assert alone["passed"] > 30
    assert alone["skipped"] > 10
    result = (project.run_apart if apart else project.run)(*DATA, *options)
    assert {name: result.parseoutcomes().get(name) for name in alone} == alone
    assert result.ret == 1
    return result


def test_xdist(project: Project) -> None:
    result = assert_as_without(project, "-n2", apart=True)

    result.stdout.fnmatch_lines(["train.jsonl:3: mode is L*"])


def test_cov(project: Project) -> None:
    assert_as_without(project, "-p", "pytest_cov", "--cov=.", "--cov-report=json", apart=True)

    covered = json.loads((project.folder / "coverage.json").read_text())
    assert covered["files"]["test_shapes.py"]["summary"]["percent_covered"] == 100


def test_html(project: Project) -> None:
    plugins = ("-p", "pytest_html.plugin", "-p", "pytest_metadata.plugin")

    result = assert_as_without(project, *plugins, "--html=report.html", "--self-contained-html")

    (found,) = re.findall('data-jsonblob="([^"]*)"', (project.folder / "report.html").read_text())
    tests = json.loads(unescape(found))["tests"]
    assert len(tests) == sum(result.parseoutcomes().values())
    (failing,), (unsettled,) = tests[FAILING], tests[UNSETTLED]
    assert "train.jsonl:3: mode is L" in failing["log"]
    assert len(failing["extras"]) == 1
    assert "1 of 10 images not checked" in unsettled["log"]


def test_allure_tells_providers_apart(project: Project) -> None:
    providers = "--vft-provider=openai,together"

    result = project.run_apart(*DATA, providers, "-p", "allure_pytest", "--alluredir=allure")

    tests = [json.loads(path.read_text()) for path in Path("allure").glob("*-result.json")]
    assert len(tests) == sum(result.parseoutcomes().values())
    assert len({test["historyId"] for test in tests}) == len(tests)
    named = {test["name"]: test for test in tests}
    failing = named["image/unsupported-mode[openai]"]
    assert failing["status"] == "failed"
    assert [one["value"] for one in failing["parameters"]] == ["'openai'"]
    assert "train.jsonl:3: mode is L" in failing["statusDetails"]["message"]
    assert named["image/truncated[together]"]["status"] == "skipped"
    assert "train.jsonl" in named["image/truncated[together]"]["statusDetails"]["trace"]


@pytest.mark.parametrize("style", ["auto", "line"])
def test_json_report(project: Project, style: str) -> None:
    result = assert_as_without(project, *JSON_REPORT, f"--tb={style}")

    report = json.loads((project.folder / ".report.json").read_text())
    outcomes = {test["nodeid"]: test["outcome"] for test in report["tests"]}
    assert report["summary"]["total"] == sum(result.parseoutcomes().values())
    assert (outcomes[FAILING], outcomes[UNSETTLED]) == ("failed", "skipped")


def test_rerunfailures_reruns_tests_and_no_rules(project: Project) -> None:
    project.pytester.makepyfile(test_shapes="def test_fails(): assert 0")

    result = project.run_apart(*DATA, "-p", "rerunfailures", "--reruns=2", "--strict-markers")

    assert result.parseoutcomes()["rerun"] == 2
    assert result.parseoutcomes()["failed"] == 2


def test_randomly_leaves_rules_in_their_order_after_the_tests(project: Project) -> None:
    orders = [
        [
            line.partition(" ")[0]
            for line in assert_as_without(project, "-v", "-p", "randomly", f"--randomly-seed={seed}").outlines
            if re.match(r"\S+::\S+ [A-Z]+", line) and not line.startswith("FAILED")
        ]
        for seed in (1, 2, 3)
    ]

    assert {tuple(sorted(order[:2])) for order in orders} == {
        ("test_shapes.py::test_first", "test_shapes.py::test_second")
    }
    assert orders[0][2:] == orders[1][2:] == orders[2][2:]


def test_sugar(project: Project) -> None:
    result = project.run(*DATA, "-p", "sugar", "--force-sugar")

    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["*1 failed*", "*- train.jsonl:3 image/unsupported-mode in train.jsonl: mode is L*"]
    )


def test_timeout_is_for_tests(project: Project) -> None:
    project.pytester.makeconftest(
        """
        import time, pytest_vft.items.lint

        def slow(*arguments, run_all=pytest_vft.items.lint.run_all, **options):
            time.sleep(0.3)
            return run_all(*arguments, **options)

        pytest_vft.items.lint.run_all = slow
        """
    )

    result = project.run_apart(*DATA, "--vft-only", "-p", "timeout", "--timeout=0.1")

    assert result.parseoutcomes()["failed"] == 1
    result.stdout.no_fnmatch_line("*Timeout*")


def test_picked_picks_tests(project: Project) -> None:
    for command in ("init --quiet", "add test_shapes.py", "-c user.name=a -c user.email=a@b.c commit -qm."):
        subprocess.run(["git", *command.split()], check=True)
    project.pytester.makepyfile(test_new="def test_third(): pass")

    ids = project.ids(*DATA, "-p", "picked", "--picked")

    assert [id_ for id_ in ids if "test_" in id_] == ["test_new.py::test_third"]
    assert FAILING in ids
