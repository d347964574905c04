"""A sample is the same each time, reads little of a large file, and never looks like a check of the whole."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from pytest_vft import lint
from pytest_vft.cli import main
from pytest_vft.errors import UsageError
from pytest_vft.reading import opening, sampling
from pytest_vft.reading.sampling import sample_file
from pytest_vft.reading.shards import Shard, read_lines

MIB = 1024 * 1024


def line(number: int, answer: object = "A dog.", size: int = 300) -> bytes:
    user = {"role": "user", "content": f"What is {number}? {number:0{size}}"}
    return json.dumps({"messages": [user, {"role": "assistant", "content": answer}]}).encode() + b"\n"


# Every third line has a fault.
LINES = [line(number, 5 if number % 3 == 0 else "A dog.") for number in range(300)]
FAULTY = set(range(1, 301, 3))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("small", [True, False], ids=["each line equally likely", "by place"])
def test_lines_are_drawn_from_the_whole_file(monkeypatch: pytest.MonkeyPatch, *, small: bool) -> None:
    Path("train.jsonl").write_bytes(b"\xef\xbb\xbf" + b"".join(LINES))
    if not small:
        monkeypatch.setattr(sampling, "_READ_WHOLE", 1000)
    report = lint("train.jsonl", sample=60)
    lines = {finding.line for finding in report.findings if finding.severity == "error" and finding.line}
    assert lines < FAULTY
    assert any(number > 200 for number in lines if number)
    assert any(number < 100 for number in lines if number)
    assert report.files[0].examples == report.sampled
    assert report.sampled == 60
    assert lint("train.jsonl", sample=60).findings == report.findings
    assert report.cost is None
    # What counts all examples is not judged: a sample has too few of them.
    assert not {finding.rule for finding in report.findings} & {"file/too-few-examples", "file/empty"}
    unknown = {rule.id for rule in report.rules if rule.tally.unknown}
    assert {"file/too-few-examples", "dataset/duplicate-example", "dataset/split-leak"} <= unknown


def test_as_many_lines_are_drawn_as_were_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "_READ_WHOLE", 1000)
    lines = [line(number, size=300 if number % 10 else 3000) for number in range(600)]
    Path("train.jsonl").write_bytes(b"".join(lines))
    for number in (1, 50, 100, 149, 250, 599):
        found = sample_file(Shard("train.jsonl", "train", 0, sum(map(len, lines))), number)
        assert found
        assert len({shard.start for shard in found.shards}) == number
        assert all(b"".join(read_lines(shard)) in lines for shard in found.shards)  # type: ignore[arg-type]
    Path("train.jsonl").write_bytes(b"x" * 5000 + b"\n" + b"x\n" * 20)  # places lead to one line
    assert len(sample_file(Shard("train.jsonl", "train", 0, 5041), 2).shards) == 2  # type: ignore[union-attr]


def test_a_sample_of_all_examples_is_a_check(here: Path) -> None:
    for name, content in {
        "a.jsonl": b"".join(LINES),
        "b.jsonl.gz": gzip.compress(b"".join(LINES)),
        "c.json": b"[" + b",".join(LINES) + b"]",
    }.items():
        (here / name).write_bytes(content)
        whole = lint(name)
        assert lint(name, sample=300) == whole
        assert lint(name, sample=0) == whole
        assert lint(name, sample=299).sampled == 299


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.json", "a.json.gz"])
def test_other_files_are_read_from_their_start(name: str) -> None:
    content = b"".join(LINES) if "jsonl" in name else b"\n[" + b",".join(LINES) + b"]"
    Path(name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    expected = [one for one in lint(name).findings if one.line and one.rule == "example/invalid-shape"]
    report = lint(name, sample=10)
    found = [one for one in report.findings if one.line and one.rule == "example/invalid-shape"]
    assert report.sampled == 10
    assert found == expected[:4]


def test_a_large_file_is_read_where_lines_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [line(number, size=100_000) for number in range(300)]
    Path("train.jsonl").write_bytes(b"".join(lines))
    read, open_data = [], opening.open_data

    def spy(path: str, buffer: int = -1, *, start: int = 0, end: int | None = None) -> object:
        read.append(max(min(end or start, 1 << 40) - start, 0))
        return open_data(path, buffer, start=start, end=end)

    monkeypatch.setattr("pytest_vft.reading.shards.open_data", spy)
    report = lint("train.jsonl", sample=10, cache=False)
    assert report.ok
    assert report.sampled == 10
    ranges = [size for size in read if size < 10 * MIB]
    assert sum(ranges) < 5 * MIB


def test_no_report_looks_like_that_of_the_whole(capsys: pytest.CaptureFixture[str]) -> None:
    Path("train.jsonl").write_bytes(b"".join(line(number) for number in range(40)))
    reports = [f"--report={name}:{name}.txt" for name in ("json", "junit", "markdown", "concise")]
    assert main(["check", "train.jsonl", "--sample=20", *reports, "--report=html:a.html"]) == 0
    shown = capsys.readouterr().out
    assert "train.jsonl  train, 20 examples (a sample), 0 images" in shown
    assert "PASSED  only a sample, 20 examples: " in shown
    assert "not checked: the dataset as a whole: a sample does not tell" in shown
    assert json.loads(Path("json.txt").read_text())["sampled"] == 20
    for name in ("junit.txt", "markdown.txt", "concise.txt", "a.html"):
        assert "only a sample, 20 examples" in Path(name).read_text(), name
    assert Path("markdown.txt").read_text().startswith("### vft: PASSED; only a sample, 20 examples\n")
    page = Path("a.html").read_text()
    assert "<title>PASSED (a sample): train.jsonl" in page
    assert "train, 20 examples (a sample), 0 images" in page
    assert main(["check", "train.jsonl", "--sample=20", "--quiet"]) == 0
    assert "PASSED  only a sample, 20 examples: " in capsys.readouterr().out
    # A gate that was asked for holds or fails.
    assert main(["check", "train.jsonl", "--sample=20", "--require-checked"]) == 1
    assert "fine; a sample never passes --require-checked" in capsys.readouterr().out
    assert main(["providers", "train.jsonl", "--sample=20", "--provider=openai,trl"]) == 0
    shown = capsys.readouterr().out
    assert "20 examples (a sample)" in shown
    assert "1 file not checked: a sample does not tell" in shown
    assert "takes" not in shown


def test_what_a_sample_cannot_do() -> None:
    Path("train.jsonl").write_bytes(b"".join(LINES))
    assert main(["check", "train.jsonl", "--write-baseline"]) == 0
    with pytest.raises(UsageError, match="a sample does not tell which findings are gone"):
        lint("train.jsonl", sample=10, baseline="vft-baseline.json")
    with pytest.raises(UsageError, match="sample is -1; expected at least 0"):
        lint("train.jsonl", sample=-1)


def test_a_sample_without_examples_is_no_file_without_examples(capsys: pytest.CaptureFixture[str]) -> None:
    Path("train.jsonl").write_bytes(b"\n" * 5_000 + b"".join(LINES) + b"\n" * 5_000)
    assert main(["check", "train.jsonl", "--sample=1"]) == 2
    assert "train.jsonl: none of the lines drawn has an example" in capsys.readouterr().err


def test_pytest_says_that_it_is_a_sample(pytester: pytest.Pytester) -> None:
    (pytester.path / "train.jsonl").write_bytes(b"".join(line(number) for number in range(40)))
    options = ("--vft-data=train.jsonl", "--vft-sample=20", "--junit-xml=junit.xml", "-p", "no:cacheprovider")
    result = pytester.runpytest_subprocess(*options)
    result.stdout.fnmatch_lines(
        [
            "vft: provider openai*only a sample of each file, 20 examples",
            "vft: only a sample was checked, 20 examples",
        ]
    )
    assert result.ret == 0
    assert '<property name="sample" value="only 20 examples"' in (pytester.path / "junit.xml").read_text()
