"""Files go up once, whole or in parts, and are what was planned."""

from __future__ import annotations

import hashlib
import os
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai.types.upload_create_params import UploadCreateParams

from pytest_vft.client import Credentials, make_client
from pytest_vft.errors import ServerError, SubmissionError
from pytest_vft.model import Source
from pytest_vft.submission import upload
from pytest_vft.submission.job_api import job_api
from pytest_vft.submission.plan import JobFile, describe_file
from pytest_vft.submission.record import Record
from pytest_vft.submission.requests import Recorder
from pytest_vft.submission.server import Server
from pytest_vft.submission.upload import find_file

from .conftest import connect, strict
from .fake_server import FakeServer, Fault

PARTS = "/uploads/upload-1/parts"
SMALL = replace(job_api(), plain_bytes=1_000, part_bytes=400)
MEGABYTE = 1024**2


def send_file(server: Server, file: JobFile) -> str:
    """Send with a record that nothing has been written to, as on a new machine."""
    return upload.send_file(server, file, Record())


@pytest.fixture
def large(tmp_path: Path) -> JobFile:
    """A file that is uploaded in three parts of 400 bytes."""
    path = tmp_path / "large.jsonl"
    path.write_bytes(bytes(range(256)) * 4 + b"the end\n")
    return describe_file(Source(str(path)))


def test_a_large_file_goes_up_in_parts(fake: FakeServer, large: JobFile) -> None:
    heard: list[tuple[int, int]] = []
    server = connect(fake, api=SMALL, progress=lambda _name, done, total: heard.append((done, total)))

    id_ = send_file(server, large)

    assert [len(part) for part in fake.uploads["upload-1"]["parts"].values()] == [400, 400, 232]
    assert fake.files[id_]["sha256"] == large.sha256
    assert fake.files[id_]["filename"] == large.name
    assert heard[-1] == (1_032, 1_032)
    assert fake.count("POST", "/files") == 0


@pytest.mark.parametrize(
    "fault",
    [Fault("POST", PARTS), Fault("POST", PARTS, drop=True), Fault("POST", PARTS, late=True)],
    ids=["500", "dropped", "500 though it arrived"],
)
def test_a_part_that_fails_once_is_sent_again(fake: FakeServer, large: JobFile, fault: Fault) -> None:
    fake.faults = [fault]

    id_ = send_file(connect(fake, api=SMALL), large)

    assert fake.files[id_]["sha256"] == large.sha256
    assert len(fake.uploads) == 1


@pytest.mark.parametrize("status", [400, 500])
def test_an_upload_that_fails_for_good_is_cancelled(fake: FakeServer, large: JobFile, status: int) -> None:
    fake.faults = [Fault("POST", PARTS, status=400), Fault("POST", "/uploads/upload-1/complete", times=9)]
    if status == 500:
        fake.faults.pop(0)

    with pytest.raises(ServerError, match=f"uploading .*large.jsonl: {'400' if status == 400 else ''}"):
        send_file(
            replace(connect(fake, api=SMALL), retry_policy=replace(connect(fake).retry_policy, tries=1)),
            large,
        )
    assert {upload["status"] for upload in fake.uploads.values()} == {"cancelled"}
    assert not fake.files


@pytest.mark.parametrize("how", [{"status": 500}, {"drop": True}], ids=["500", "dropped"])
@pytest.mark.parametrize("late", [True, False], ids=["completed", "not completed"])
def test_an_upload_is_completed_once(
    fake: FakeServer, large: JobFile, how: dict[str, Any], *, late: bool
) -> None:
    fake.faults = [Fault("POST", "/uploads/upload-1/complete", late=late, **how)]

    id_ = send_file(connect(fake, api=SMALL, search=5), large)

    assert list(fake.files) == [id_]
    states = [upload["status"] for upload in fake.uploads.values()]
    assert states == (["completed"] if late else ["cancelled", "completed"])


def test_an_interrupted_upload_is_cancelled(fake: FakeServer, large: JobFile) -> None:
    def interrupt(_name: str, done: int, _total: int) -> None:
        if done > 400:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        send_file(connect(fake, api=SMALL, progress=interrupt), large)
    assert fake.uploads["upload-1"]["status"] == "cancelled"


def test_a_file_that_is_there_is_not_sent(fake: FakeServer, large: JobFile) -> None:
    first = send_file(connect(fake), large)

    assert send_file(connect(fake), large) == first
    assert fake.count("POST", "/files") == 1


@pytest.mark.parametrize(
    "changed", [{"status": "error"}, {"bytes": 1}, {"filename": "large.jsonl"}, {"purpose": "batch"}]
)
def test_another_file_is_not_taken_for_it(
    fake: FakeServer, large: JobFile, changed: dict[str, object]
) -> None:
    id_ = send_file(connect(fake), large)
    fake.files[id_] |= changed

    assert find_file(connect(fake), large) is None


@pytest.mark.parametrize("api", [job_api(), SMALL], ids=["whole", "parts"])
def test_a_file_that_changed_in_place_is_not_sent_to_its_end(
    fake: FakeServer, large: JobFile, api: object
) -> None:
    Path(large.path).write_bytes(b"x" * large.bytes)

    with pytest.raises(SubmissionError, match="changed while it was uploaded; plan again"):
        send_file(connect(fake, api=api), large)
    assert not fake.files
    assert not [request for request in fake.requests if request[0] == "DELETE"]


@pytest.mark.parametrize("size", [100, 2_000])
def test_a_file_of_another_size_is_not_sent(fake: FakeServer, large: JobFile, size: int) -> None:
    os.truncate(large.path, size)

    with pytest.raises(SubmissionError, match="changed since it was planned; plan again"):
        send_file(connect(fake), large)
    assert fake.count("POST", "/files") == 0


@pytest.fixture
def recorder() -> Iterator[tuple[Recorder, Server]]:
    recorder = Recorder()
    credentials = Credentials(None, "")
    with httpx2.Client(transport=recorder) as http:
        yield recorder, Server(client=make_client(credentials, http_client=http), credentials=credentials)


def test_600_megabytes_go_up_in_parts_and_are_never_held(
    recorder: tuple[Recorder, Server], tmp_path: Path
) -> None:
    path = tmp_path / "huge.jsonl"
    path.touch()
    os.truncate(path, 600 * MEGABYTE)  # sparse: it takes no room
    file = describe_file(Source(str(path)))

    tracemalloc.start()
    send_file(recorder[1], file)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    strict(UploadCreateParams, next(one.body for one in recorder[0].requests if one.url.endswith("/uploads")))
    parts = [request for request in recorder[0].requests if request.url.endswith("/parts")]
    assert len(parts) == 10
    assert sum(part.bytes for part in parts) > 600 * MEGABYTE
    assert max(part.bytes for part in parts) <= 64 * MEGABYTE + 1_000
    assert peak < 8 * MEGABYTE


def test_the_name_tells_the_content(tmp_path: Path) -> None:
    path = tmp_path / "mein Trän\x1b.jsonl"
    path.write_bytes(b"{}\n")

    file = describe_file(Source(str(path)))

    assert file.name == f"mein_Tr_n_-{hashlib.sha256(b'{}' + bytes([10])).hexdigest()[:12]}.jsonl"
