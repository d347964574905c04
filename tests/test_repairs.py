"""Each failing case of a rule with a repair: it passes afterwards, and repairs twice change nothing."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from pytest_vft import fix, lint
from pytest_vft.catalogue.cases import Case, read_cases
from pytest_vft.catalogue.files import read_toml
from pytest_vft.catalogue.load import Rule, shipped_rules
from pytest_vft.catalogue.repairs import REPAIRS
from pytest_vft.model import Report
from pytest_vft.resources import read_schema

RULES = shipped_rules()
FAILING = [
    pytest.param(rule, number, id=f"{rule.id}-{number + 1}")
    for rule in RULES.values()
    if rule.fix
    for number, case in enumerate(read_toml(rule.path)["cases"])
    if case["verdict"] == "fail" and "fetched" not in case
]
# Cases whose image is only a start of one, or too large for any decoder.
NOT_REPAIRED = {
    "image/invalid-base64-5",
    "image/too-many-pixels-3",
    "image/too-many-pixels-4",
    "image/undecodable-10",
    "image/undecodable-11",
    "image/unsupported-format-9",
}


def write_case(rule: Rule, case: Case, folder: Path) -> dict[str, list[str]]:
    """Write the files of *case* and a configuration with its limits; return the paths by split."""
    paths: dict[str, list[str]] = {"train": [], "validation": [], "test": []}
    for file in case.files:
        path = folder / f"{file.split}{'.json' if file.content and file.content[:1] == b'[' else '.jsonl'}"
        path.write_bytes(file.content or b"")
        paths[file.split].append(str(path))
    for name, content in case.images.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    values = "".join(f"{name} = {json.dumps(value)}\n" for name, value in case.values.items())
    ignored = '[ignore]\n"file/too-few-examples" = "a case is short"\n"file/empty" = "as above"\n'
    (folder / "vft.toml").write_text(f'{ignored}[params."{rule.id}"]\n{values}')
    return paths


def findings(report: Report) -> Counter[str]:
    return Counter(finding.rule for finding in report.findings)


@pytest.mark.parametrize(("rule", "number"), FAILING)
def test_repaired_case_passes(
    rule: Rule, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    paths = write_case(rule, read_cases(rule)[number], tmp_path)
    named = {"validation": paths["validation"], "test": paths["test"], "cache": False}
    before = lint(*paths["train"], **named)
    known = {path: Path(path).read_bytes() for one in paths.values() for path in one}
    marked = any(one.rule == rule.id and one.fix for one in before.findings)
    repairable = marked and f"{rule.id}-{number + 1}" not in NOT_REPAIRED

    result = fix(*paths["train"], **named, in_place=True, unsafe=True)

    left = [one for one in lint(*paths["train"], **named).findings if one.rule == rule.id]
    after = findings(lint(*paths["train"], **named))
    assert after <= findings(before)
    assert any(one.fix for one in left) == (marked and not repairable)
    assert result.is_needed == repairable
    assert {path for path, old in known.items() if Path(path).read_bytes() != old} <= set(result.tallies)
    again = fix(*paths["train"], **named, in_place=True, unsafe=True)
    assert not again.is_needed
    assert again.after is None


def test_repairs_are_those_of_the_schema_and_each_is_named_by_a_rule() -> None:
    known = read_schema("rule.schema.json")["properties"]["fix"]["enum"]

    assert list(REPAIRS) == known
    assert {rule.fix for rule in RULES.values() if rule.fix} == set(known)
