"""The report as JUnit's XML, which Jenkins and GitLab read: a test suite for each file.

The elements and attributes are those of the schema of Jenkins
(https://github.com/jenkinsci/xunit-plugin/blob/master/src/main/resources/org/jenkinsci/plugins/xunit/types/model/xsd/junit-10.xsd).
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence

from pytest_vft.model import FileResult, Finding, Report, RuleResult
from pytest_vft.report.findings import by_file
from pytest_vft.report.item import ItemFailure, failure, on_file
from pytest_vft.report.layout import MOST_SHOWN
from pytest_vft.report.people import people_line
from pytest_vft.report.text import unknown_reason
from pytest_vft.report.unsettled import UnsettledLines, cause_and_lines, unsettled_lines
from pytest_vft.text import count, safe

ALL_FILES = "all files"
_NOT_XML = re.compile("[\ufffe\uffff]")  # beside the characters that safe() escapes


def render_junit(report: Report) -> str:
    """Return *report* with a test case for each rule and file, as the items of pytest.

    URLs that were not settled are output of the suite of their file, notes that of the suite of all files.
    """
    root = ET.Element("testsuites", name="vft")
    found = by_file(report.findings)
    unsettled: dict[str, list[UnsettledLines]] = {}
    for one in unsettled_lines(report):
        unsettled.setdefault(one.path, []).append(one)
    for file in report.files:
        suite = _add_suite(root, report, file, found.get(file.path, ()))
        if texts := [f"URL not settled: {cause_and_lines(one)}" for one in unsettled.get(file.path, ())]:
            ET.SubElement(suite, "system-out").text = xml_text("\n".join(texts))
    if report.dataset or report.notes:
        suite = _add_suite(root, report, None, report.findings)
        if report.notes:
            notes = "\n".join(f"note: {note}" for note in report.notes)
            ET.SubElement(suite, "system-out").text = xml_text(notes)
    return render_suites(root)


def render_suites(root: ET.Element) -> str:
    """Return *root* with its test suites as text, and set the numbers of their test cases."""
    for suite in root:
        suite.set("tests", str(len(suite.findall("testcase"))))
        for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            suite.set(name, str(len(suite.findall(f"testcase/{tag}"))))
    for name in ("tests", "failures", "errors"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))
    ET.indent(root)
    xml: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return f"{xml.decode()}\n"


def _add_suite(
    root: ET.Element, report: Report, file: FileResult | None, findings: Sequence[Finding]
) -> ET.Element:
    """Add a test suite for *file*, or for all files, which have *findings*, and return the suite."""
    tallies = file.tallies if file else report.dataset
    path = xml_text(file.path) if file else ALL_FILES
    suite = ET.SubElement(root, "testsuite", name=path)
    if file:
        properties = ET.SubElement(suite, "properties")
        ET.SubElement(properties, "property", name="people", value=people_line(report.faces))
        if file.is_sample:
            sampled = f"only a sample, {count(file.examples, 'example')}"
            ET.SubElement(properties, "property", name="sample", value=sampled)
    for rule in report.rules:
        if rule.id in tallies:
            case = ET.SubElement(suite, "testcase", classname=path, name=xml_text(rule.id))
            own = on_file(rule, file) if file else rule._replace(tally=report.dataset[rule.id])
            failing = failure(report, own, file.path if file else "", findings, MOST_SHOWN)
            _add_result(case, report, own, file, failing)
    return suite


def _add_result(
    case: ET.Element, report: Report, rule: RuleResult, file: FileResult | None, failing: ItemFailure | None
) -> None:
    """Add why *rule* fails, as *failing* says, or is skipped; a warning is output of a case that passes."""
    if failing and report.fails(rule):
        headline = xml_text(failing.text.partition("\n")[0])
        ET.SubElement(case, "failure", type=failing.kind, message=headline).text = xml_text(failing.text)
    elif failing:
        ET.SubElement(case, "system-out").text = xml_text(f"{rule.severity}: {failing.text}")
    elif rule.tally.known:
        words = [f"{count(rule.tally.known, rule.subject)} known to the baseline"]
        words += [unknown_reason(report, rule)] if rule.tally.unknown else []
        ET.SubElement(case, "system-out").text = xml_text("\n".join(words))
    elif reason := _skipped(report, rule, file):
        ET.SubElement(case, "skipped", message=xml_text(reason))


def _skipped(report: Report, rule: RuleResult, file: FileResult | None) -> str | None:
    """Return why *rule* has no verdict, None if it has one."""
    if rule.tally.ignored or rule.tally.left_out:
        return f"ignored: {rule.reason}"
    if file and file.stopped_by:
        return f"not read: {file.stopped_by}"
    if rule.tally.unknown:
        return unknown_reason(report, rule)
    return None if rule.tally.checked else "not applicable"


def xml_text(text: str) -> str:
    """Return *text* as escaped lines of characters that XML allows."""
    lines = "\n".join(safe(line, None) for line in text.split("\n"))
    return _NOT_XML.sub(lambda match: f"\\u{ord(match[0]):04x}", lines)
