"""The report as text: folded, counted, readable at 80 columns."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_vft import FewShot, Finding, Report, build_example, lint, write_jsonl
from pytest_vft.catalogue.cases import data_url
from pytest_vft.model import FileResult, RuleResult, Tally
from pytest_vft.report.html import render_html
from pytest_vft.report.json import as_data
from pytest_vft.report.layout import WIDTH, Display
from pytest_vft.report.text import render_text, unknown_lines

GOOD = "png 24x24 rgb"
GREY = "png 24x24 l"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def example(number: int, image: str = GOOD, shots: Iterable[str] = ()) -> dict[str, Any]:
    turns = [FewShot(f"What is on shot {shot}?", f"It is {shot}.", data_url(shot)) for shot in shots]
    return build_example(f"What is {number}?", f"It is {number}.", data_url(image), few_shot=turns)


def write(name: str, images: Mapping[int, str] | None = None, count: int = 10, **more: Any) -> str:
    """Write *count* examples to *name*, clean but for the *images* on the lines that are given."""
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    write_jsonl(name, [example(line, (images or {}).get(line, GOOD), **more) for line in range(1, count + 1)])
    return name


def configure(text: str) -> None:
    Path("vft.toml").write_text(text)


def blocks(report: Report, **options: Any) -> list[str]:
    """Return the text of *report* in blocks: the files, one block per rule, the summary."""
    text = render_text(report, Display(**options)).removesuffix("\n")
    above, end = re.split(r"\n(?=ignored |note: |not checked: )", text, maxsplit=1)
    return [*re.split(r"\n(?=error |warning )", above), end]


def a_rule(id_: str = "image/too-large", *, failed: int = 0, passed: int = 1, **more: Any) -> RuleResult:
    settings: dict[str, Any] = {"severity": "error", "truncated": 0} | more
    return RuleResult(
        id=id_, subject=id_.partition("/")[0], tally=Tally(failed=failed, passed=passed), **settings
    )


def a_finding(line: int | None = 1, **more: Any) -> Finding:
    settings: dict[str, Any] = {
        "rule": "image/too-large",
        "severity": "error",
        "path": "train.jsonl",
        "pointer": "/messages/0/content/1",
        "message": "image is 101 bytes; the limit is 100",
        "advice": "Make it smaller.",
    }
    return Finding(line=line, **settings | more)


def a_report(rules: Iterable[RuleResult], findings: Iterable[Finding] = (), **more: Any) -> Report:
    settings: dict[str, Any] = {
        "provider": "openai",
        "provider_name": "OpenAI",
        "closes": None,
        "model": "gpt",
        "depth": "auto",
        "offline": True,
        "fail_on": "error",
        "require_checked": False,
        "files": (),
    }
    return Report(rules=tuple(rules), findings=tuple(findings), **settings | more)


# The repr


def test_repr_of_a_large_report_is_one_line() -> None:
    rules = [a_rule(f"image/rule-{number}", failed=9) for number in range(5)]
    report = a_report([*rules, a_rule("line/fine")], [a_finding(line) for line in range(1, 10_001)])

    assert repr(report) == (
        "<Report of 0 files for provider openai: 5 of 6 rules failing "
        "(image/rule-0, image/rule-1, image/rule-2, ...), 10,000 findings>"
    )


def test_repr_of_a_clean_report_names_no_rule() -> None:
    assert repr(a_report([a_rule()])) == (
        "<Report of 0 files for provider openai: 0 of 1 rule failing, 0 findings>"
    )


# Nothing found


def test_clean_report_is_short() -> None:
    report = lint(write("train.jsonl"))

    size, rules = Path("train.jsonl").stat().st_size, len(report.rules)
    assert render_text(report) == (
        f"vft: provider openai (fine-tuning closes 2027-01-06), {rules} rules, depth auto\n"
        f"train.jsonl  train, 10 examples, 10 images (1 distinct), {size / 1024:.1f} kB\n"
        "one epoch: 910 to 7,952 tokens, $0.02 to $0.20 (price of 2026-11-21)\n"
        "with detail low: 910 to 1,152 tokens, $0.02 to $0.03\n"
        "not checked: people, faces, children, CAPTCHAs (install pytest-vft[face])\n"
        f"PASSED  {rules} rules fine\n"
    )


def test_text_is_the_same_each_time() -> None:
    report = lint(write("train.jsonl"))

    assert render_text(report).endswith("rules fine\n")
    assert render_text(report) == render_text(lint("train.jsonl"))


def test_header_says_what_holds() -> None:
    report = lint(write("train.jsonl"), provider="azure", depth="header", select=["image"])

    header = f"vft: provider azure, {len(report.rules)} rules, depth header\n"
    assert render_text(report).startswith(header)


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (1023, "1,023 bytes"),
        (1024, "1.0 kB"),
        (10 * 1024, "10 kB"),
        (61 * 1024**2, "61 MB"),
        (3 * 1024**3 // 2, "1.5 GB"),
    ],
)
def test_sizes_are_short(size: int, shown: str) -> None:
    file = FileResult(
        path="t", split="test", bytes=size, lines=1, examples=1, questions=1, answered=0, images=5047,
        distinct_images=156, stopped_by=None, tallies={},
    )  # fmt: skip

    assert f"\nt  test, 1 example, 5,047 images (156 distinct), {shown}\n" in render_text(
        a_report([], files=(file,))
    )


def test_long_name_of_a_file_stands_on_a_line_of_its_own() -> None:
    name = write(f"{'folder/' * 9}train.jsonl")

    assert f"\n{name}\n  train, 10 examples, 10 images (1 distinct), " in render_text(lint(name))


def test_file_that_was_not_read_says_why() -> None:
    Path("train.jsonl").write_bytes(b"BZh91AY")

    assert "\ntrain.jsonl  train, not read: file/not-jsonl\n" in render_text(lint("train.jsonl"))


# Findings


def test_finding_has_title_place_pointer_and_advice() -> None:
    _, block, _ = blocks(lint(write("train.jsonl", {3: "jpeg 24x24 rgb", 4: GREY})))

    assert block == (
        'error image/unsupported-mode [*]: 1 image         OpenAI: "invalid image format"\n'
        "  train.jsonl:4  mode is L; expected RGB or RGBA (/messages/0/content/1)\n"
        "  do: Run vft fix. By hand: Use pytest_vft.encode_image(image), which keeps\n      transparency."
    )


def test_advice_is_given_once_if_only_some_findings_have_a_repair() -> None:
    """White space in base64 can be removed, a letter of another alphabet cannot."""
    url = data_url(GOOD)
    bad = [json.dumps(example(1)).replace(url, f"{url[:60]}{letter}{url[60:]}") for letter in ("*", r"\n")]
    Path("train.jsonl").write_text("".join(f"{line}\n" for line in bad))

    report = lint("train.jsonl", select="image/invalid-base64")

    (block,) = [one for one in blocks(report) if "invalid-base64" in one]
    assert block.count("  do: ") == block.count("in one piece") == 1
    assert "  do: Run vft fix, which repairs some of them. By hand: Write what\n" in block
    page = render_html(report)
    assert "Run vft fix, which repairs some of them. By hand: Write" in page
    assert "Run vft fix. By hand" not in page


def test_requests_of_the_batch_api_have_no_price() -> None:
    message = {"role": "user", "content": "What is this?"}
    request = {"custom_id": "1", "method": "POST", "url": "/v1", "body": {"messages": [message]}}
    Path("train.jsonl").write_text(f"{json.dumps(request)}\n" * 12)

    report = lint("train.jsonl")

    assert report.cost is None
    assert "$" not in render_text(report)


def test_finding_on_a_file_has_no_line() -> None:
    _, block, _ = blocks(lint(write("train.jsonl", count=3)))

    assert block.startswith(
        "error file/too-few-examples: 1 file\n  train.jsonl  has 3 examples; expected at least 10\n"
    )


def test_few_shot_image_on_all_lines_is_one_finding() -> None:
    write("train.jsonl", {318: "png 24x24 p"}, count=721, shots=[GOOD, GREY])

    _, block, _ = blocks(lint("train.jsonl", select=["image"]))

    assert block.split("\n")[:-2] == [
        "error image/unsupported-mode [*]: 2 images, 721 examples",
        '  OpenAI: "invalid image format"',
        "  train.jsonl:1    mode is L; expected RGB or RGBA",
        "                   (/messages/2/content/1); 720 more, same image: 2-721",
        "  train.jsonl:318  mode is P; expected RGB or RGBA (/messages/4/content/1)",
    ]


def test_image_in_several_files_is_one_finding() -> None:
    report = lint(
        write("a.jsonl", {3: GREY}), validation=write("b.jsonl", {1: GREY, 2: GREY}), select=["image"]
    )

    _, block, _ = blocks(report)

    assert "error image/unsupported-mode [*]: 1 image, 3 examples\n" in block
    assert "  a.jsonl:3  mode is L" in block
    assert "; 2 more, same image: b.jsonl:1-2\n" in block


def test_image_twice_on_one_line_is_one_line() -> None:
    grey = data_url(GREY)
    write_jsonl("train.jsonl", [build_example("Same?", "Yes.", [grey, grey]), *map(example, range(9))])

    _, block, _ = blocks(lint("train.jsonl"))

    assert "error image/unsupported-mode [*]: 1 image, 1 example\n" in block
    assert (
        "  train.jsonl:1  mode is L; expected RGB or RGBA (/messages/0/content/1); 1 more, same image\n"
        in re.sub(r"\n {17}", " ", block)
    )


def test_equal_messages_are_folded_with_their_lines() -> None:
    images = {line: f"png {20 + line}x24 l" for line in (2, 3, 4, 7, 9)}
    report = lint(
        write("a.jsonl", images | {8: "png 24x24 p"}), write("b.jsonl", {5: GREY}), select=["image"]
    )

    *_, block, _ = blocks(report)

    assert block.split("\n")[2:-2] == [
        "  a.jsonl:2  mode is L; expected RGB or RGBA",
        "             (/messages/0/content/1); 5 more: 3-4, 7, 9, b.jsonl:5",
        "  a.jsonl:8  mode is P; expected RGB or RGBA (/messages/0/content/1)",
    ]
    *_, block, _ = blocks(report, most_shown=2)
    assert "; 5 more: 3-4, 7, ...\n" in block


def test_equal_messages_on_whole_files_are_folded_with_their_paths() -> None:
    _, block, _ = blocks(lint(*(write(f"{name}.jsonl", count=3) for name in "abc"), select=["file"]))

    assert "  a.jsonl  has 3 examples; expected at least 10; 2 more: b.jsonl, c.jsonl\n" in block


def test_faults_of_one_image_with_several_messages_are_apart() -> None:
    found = [a_finding(1, image="a" * 32), a_finding(2, image="a" * 32, message="image is 102 bytes")]

    _, block, _ = blocks(a_report([a_rule(failed=2)], found))

    assert "1 image, 2 examples" in block
    assert "  train.jsonl:1  image is 101 bytes; the limit is 100 (/messages/0/content/1)\n" in block
    assert "  train.jsonl:2  image is 102 bytes (/messages/0/content/1)\n" in block


def test_places_are_aligned() -> None:
    _, block, _ = blocks(lint(write("train.jsonl", {8: GREY, 10: "png 24x24 p"})))

    assert "\n  train.jsonl:8   mode is L;" in block
    assert "\n  train.jsonl:10  mode is P;" in block


def test_errors_stand_before_warnings() -> None:
    configure('severity = {"image/unsupported-format" = "warning"}')
    write("train.jsonl", {4: GREY, 5: "gif 24x24 p"})

    titles = [block.split(":")[0] for block in blocks(lint("train.jsonl"))[1:-1]]

    assert titles == ["error image/unsupported-mode [*]", "warning image/unsupported-format [*]"]


@pytest.mark.parametrize(
    ("scope", "amount"),
    [
        ("file", "1 file"),
        ("line", "1,200 lines"),
        ("example", "2 examples"),
        ("message", "2 messages"),
        ("image", "2 images"),
    ],
)
def test_amount_is_in_units_of_the_scope(scope: str, amount: str) -> None:
    failed = int(amount.split(maxsplit=1)[0].replace(",", ""))
    rule = a_rule(f"{scope}/odd", failed=failed)

    assert f"\nerror {scope}/odd: {amount}\n" in render_text(a_report([rule], [a_finding(rule=rule.id)]))


def test_ten_are_shown_unless_something_else_is_said() -> None:
    findings = [a_finding(line, message=f"image is {100 + line} bytes") for line in range(1, 13)]
    text = render_text(a_report([a_rule(failed=12)], findings))

    assert text.count("image is 1") == 10
    assert "... and 2 more" in text


def test_so_many_are_shown_and_the_others_counted() -> None:
    roles = [{"messages": [{"role": f"r{n}", "content": "What?"}]} for n in range(5)]
    write_jsonl("train.jsonl", [*roles, *map(example, range(9))])
    report = lint("train.jsonl", select=["example/invalid-shape"])

    _, block, _ = blocks(report, most_shown=2)
    assert block.count('role is "r') == 2
    assert "\n  ... and 3 more (--max-shown=0 shows them)\n  do: " in block
    for most in (0, 5):
        _, block, _ = blocks(report, most_shown=most)
        assert block.count('role is "r') == 5
        assert "more" not in block


def test_findings_that_were_not_kept_are_counted() -> None:
    configure("max_findings = 4")
    write("train.jsonl", dict.fromkeys(range(1, 8), GREY))

    report = lint("train.jsonl")

    _, block, _ = blocks(report)
    assert block.startswith("error image/unsupported-mode [*]: 7 images ")
    assert "; 3 more, same image: 2-4\n" in block
    assert "\n  ... and 3 more, not kept (--max-findings=0 keeps them)\n  do: " in block
    assert as_data(report)["truncated"] == {"image/unsupported-mode": 3}
    assert len(report.findings) == 4

    configure('max_findings = 4\nseverity = {"image/unsupported-mode" = "warning"}')
    text = render_text(lint("train.jsonl"))
    assert "warning image/unsupported-mode" in text
    assert "\n  ... and 3 more, not kept (--max-findings=0 keeps them)\n" in text


def test_allowance_is_in_the_title_and_a_lower_one_is_noted() -> None:
    configure('allow = {"image/unsupported-mode" = 3}')

    _, block, end = blocks(lint(write("train.jsonl", {4: GREY})))

    assert block.startswith("warning image/unsupported-mode [*]: 1 image (allowed: 3)\n  train.jsonl:4  ")
    assert "note: allow: image/unsupported-mode has 1 finding of 3 allowed; lower it to 1\n" in end
    assert "\nPASSED  1 of 10 lines has warnings (1 finding); [*] 1 can" in end


def test_ignored_rules_are_shown_with_their_reasons() -> None:
    configure('[ignore]\n"image/unsupported-mode" = "grey is fine"\n"line/not-utf8" = "we shall see"')

    _, end = blocks(lint(write("train.jsonl", {4: GREY, 5: GREY})))

    assert "ignored image/unsupported-mode, 2 findings: grey is fine\n" in end
    assert "ignored line/not-utf8: we shall see\n" in end


def test_reasons_of_several_files_are_shown_together() -> None:
    configure(
        '[per-file-ignores."a.jsonl"]\nimage = "first year"\n'
        '[per-file-ignores."b.jsonl"]\nimage = "second year"'
    )

    *_, end = blocks(lint(write("a.jsonl", {4: GREY}), write("b.jsonl", {4: GREY}), ignore=["dataset"]))

    assert "ignored image/unsupported-mode, 2 findings: first year; second year\n" in end


# Not checked


def test_what_is_not_checked_is_folded_by_reason() -> None:
    urls = [build_example("What is this?", f"It is {n}.", f"https://example.com/{n}.png") for n in range(2)]
    write_jsonl("train.jsonl", [*urls, *map(example, range(9))])

    report = lint("train.jsonl")
    *_, end = blocks(report)

    unknown = [rule.id for rule in report.rules if rule.tally.unknown]
    assert len(unknown) > 2
    assert end.split("\n")[0] == (
        f"not checked: 2 images: offline ({unknown[0]} and {len(unknown) - 1} more rules)"
    )
    assert f"{len(unknown)} rules partly checked, " in end


def test_one_rule_that_is_not_checked_stands_alone() -> None:
    rule = RuleResult(id="file/large", subject="file", severity="error", tally=Tally(unknown=1), truncated=0)

    *_, end = blocks(a_report([rule]))

    assert end.startswith("not checked: 1 file: not measured (file/large)\n")


def test_rule_that_fails_because_it_is_not_checked_comes_first() -> None:
    excused = a_rule("image/face")._replace(tally=Tally(unknown=1), gaps={"header_only": 1}, excused=True)
    asked = excused._replace(id="image/dark", excused=False)

    (first, *_) = unknown_lines(a_report([excused, asked], require_checked=True))

    assert first.endswith("(image/dark and 1 more rule)")


def test_it_is_always_said_what_no_rule_checks() -> None:
    assert "\nnot checked: people, faces, children, CAPTCHAs (install pytest-vft[face])\n" in render_text(
        a_report([])
    )


# The verdict


@pytest.mark.parametrize(
    ("rules", "more", "verdict"),
    [
        ([], {}, "PASSED  0 rules fine"),
        ([a_rule()], {}, "PASSED  1 rule fine"),
        ([a_rule()._replace(tally=Tally(unknown=1, passed=1))], {}, "PASSED  1 rule partly checked"),
        (
            [a_rule()._replace(tally=Tally(unknown=1)), a_rule(), a_rule()],
            {"require_checked": True},
            "FAILED  1 rule partly checked, 2 fine",
        ),
        (
            [
                a_rule()._replace(tally=Tally(unknown=1), gaps={"header_only": 1}, excused=True),
                a_rule("image/odd")._replace(tally=Tally(unknown=1)),
                a_rule(),
            ],
            {"require_checked": True},
            "FAILED  1 rule partly checked, 1 fine",
        ),
        (
            [a_rule(failed=1), a_rule("image/odd")._replace(tally=Tally(unknown=1))],
            {"require_checked": True},
            "FAILED  1 finding; 1 rule partly checked",
        ),
        ([a_rule(failed=1), a_rule("image/odd")._replace(tally=Tally(unknown=1))], {}, "FAILED  1 finding"),
        (
            [a_rule(failed=1, severity="warning"), a_rule("image/odd")._replace(tally=Tally(unknown=1))],
            {},
            "PASSED  1 finding; 1 rule partly checked",
        ),
        (
            [a_rule(severity="warning")._replace(tally=Tally(failed=1, unknown=1)), a_rule("image/odd")],
            {},
            "PASSED  1 finding; 1 rule partly checked",
        ),
        (
            [
                a_rule(severity="warning")._replace(tally=Tally(failed=1, unknown=1)),
                a_rule("image/odd")._replace(tally=Tally(unknown=1)),
            ],
            {"require_checked": True},
            "FAILED  2 rules partly checked; 1 finding",
        ),
        (
            [a_rule()._replace(tally=Tally(known=1, unknown=1))],
            {"known": (a_finding(),), "require_checked": True},
            "FAILED  1 rule partly checked; 1 known finding, no new ones",
        ),
    ],
)
def test_verdict_is_the_last_line(rules: list[RuleResult], more: dict[str, Any], verdict: str) -> None:
    findings = [a_finding(None)] if rules and rules[0].tally.failed else []

    assert render_text(a_report(rules, findings, **more)).split("\n")[-2:] == [verdict, ""]


def verdict(*paths: str, **settings: Any) -> str:
    """Return the verdict up to the number of findings that can be repaired."""
    return render_text(lint(*paths, **settings)).split("\n")[-2].partition("; [*]")[0]


def test_lines_with_errors_and_findings_are_counted() -> None:
    lines = [example(line) for line in range(1, 12)]
    lines[2] = build_example("Both?", "Yes.", [data_url(GREY), data_url("png 24x24 p")])
    lines[7] = example(8, "gif 24x24 p")
    write_jsonl("train.jsonl", lines)

    assert verdict("train.jsonl") == "FAILED  2 of 11 lines have errors (3 findings)"
    assert verdict("train.jsonl", select=["image/unsupported-format"]) == (
        "FAILED  1 of 11 lines has errors (1 finding)"
    )


def test_warnings_count_as_findings_but_not_as_lines_with_errors() -> None:
    write("train.jsonl", {3: GREY})
    Path("train.jsonl").write_text("\n\n" + Path("train.jsonl").read_text())

    assert verdict("train.jsonl") == "FAILED  1 of 12 lines has errors (3 findings)"
    assert verdict("train.jsonl", ignore=["image"]) == "PASSED  2 of 12 lines have warnings (2 findings)"
    assert verdict("train.jsonl", ignore=["image"], fail_on="warning") == (
        "FAILED  2 of 12 lines have warnings (2 findings)"
    )


def test_findings_that_can_be_repaired_are_counted_with_their_command() -> None:
    write("train.jsonl", {3: GREY, 5: "png 24x24 rgb cut=30", 6: "gif 24x24 p"})
    write("it's.jsonl", {2: GREY, 4: "jpeg 24x24 rgb bytes=11000000"})

    end = render_text(lint("train.jsonl", "it's.jsonl")).split("\n")[-2]
    sound = render_text(lint(write("fine.jsonl"))).split("\n")[-2]

    assert end.endswith("""; [*] 3 can be repaired: vft fix train.jsonl 'it'"'"'s.jsonl'""")
    assert "[*]" not in sound


def test_lines_of_allowed_findings_have_no_errors() -> None:
    configure('allow = {"image/unsupported-mode" = 3}')

    assert verdict(write("train.jsonl", {4: GREY, 6: "gif 24x24 p"})) == (
        "FAILED  1 of 10 lines has errors (2 findings)"
    )


def test_findings_on_whole_files_have_no_lines() -> None:
    Path("train.jsonl").write_bytes(b"\x1f\x8b")

    assert verdict("train.jsonl") == "FAILED  1 finding"
    assert verdict("train.jsonl", write("more.jsonl")) == "FAILED  1 finding in 1 of 2 files"


def test_files_with_errors_are_counted() -> None:
    files = [write("a.jsonl", {1: GREY}), write("b.jsonl"), write("c.jsonl", {2: GREY, 3: GREY})]

    assert verdict(*files, select=["image"]) == (
        "FAILED  3 of 30 lines have errors (3 findings) in 2 of 3 files"
    )


def test_line_that_is_in_two_splits_has_an_error() -> None:
    write("train.jsonl")
    write_jsonl("validation.jsonl", [example(2), example(99)])

    assert verdict("train.jsonl", validation="validation.jsonl", select=["dataset/split-leak"]) == (
        "FAILED  1 of 12 lines has errors (1 finding) in 1 of 2 files"
    )


@pytest.mark.parametrize("most", [1, 0])
def test_lines_are_counted_however_many_findings_are_kept(most: int) -> None:
    configure(f"max_findings = {most}")

    assert verdict(write("train.jsonl", dict.fromkeys((1, 2, 5), GREY))) == (
        "FAILED  3 of 10 lines have errors (3 findings)"
    )


# Warnings


def test_warning_takes_one_line() -> None:
    write("train.jsonl")
    Path("train.jsonl").write_text("\n" * 12 + Path("train.jsonl").read_text())

    _, block, end = blocks(lint("train.jsonl"))

    assert block == "warning line/blank [*]: 12 lines  train.jsonl:1  line is blank; 11 more: 2-12"
    assert "\nhelp: vft explain RULE\n" in end


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (2, "  train.jsonl:1  word word (/messages/0/content/1)"),
        (5, "  train.jsonl:1  word word word word word"),
        (9, f"\n  train.jsonl:1  {'word ' * 9}".rstrip() + "\n" + " " * 17 + "(/messages/0/content/1)"),
    ],
)
def test_warning_says_what_there_is_room_for(words: int, shown: str) -> None:
    rule = a_rule(failed=1, severity="warning")
    finding = a_finding(severity="warning", message=" ".join(["word"] * words))

    _, block, _ = blocks(a_report([rule], [finding]), width=84)

    assert block == f"warning image/too-large: 1 image{shown}"


def test_warning_shows_its_first_messages() -> None:
    rule = a_rule(failed=5, severity="warning")
    findings = [a_finding(line=n, severity="warning", message=f"key {n % 4} is unknown") for n in range(5)]

    _, block, _ = blocks(a_report([rule], findings))

    title, *lines = block.splitlines()
    assert title == "warning image/too-large: 5 images"
    assert [line.split("  ")[2] for line in lines[:3]] == [
        f"key {number} is unknown (/messages/0/content/1){'; 1 more: 4' if not number else ''}"
        for number in range(3)
    ]
    assert lines[3:] == ["  ... and 1 more (--format=concise shows them)"]


def test_warning_that_fails_the_run_is_shown_like_an_error() -> None:
    rule = a_rule(failed=1, severity="warning")

    _, block, _ = blocks(a_report([rule], [a_finding(severity="warning")], fail_on="warning"))

    assert block.startswith("warning image/too-large: 1 image\n  train.jsonl:1  image is 101 bytes")


# 80 columns


@pytest.mark.parametrize(("length", "lines"), [(WIDTH, 1), (WIDTH + 1, 2)])
def test_line_is_full_before_another_begins(length: int, lines: int) -> None:
    finding = a_finding(pointer="", message="x" * (length - len("  train.jsonl:1  ") - 2) + " y")
    _, block, _ = blocks(a_report([a_rule(failed=1)], [finding]))
    assert block.count("\n") == lines + 1

    finding = a_finding(pointer="/p", message="x" * (length - len("  train.jsonl:1   (/p)")))
    _, block, _ = blocks(a_report([a_rule(failed=1)], [finding]))
    assert block.count("\n") == lines + 1

    finding = a_finding(pointer="", path="p" * 40, message="x" * (length - 46))
    _, block, _ = blocks(a_report([a_rule(failed=1)], [finding]))
    assert block.count("\n") == lines + 1

    finding = a_finding(skips="x" * (length - len('error image/too-large: 1 image  OpenAI: ""')))
    _, block, _ = blocks(a_report([a_rule(failed=1)], [finding]))
    assert block.count("\n") == lines + 1

    report = a_report([a_rule(failed=1)], [a_finding()])
    head = FileResult(
        path="p" * (length - len("  test, 1 example, 0 images, 1 byte")), split="test", bytes=1, lines=1,
        examples=1, questions=1, answered=0, images=0, distinct_images=0, stopped_by=None, tallies={},
    )  # fmt: skip
    assert blocks(replace(report, files=(head,)))[0].count("\n") == lines


def test_words_are_not_broken_at_hyphens() -> None:
    message = "the same turn stands in " + "part-of-a-name-" * 8

    text = render_text(a_report([a_rule(failed=1)], [a_finding(message=message)]))

    assert "part-of-a-name-" * 8 in text


def test_long_message_goes_on_below_itself() -> None:
    message = "type is one of the words that " + "nobody " * 10 + "knows"

    _, block, _ = blocks(a_report([a_rule(failed=1)], [a_finding(message=message)]))

    lines = block.split("\n")[1:-1]
    assert lines[0].startswith("  train.jsonl:1  type is one of the words that nobody")
    assert {re.match(" *", line)[0] for line in lines[1:]} == {" " * 17}  # type: ignore[index]  # it matches all
    assert " ".join(block.split()).endswith("nobody knows (/messages/0/content/1) do: Make it smaller.")


def test_long_place_stands_above_its_message() -> None:
    path = f"{'folder/' * 9}train.jsonl"

    _, block, _ = blocks(a_report([a_rule(failed=1)], [a_finding(12, path=path)]))

    assert block.split("\n")[1:-1] == [
        f"  {path}:12",
        "    image is 101 bytes; the limit is 100 (/messages/0/content/1)",
    ]


def test_pointer_is_never_cut() -> None:
    pointer = "/messages/0/content/1/image_url" + "/deeper" * 20

    assert f"({pointer})\n" in render_text(a_report([a_rule(failed=1)], [a_finding(pointer=pointer)]))


def test_long_advice_and_reasons_are_wrapped() -> None:
    advice = "Do " + "this and " * 20 + "that."
    rules = [a_rule(failed=1), a_rule("line/blank", reason="because " * 20)]

    text = render_text(a_report(rules, [a_finding(advice=advice)], notes=("allow: " + "lower " * 20,)))

    assert max(map(len, text.split("\n"))) <= WIDTH
    assert "\n  do: Do this and" in text
    assert re.search(r"\n      \S.*that\.\n", text)


@pytest.mark.parametrize("folder_name", ["", "data/", "data/of the/first year/"])
def test_nothing_of_a_faulty_dataset_is_wider_than_80_columns(folder_name: str) -> None:
    images = {
        1: GREY,
        2: "png 24x24 rgb cut=30",
        3: "gif 24x24 p",
        4: "png 400x400 rgb cut=9000",
        5: "jpeg 24x24 cmyk",
    }
    name = write(f"{folder_name}train.jsonl", images, shots=[GREY])
    with Path(name).open("a") as file:
        file.write('{"messages": [}\n[]\n{"instruction": "a", "input": "b", "output": "c"}\n')
        file.write(
            '{"messages": [{"role": "robot", "content": [{"type": "input_text", "text": "Hello."}]}]}\n'
        )
        file.write('{"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}]}\n')

    report = lint(name)
    text = render_text(report)

    assert len(report.failing) > 5
    *lines, end = text.rstrip("\n").split("\n")[1:]
    assert [line for line in lines if len(line) > WIDTH] == []
    assert end.endswith(f"[*] 13 can be repaired: vft fix {shlex.quote(name)}")  # one line, for grep
    assert re.sub(r"\s+", "", text).count("modeisL;expectedRGBorRGBA") == 1
    assert max(map(len, render_text(report, Display(width=120)).split("\n"))) > WIDTH


def test_width_does_not_eat_words() -> None:
    """What is wrapped can be put together again."""
    configure(f'[ignore]\nimage = "{"word " * 40}"')
    text = render_text(lint(write("train.jsonl", {1: GREY})))

    assert f"ignored image/unsupported-mode, 1 finding: {'word ' * 40}".split() == [
        word
        for paragraph in re.findall(r"^ignored image/unsupported-mode(?:.*\n)(?:  .*\n)*", text, re.MULTILINE)
        for word in paragraph.split()
    ]
