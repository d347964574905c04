"""The message of a rule may name any fact of its scope, also one that no condition of any rule tests."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_vft import Report, lint
from pytest_vft.catalogue.cases import draw
from pytest_vft.facts.scopes import fact_types
from pytest_vft.model import SCOPES, Scope

RULE = """
summary = "Each subject fails."
severity = "warning"
message = "{message}"
advice = "Read the message."
why = "It names a fact."
source = "https://example.com"
checked = 2026-11-30
[require]
{condition}
"""
ENTROPY = "image is {width:pixel} wide and has {entropy/100} bits"


def url(image: bytes) -> str:
    return f"data:image/png;base64,{b64encode(image).decode()}"


def line(question: str, *urls: str, **more: Any) -> str:
    images = [{"type": "image_url", "image_url": {"url": one}} for one in urls]
    content = [{"type": "text", "text": question}, *images]
    answer = {"role": "assistant", "content": "A dog.", **more}
    return json.dumps({"messages": [{"role": "user", "content": content}, answer]}) + "\n"


def data() -> Iterator[str]:
    sound, other = url(draw("png 64x64 rgb shows=shapes")[1]), url(draw("gif 16x16 p")[1])
    yield line("What is it?", sound)
    yield line("What is it?", sound)
    yield line(
        "Which is it?", sound[:-40], other, "data:,x", "https://example.com/a.png", "a.png", "s3://b/ü.png"
    )
    yield line("And now?", weight=0, tool_calls=[{"function": {"name": "look", "arguments": "{}"}}])
    yield '{"messages": [{"role": "user"}], "images": 1, "messages": 1}\n'
    yield '{"messages": []}\n'
    yield '{"messages": \n'
    yield "\n"


def write_rule(name: str, message: str, condition: str = "width = { maximum = 32 }") -> Path:
    path = Path(f"mine/{name}.toml")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(RULE.replace("{message}", message).replace("{condition}", condition))
    return path


def messages(report: Report) -> list[str]:
    return [one.message for one in report.findings]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("vft.toml").write_text('rules = ["mine"]\nmax_findings = 0\n')
    Path("train.jsonl").write_text("".join(data()))


@pytest.mark.parametrize("scope", SCOPES)
def test_message_may_name_each_fact(scope: Scope) -> None:
    ids = set()
    for fact, type_ in fact_types(scope).items():
        condition = "copies = { minimum = 99 }" if scope == "dataset" else "split = { const = 'test' }"
        forms = ("", ":thing", "/100") if type_.name == "integer" else ("",)
        write_rule(f"{scope}/names-{fact}", " and ".join(f"{{{fact}{form}}}" for form in forms), condition)
        ids.add(f"{scope}/names-{fact}")

    ways: list[dict[str, Any]] = [{"depth": "full"}, {"depth": "header"}]
    for options in [*ways, {"sample": 2}] if scope == "file" else ways:
        report = lint("train.jsonl", select=ids, offline=True, cache=False, **options)

        assert ids <= {one.rule for one in report.findings}
        assert not [one for one in messages(report) if re.search(r"\b(None|True|False|Fault)\b", one)]


@pytest.mark.parametrize(("depth", "bits"), [("full", "4.14"), ("header", "unknown")])
def test_fact_of_a_message_is_measured_at_the_depth_of_the_run(depth: Any, bits: str) -> None:
    write_rule("image/wide", ENTROPY)
    write_rule("image/without-bits", "image is {width:pixel} wide")

    report = lint("train.jsonl", select=["image/wide"], depth=depth, offline=True, cache=False)
    alone = lint("train.jsonl", select=["image/without-bits"], depth=depth, offline=True, cache=False)

    assert messages(report)[0] == f"image is 64 pixels wide and has {bits} bits"
    one, other = (
        (rule.tally, rule.gaps)
        for run in (report, alone)
        for rule in run.rules
        if rule.id in ("image/wide", "image/without-bits")
    )
    assert one == other


def test_facts_that_keys_name_are_measured() -> None:
    path = write_rule("image/wide", "image is {width:pixel} wide")
    more = "box = 'face_box'\nfix = 'scale-down'\nfix_when = { narrowness = { maximum = 100 } }\n"
    below = "[below]\npath = 'fingerprint'\nmessage = 'below {folder}'\nadvice = 'Look.'\n"
    path.write_text(more + path.read_text() + below)

    report = lint("train.jsonl", select=["image/wide"], depth="header", offline=True)

    assert [(one.box, one.fix) for one in report.findings[:1]] == [(None, "scale-down")]


def test_rule_whose_message_has_a_measured_fact_is_tested() -> None:
    path = write_rule("image/wide", ENTROPY)
    failing, passing = (line("Which?", f"$image: png {size}x64 rgb shows=shapes") for size in (64, 32))
    message = "image is 64 pixels wide and has 4.14 bits"
    path.write_text(
        f"{path.read_text()}\n[[cases]]\nverdict = 'fail'\nmessage = '{message}'\nlines = '''{failing}'''\n"
        f"[[cases]]\nverdict = 'pass'\nlines = '''{passing}'''\n"
    )

    command = [sys.executable, "-m", "pytest_vft", "rules", "--test", "mine"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (run.stdout, run.returncode) == ("PASSED  1 rule, 2 cases\n", 0), run.stderr
