"""Reports and evaluations as notebooks show them: HTML without scripts, whatever the data says."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pytest_vft import build_example, evaluate, lint, write_jsonl
from pytest_vft.catalogue.cases import data_url
from pytest_vft.report.json import render_json

from .judged import write_answers, write_everything, write_questions

MARKUP = "</td></table><script>alert(1)</script><img src=x onerror=alert(1)>{{ 1 + 1 }}\"' onload='x\x1b[31m"
VOID = {"br", "hr"}


class Tree(HTMLParser):
    """The elements, attributes and text of a fragment, whose tags must be closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: set[str] = set()
        self.text = ""
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes.update(name for name, _ in attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes.update(name for name, _ in attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def dataset(path: str, *specs: str, question: str = "Which?") -> str:
    write_jsonl(path, [build_example(f"{question} {n}", "A", data_url(one)) for n, one in enumerate(specs)])
    return path


def check_harmless(tree: Tree) -> None:
    assert set(tree.tags) <= {
        *(
            "div",
            "p",
            "b",
            "br",
            "table",
            "thead",
            "tbody",
            "tr",
            "th",
            "td",
            "details",
            "summary",
            "ul",
            "li",
        ),
        *("svg", "title", "rect"),
    }
    svg = {"width", "height", "viewbox", "preserveaspectratio", "role", "fill", "x", "y"}
    assert tree.attributes <= svg | {"style"}


def test_sound_data_has_no_table_of_rules() -> None:
    report = lint(dataset("train.jsonl", *(f"png 24x{24 + n} rgb" for n in range(12))), cache=False)

    tree = Tree(report._repr_html_())

    check_harmless(tree)
    assert "PASSED" in tree.text
    assert "12 good" in tree.text
    assert tree.tags["table"] == 0


def test_report_shows_verdict_bars_rules_and_findings() -> None:
    report = lint(dataset("train.jsonl", "png 24x24 l", "png 24x25 rgb", "png 24x26 l"), cache=False)

    tree = Tree(report._repr_html_())

    check_harmless(tree)
    assert "FAILED" in tree.text
    assert "image/unsupported-mode" in tree.text
    assert "train.jsonl:3" in tree.text
    assert "2 bad" in tree.text


def test_report_of_many_findings_stays_small() -> None:
    report = lint(dataset("train.jsonl", *(f"png 24x{24 + n} l" for n in range(300))), cache=False)

    html = report._repr_html_()

    assert len(html) < 20_000
    assert "more findings, not listed here" in html


def test_report_of_strangers_is_only_text() -> None:
    path = "<img src=x onerror=alert(1)>&\"'.jsonl"
    dataset(path, "png 24x24 l", question=MARKUP)
    with Path(path).open("a") as file:
        file.write(json.dumps({MARKUP: MARKUP}) + "\n" + MARKUP + "\n")

    tree = Tree(lint(path, cache=False)._repr_html_())

    check_harmless(tree)
    assert path in tree.text


def test_plain_data_is_that_of_the_json_format() -> None:
    report = lint(dataset("train.jsonl", "png 24x24 l", "png 24x25 rgb"), cache=False)

    assert json.loads(render_json(report)) == report.as_dict()


def test_lists_of_paths_are_accepted() -> None:
    paths = [dataset("a.jsonl", "png 24x24 rgb"), dataset("b.jsonl", "png 24x25 rgb")]

    assert lint(paths, cache=False) == lint(*map(Path, paths), cache=False)
    assert [file.path for file in lint(paths, cache=False).files] == paths


def test_evaluation_shows_what_needs_no_judge() -> None:
    write_questions()
    write_answers("now.jsonl", (2, 3))

    tree = Tree(evaluate("now.jsonl", test="test.jsonl")._repr_html_())

    check_harmless(tree)
    assert "91.7 % (11/12)" in tree.text
    assert "1 wrong answer" in tree.text
    assert "12 open answers not scored" in tree.text
    assert "Other model" not in tree.text


def test_gates_and_comparisons_show_verdict_and_answers() -> None:
    write_everything()
    evaluation = evaluate("now.jsonl", test="test.jsonl")

    gate = Tree(evaluation.measure(0.9, kind="closed", by="type", min_n=4)._repr_html_())
    comparison = Tree(evaluation.assert_not_worse_than("before.jsonl", kind="closed")._repr_html_())

    check_harmless(gate)
    check_harmless(comparison)
    assert "failed" in gate.text
    assert "type=shape" in gate.text
    assert "1 broken answer" in comparison.text
    assert "2 fixed answers" in comparison.text
    assert "Other model" in comparison.text


def test_evaluation_of_strangers_is_only_text() -> None:
    test = "<img src=x onerror=alert(1)>&\"'.jsonl"
    write_jsonl(test, [build_example(f"{MARKUP} [1]", "Yes") | {MARKUP: MARKUP}])
    write_jsonl("now.jsonl", [{"id": 1, "prediction": MARKUP}])
    write_jsonl("before.jsonl", [{"id": 1, "prediction": "Yes"}])
    evaluation = evaluate("now.jsonl", test=test)

    gate = evaluation.measure(0.9, by=MARKUP, min_n=1)
    comparison = evaluation.assert_not_worse_than("before.jsonl")

    for shown in (evaluation, gate, comparison):
        tree = Tree(shown._repr_html_())
        check_harmless(tree)
        assert "{{ 1 + 1 }}" in tree.text
        assert "\x1b" not in tree.text


def test_nothing_is_imported_before_it_is_shown() -> None:
    path = dataset("train.jsonl", "png 24x24 rgb")
    program = f"""
import sys
from pytest_vft import lint
report = lint({path!r}, cache=False)
report.as_dict(), repr(report)
print("jinja2" in sys.modules)
report._repr_html_()
print("jinja2" in sys.modules)
"""
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )

    assert found.stdout.split() == ["False", "True"]
