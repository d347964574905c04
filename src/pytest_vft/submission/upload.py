"""Files on their way to a server: in one piece, or in parts; never twice, never held in memory."""

from __future__ import annotations

import hashlib
import io
import os
from contextlib import suppress
from functools import partial
from typing import IO, TYPE_CHECKING, Any, cast

import openai

from pytest_vft.errors import ServerError, SubmissionError
from pytest_vft.submission.plan import JobFile
from pytest_vft.submission.server import Server, is_passing

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed import WriteableBuffer

_MEDIA_TYPE = "text/jsonl"
_TIMEOUT = 600.0  # seconds that a server may take to answer when it has got a file
_MOST_FILES = 10_000
_READY = ("processed", "succeeded", None)  # the second is Azure's; some servers have no status
_UNUSABLE = ("error", "failed", "deleted", "cancelled")


class Section(io.RawIOBase):
    """A part of a file, hashed while it is read; it may be read again from its start.

    The bytes from *start* are read, *length* of them; *before* is the hash of what stands before.
    """

    def __init__(self, path: str, start: int, length: int, before: Any, heard: Callable[[int], None]) -> None:
        super().__init__()
        self._file = open(path, "rb", buffering=0)  # noqa: PTH123, SIM115 - closed with this one
        self._start = start
        self._length = length
        self._before = before
        self._heard = heard
        self._place = 0
        self.hash = before.copy()

    def readable(self) -> bool:
        """Return that it is."""
        return True

    def seekable(self) -> bool:
        """Return that it is, too."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to *offset*; at the start the hash starts again."""
        self._place = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._length}[whence]
        if self._place == 0:
            self.hash = self._before.copy()
        return self._place

    def tell(self) -> int:
        """Return where it is read next."""
        return self._place

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Read what comes next into *buffer* and return how much it was."""
        view = memoryview(buffer).cast("B")[: max(self._length - self._place, 0)]
        self._file.seek(self._start + self._place)
        count = self._file.readinto(view) or 0
        self._place += count
        self.hash.update(view[:count])
        self._heard(self._start + self._place)
        return count

    def close(self) -> None:
        """Close the file, too."""
        self._file.close()
        super().close()


def send_file(server: Server, file: JobFile) -> str:
    """Return the id of *file* at the server, where it is sent to unless it is there already.

    Raises SubmissionError if it is no longer what was planned, ServerError if it cannot be sent.
    """
    with server.explained(f"uploading {file.path}"):
        for number, wait in enumerate(server.retry_policy.waits(), start=1):
            found = find_file(server, file)
            if found is not None:
                return found
            try:
                return _send(server, file)
            except openai.APIError as error:
                _check_size(file)  # a file that grew shorter looks like a broken connection
                if number >= server.retry_policy.tries or not is_passing(error):
                    raise
                server.wait(error, wait)
    raise AssertionError("waits never end")


def find_file(server: Server, file: JobFile) -> str | None:
    """Return the id of *file* if it is at the server already: its name tells the content."""
    ask = partial(server.client.files.list, purpose="fine-tune")
    for found in server.listed(ask, _MOST_FILES):
        same = (found.get("filename"), found.get("bytes")) == (file.name, file.bytes)
        if same and found.get("purpose") == "fine-tune" and found.get("status") not in _UNUSABLE:
            return str(found["id"])
    return None


def _send(server: Server, file: JobFile) -> str:
    _check_size(file)
    if file.bytes > server.api.plain_bytes:
        id_, sent = _send_in_parts(server, file)
    else:
        with _section(server, file, 0, file.bytes, hashlib.sha256()) as section:
            answer = server.once.files.create(
                file=_named(file, section), purpose="fine-tune", timeout=_TIMEOUT
            )
        id_, sent = str(server.data(answer)["id"]), section.hash
    if sent.hexdigest() != file.sha256:
        with suppress(openai.APIError):
            server.client.files.delete(id_)
        raise SubmissionError(f"{file.path}: changed while it was uploaded; plan again")
    return id_


def _check_size(file: JobFile) -> None:
    if os.stat(file.path).st_size != file.bytes:  # noqa: PTH116 - the path is kept as the user wrote it
        raise SubmissionError(f"{file.path}: changed since it was planned; plan again")


def _section(server: Server, file: JobFile, start: int, length: int, before: Any) -> Section:
    return Section(
        file.path, start, length, before, lambda done: server.progress(file.path, done, file.bytes)
    )


def _named(file: JobFile, section: Section) -> tuple[str, IO[bytes], str]:
    return file.name, cast("IO[bytes]", section), _MEDIA_TYPE


def _send_in_parts(server: Server, file: JobFile) -> tuple[str, Any]:
    """Send *file* part by part; return its id and the hash of what was sent.

    What fails for good, and Ctrl-C, cancel the upload: the server would keep its parts for an hour.
    """
    client = server.once.with_options(timeout=_TIMEOUT)
    upload = client.uploads.create(
        bytes=file.bytes, filename=file.name, mime_type=_MEDIA_TYPE, purpose="fine-tune"
    )
    upload_id = str(server.data(upload)["id"])
    try:
        parts, sent = [], hashlib.sha256()
        for start in range(0, file.bytes, server.api.part_bytes):
            length = min(server.api.part_bytes, file.bytes - start)
            with _section(server, file, start, length, sent) as section:
                add = partial(client.uploads.parts.create, upload_id, data=_named(file, section))
                part = server.retried(add)
                parts.append(str(server.data(part)["id"]))
                sent = section.hash
        done = server.data(client.uploads.complete(upload_id, part_ids=parts))
    except BaseException:
        with suppress(openai.APIError):
            server.client.uploads.cancel(upload_id)
        raise
    return str(done["file"]["id"]), sent


def await_file(server: Server, file: JobFile, id_: str) -> None:
    """Wait until the server has processed *file*. Raises SubmissionError if it cannot, or not in time."""
    policy = server.retry_policy
    started = policy.clock()
    for wait in policy.waits():
        with server.explained(f"waiting for {file.path}"):
            state = server.data(server.retried(lambda: server.once.files.retrieve(id_)))
        status = state.get("status")
        if status in _READY:
            return
        if status in _UNUSABLE:
            details = server.safe(state.get("status_details") or "it does not say why")
            raise SubmissionError(f"{file.path}: the server cannot use it ({server.safe(status)}): {details}")
        if policy.deadline is not None and policy.clock() - started + wait > policy.deadline:
            raise ServerError(
                f"{file.path}: still {server.safe(status)} after {policy.deadline:,.0f} s; "
                "run it again later, and the uploaded file is used"
            )
        policy.sleep(wait)
