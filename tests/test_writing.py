"""What is written is written completely or not at all."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
import threading
from pathlib import Path
from select import select

import pytest

from pytest_vft import build_example
from pytest_vft.catalogue.cases import data_url
from pytest_vft.cli import main
from pytest_vft.errors import UsageError
from pytest_vft.report.formats import Target, parse_targets, write_target
from pytest_vft.writing import replacing, write_text


def test_text_replaces_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "report.txt"
    path.write_text("a much longer text than the new one")

    write_text(path, "né\n")

    assert path.read_bytes() == b"n\xc3\xa9\n"
    assert list(tmp_path.iterdir()) == [path]


def test_text_about_a_file_does_not_replace_it(tmp_path: Path) -> None:
    data, link = tmp_path / "train.jsonl", tmp_path / "report.json"
    data.write_text("{}")
    link.symlink_to(data)

    for path in (data, link, tmp_path / "missing" / ".." / "train.jsonl"):
        with pytest.raises(UsageError, match=r": this file is checked; write to another file$"):
            write_text(path, "new", inputs=["other.jsonl", str(data)])

    assert data.read_text() == "{}"


def test_a_failure_midway_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "report.txt"
    path.write_text("old")

    def fail_midway() -> None:
        with replacing(path) as file:
            file.write(b"half of the ne")
            assert path.read_text() == "old"
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_midway()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_text_that_cannot_be_encoded_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "ids.txt"
    path.write_text("old")

    with pytest.raises(UnicodeEncodeError):
        write_text(path, "\ud800")
    assert path.read_text() == "old"

    write_text(path, "\ud800", errors="backslashreplace")
    assert path.read_text() == "\\ud800"


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    link = tmp_path / "latest.json"
    link.symlink_to(tmp_path / "data" / "report.json")

    write_text(link, "{}")

    assert link.is_symlink()
    assert (tmp_path / "data" / "report.json").read_text() == "{}"


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    text = "through the pipe" * 10_000  # more than a pipe holds
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(reading, True)
    writer = threading.Thread(target=write_text, args=(pipe, text), daemon=True)
    writer.start()

    with os.fdopen(reading, encoding="utf-8") as file:
        select([file], [], [], 10)  # an end would be read before the writer has opened the pipe
        assert file.read() == text
    writer.join(timeout=10)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


TO_A_PIPE = {
    "report": "check train.jsonl --report=json:pipe",
    "plan": "submit plan train.jsonl --plan=pipe",
    "plan in its default place": "submit plan train.jsonl",
    "pages": "rules --write-pages=.",
}


@pytest.mark.parametrize("command", TO_A_PIPE.values(), ids=TO_A_PIPE)
def test_a_pipe_that_no_process_reads_is_not_waited_for(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    example = build_example("What is this?", "A dog.", [data_url("png 64x64 rgb")])
    Path("train.jsonl").write_text(f"{json.dumps(example)}\n" * 10)
    for pipe in ("pipe", "train.plan.json", "facts.md"):
        os.mkfifo(pipe)

    assert main([*command.split()]) == 2

    assert re.fullmatch(
        r"vft: (pipe|train\.plan\.json|facts\.md): is a pipe that no process reads\n", capsys.readouterr().err
    )


PROGRAM = "from pytest_vft.writing import write_text; write_text('/dev/stdout', 'report'); print('!')"


def test_a_report_may_go_to_stdout_that_is_a_pipe() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)

    assert done.stdout == "report!\n"


def test_stdout_that_is_a_file_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("w") as file:
        inode = path.stat().st_ino
        subprocess.run([sys.executable, "-c", PROGRAM], stdout=file, check=True)

    assert path.stat().st_ino == inode
    assert list(tmp_path.iterdir()) == [path]


def test_a_report_that_cannot_be_written_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(UsageError, match="file/report"):
        write_target(Target("text", tmp_path / "file" / "report.txt"), "text", [])


# A full disk


FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="no device that is always full")


@needs_full
def test_full_disk_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "report.txt"
    path.symlink_to(FULL)

    with pytest.raises(OSError, match=r"No space left on device: '.*report\.txt'"):
        write_text(path, "text")
    with pytest.raises(UsageError, match=r"report\.txt: No space left on device$"):
        write_target(Target("text", path), "text", ())


def test_folder_that_is_missing_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"'.*/missing/report\.txt'"):
        write_text(tmp_path / "missing" / "report.txt", "text")


@needs_full
def test_full_disk_is_said_by_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    example = build_example("What is this?", "A dog.", [data_url("png 24x24 rgb")])
    Path("train.jsonl").write_text(json.dumps(example) + "\n", encoding="utf-8")
    for name in ("plan.json", "images/train-1-1.png"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).symlink_to(FULL)

    assert main(["show", "train.jsonl:1", "--save=images"]) == 2
    assert capsys.readouterr().err == "vft: images/train-1-1.png: No space left on device\n"

    many = (
        build_example(f"What is {n}?", f"A dog {n}.", [data_url(f"png {n}x24 rgb")]) for n in range(24, 36)
    )
    Path("train.jsonl").write_text("".join(json.dumps(one) + "\n" for one in many), encoding="utf-8")
    assert main(["submit", "plan", "train.jsonl", "--plan=plan.json"]) == 2
    assert capsys.readouterr().err == "vft: plan.json: No space left on device\n"


@needs_full
def test_full_standard_output_is_named() -> None:
    with FULL.open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "pytest_vft", "rules"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert (done.returncode, done.stderr) == (2, "vft: standard output: No space left on device\n")


# Several reports


def test_two_reports_to_one_file_are_refused(tmp_path: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to("report.json")

    for second in (tmp_path / "report.json", tmp_path / "x" / ".." / "report.json", link):
        with pytest.raises(
            UsageError, match=r"report\.json: two reports to one file; expected a file for each"
        ):
            parse_targets([f"json:{tmp_path / 'report.json'}", f"sarif:{second}"])
    assert len(parse_targets(["json:a.json", "sarif:b.json"])) == 2
