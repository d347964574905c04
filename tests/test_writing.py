"""What is written is written completely or not at all."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pytest_vft.errors import UsageError
from pytest_vft.report.formats import Target, write_target
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
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()

    write_text(pipe, "through the pipe")

    reader.join(timeout=10)
    assert read == ["through the pipe"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


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
