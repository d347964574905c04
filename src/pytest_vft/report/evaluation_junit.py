"""The results of an evaluation as JUnit's XML: a test case for each gate."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence

from pytest_vft.evaluation.results import Results
from pytest_vft.report.evaluation_comparison import render_comparison
from pytest_vft.report.evaluation_text import render_gate
from pytest_vft.report.junit import render_suites, xml_text


def render_results_junit(results: Results, commands: Mapping[str, Sequence[str]], most_shown: int) -> str:
    """Return *results* as a test suite; see render_results()."""
    path, against = results.predictions, str(results.against)
    root = ET.Element("testsuites", name="vft eval")
    suite = ET.SubElement(root, "testsuite", name=xml_text(path))
    for gate in results.gates:
        command = commands.get(str(gate.kind), ())
        text = render_gate(gate, path, results.test, results.matched, command, most_shown, all_groups=True)
        _add_case(suite, f"{gate.kind} accuracy", text, ok=gate.ok)
    for comparison in results.comparisons:
        text = render_comparison(comparison, path, against, most_shown)
        _add_case(suite, f"{comparison.kind} against {against}", text, ok=comparison.ok)
    for kind, error in results.errors.items():
        case = ET.SubElement(suite, "testcase", classname=xml_text(path), name=str(kind))
        ET.SubElement(case, "error", message=xml_text(str(error)))
    return render_suites(root)


def _add_case(suite: ET.Element, name: str, text: str, *, ok: bool) -> None:
    case = ET.SubElement(suite, "testcase", classname=suite.get("name", ""), name=xml_text(name))
    if ok:
        ET.SubElement(case, "system-out").text = xml_text(text)
    else:
        headline = xml_text(text.partition("\n")[0])
        ET.SubElement(case, "failure", type="failure", message=headline).text = xml_text(text)
