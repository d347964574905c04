"""JUnit's report: one testcase a rule and file, with the text that the terminal shows."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from .project import ONE_RULE, PAYLOAD, Project


def suite(project: Project, *arguments: str) -> ET.Element:
    project.run("--junitxml=junit.xml", *arguments)
    root = ET.parse(project.folder / "junit.xml").getroot()  # noqa: S314 - written by pytest
    return root[0]


def test_one_testcase_a_rule_and_file(project: Project) -> None:
    project.write("a.jsonl")
    project.write("sub/b.jsonl")

    cases = suite(project, "--vft-data=a.jsonl", "--vft-data=sub", ONE_RULE).findall("testcase")

    rules = [
        "file/git-lfs-pointer",
        "file/no-data-format",
        "file/not-jsonl",
        "file/unreadable",
        "image/unsupported-mode",
    ]
    found = [(case.get("classname"), case.get("name")) for case in cases]
    assert found == [(file, rule) for file in ("a.jsonl", "sub.b.jsonl") for rule in rules]


def test_failure_holds_our_text(project: Project) -> None:
    project.write(grey=[3, 7])

    found = suite(project, "--vft-data=train.jsonl", ONE_RULE)

    assert found.get("failures") == "1"
    failure = found.find("testcase/failure")
    assert failure is not None
    assert failure.text is not None
    assert failure.text.splitlines() == [
        "2 images, first: line 3",
        "train.jsonl:3: mode is L; expected RGB or RGBA (/messages/0/content/1)",
        "train.jsonl:7: mode is L; expected RGB or RGBA (/messages/0/content/1)",
        "do: Run vft fix. By hand: Use pytest_vft.encode_image(image), which keeps transparency.",
    ]


def test_skip_holds_its_reason(project: Project) -> None:
    project.write(remote=[1])

    skipped = suite(project, "--vft-data=train.jsonl", ONE_RULE).find("testcase/skipped")

    assert skipped is not None
    assert skipped.get("message") == "1 of 10 images not checked: offline"


@pytest.mark.parametrize("severity", ["error", "warning"])
def test_no_image_gets_into_it(project: Project, severity: str) -> None:
    project.write(examples=500, grey=range(1, 501))
    project.configure(f'[severity]\n"image/unsupported-mode" = "{severity}"')

    suite(project, "--vft-data=train.jsonl", "-o", "junit_logging=all")

    written = (project.folder / "junit.xml").read_text(encoding="utf-8")
    assert PAYLOAD not in written
    assert len(written) < 60_000
