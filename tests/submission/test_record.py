"""A record belongs to one process at a time, and survives whatever ends that process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_vft.errors import UsageError
from pytest_vft.submission.record import Record, Thing, open_record

JOB = Thing("job", "0e1f", "https://example.com/v1")
FILE = Thing("file", "train-0e1f.jsonl", "https://example.com/v1")


def never() -> None:
    raise AssertionError("the record is locked")


def test_entries_are_read_back(tmp_path: Path) -> None:
    with open_record(tmp_path / "a.record", never) as record:
        record.add(FILE, "sending")
        record.add(FILE, "created", id_="file-1")
        record.add(JOB, "sending", ended=["ftjob-1"])

    with open_record(tmp_path / "a.record", never) as record:
        assert record.created(FILE) == record.last(FILE)
        assert (record.unsettled(FILE), record.created(JOB)) == (None, None)
        unsettled = record.unsettled(JOB)
        assert unsettled is not None
        assert list(unsettled.ended) == ["ftjob-1"]
        assert 0 <= unsettled.age < 60


def test_a_thing_at_another_server_is_another_thing(tmp_path: Path) -> None:
    with open_record(tmp_path / "a.record", never) as record:
        record.add(FILE, "created", id_="file-1")

        assert record.created(FILE._replace(address="https://example.org/v1")) is None


def test_an_unfinished_entry_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "a.record"
    with open_record(path, never) as record:
        record.add(FILE, "created", id_="file-1")
        record.add(JOB, "sending")
    whole = path.read_bytes()

    for end in range(whole.index(b"\n") + 1, len(whole), 7):
        path.write_bytes(whole[:end])
        with open_record(path, never) as record:
            assert record.created(FILE)
            assert record.last(JOB) is None
            record.add(JOB, "sending")
        with open_record(path, never) as record:
            assert record.unsettled(JOB)


@pytest.mark.parametrize(
    "line", [b"nonsense", b"[]", b"{}", b'{"format": "vft-record/9"}', b"\xff", b"null", b'"text"']
)
def test_what_is_no_record_is_refused_and_kept(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "a.record"
    path.write_bytes(line + b"\n")

    with (
        pytest.raises(UsageError, match=r"a\.record:1: is not an entry of a record"),
        open_record(path, never),
    ):
        pass
    assert path.read_bytes() == line + b"\n"


def test_an_entry_says_when(tmp_path: Path) -> None:
    path = tmp_path / "a.record"
    with open_record(path, never) as record:
        record.add(JOB, "sending")

    data = json.loads(path.read_bytes())
    assert (data["format"], data["kind"], data["state"], data["id"]) == (
        "vft-record/1",
        "job",
        "sending",
        None,
    )
    assert data["at"].endswith("+00:00")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_record_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)

    with (
        pytest.raises(UsageError, match=r"cannot be written .*Give --plan=FILE in another folder"),
        open_record(tmp_path / "a.record", never),
    ):
        pass


def test_a_folder_is_no_record(tmp_path: Path) -> None:
    match = r"the record cannot be written \(Is a directory\)"

    with pytest.raises(UsageError, match=match), open_record(tmp_path, never):
        pass


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such pipes")
def test_a_pipe_is_no_record(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.record")

    with (
        pytest.raises(UsageError, match=r"the record cannot be written \(not a regular file\)"),
        open_record(tmp_path / "a.record", never),
    ):
        pytest.fail("a pipe is a record")


def test_an_error_of_another_file_is_not_one_of_the_record(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), open_record(tmp_path / "a.record", never):
        (tmp_path / "missing").read_bytes()


HOLD = """
import sys, time
from pathlib import Path
from pytest_vft.submission.record import Thing, open_record
with open_record(Path(sys.argv[1]), lambda: time.sleep(0.01)) as record:
    record.add(Thing("job", "0e1f", "https://example.com/v1"), "sending")
    print("locked", flush=True)
    time.sleep(60)
"""


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    path, waited = tmp_path / "a.record", 0
    with subprocess.Popen([sys.executable, "-c", HOLD, path], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"

        def wait() -> None:
            nonlocal waited
            waited += 1
            process.send_signal(signal.SIGKILL)
            process.wait()

        with open_record(path, wait) as record:
            assert record.unsettled(JOB)
    assert waited == 1


def test_a_link_to_a_record_is_that_record(tmp_path: Path) -> None:
    (tmp_path / "link.record").symlink_to(tmp_path / "a.record")

    def wait() -> None:
        raise TimeoutError

    with (
        open_record(tmp_path / "a.record", never),
        pytest.raises(TimeoutError),
        open_record(tmp_path / "link.record", wait),
    ):
        pass


def test_a_record_without_a_file_is_in_memory() -> None:
    record = Record()
    record.add(JOB, "created", id_="ftjob-1")

    assert record.created(JOB)
