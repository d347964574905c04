"""The report as JUnit's XML, which Jenkins and GitLab read: a test suite for each file.

The elements and attributes are those of the schema of Jenkins
(https://github.com/jenkinsci/xunit-plugin/blob/master/src/main/resources/org/jenkinsci/plugins/xunit/types/model/xsd/junit-10.xsd).
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping

from pytest_vft.model import FileResult, Report, RuleResult, Source, Tally
from pytest_vft.report.item import failure
from pytest_vft.report.layout import MOST_SHOWN
from pytest_vft.report.people import people_line
from pytest_vft.report.text import unknown_reason
from pytest_vft.report.unsettled import cause_and_lines, unsettled_lines
from pytest_vft.text import count, safe

ALL_FILES = "all files"
_NOT_XML = re.compile("[\ufffe\uffff]")  # beside the characters that safe() escapes


def render_junit(report: Report) -> str:
    """Return *report* with a test case for each rule and file, as the items of pytest.

    URLs that were not settled are output of the suite of their file.
    """
    root = ET.Element("testsuites", name="vft")
    for file in report.files:
        _add_suite(root, report, file.tallies, file)
    if report.dataset:
        _add_suite(root, report, report.dataset, None)
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
    root: ET.Element, report: Report, tallies: Mapping[str, Tally], file: FileResult | None
) -> None:
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
            severity = file.severities.get(rule.id, rule.severity) if file else rule.severity
            _add_result(case, report, rule._replace(tally=tallies[rule.id], severity=severity), file)
    unsettled = [one for one in unsettled_lines(report) if file and one.path == file.path]
    if unsettled:
        texts = [f"URL not settled: {cause_and_lines(one)}" for one in unsettled]
        ET.SubElement(suite, "system-out").text = xml_text("\n".join(texts))


def _add_result(case: ET.Element, report: Report, rule: RuleResult, file: FileResult | None) -> None:
    """Add why *rule* fails or is skipped; a warning is output of a test case that passes."""
    failing = failure(report, rule, Source(file.path, file.split) if file else None, MOST_SHOWN)
    if failing and report.fails(rule):
        headline = xml_text(failing.text.partition("\n")[0])
        ET.SubElement(case, "failure", type=rule.severity, message=headline).text = xml_text(failing.text)
    elif failing:
        ET.SubElement(case, "system-out").text = xml_text(f"{rule.severity}: {failing.text}")
    elif rule.tally.known:
        words = f"{count(rule.tally.known, rule.subject)} known to the baseline"
        ET.SubElement(case, "system-out").text = xml_text(words)
    elif reason := _skipped(report, rule, file):
        ET.SubElement(case, "skipped", message=xml_text(reason))


def _skipped(report: Report, rule: RuleResult, file: FileResult | None) -> str | None:
    """Return why *rule* has no verdict, None if it has one."""
    if rule.tally.ignored:
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
