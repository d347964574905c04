"""Upload files once, in one request or in parts, without holding them in memory."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import IO, TYPE_CHECKING, Any, cast

import openai

from pytest_vft.errors import ServerError, SubmissionError, VftError
from pytest_vft.regular_files import regular
from pytest_vft.submission.once import Creation, create_once
from pytest_vft.submission.plan import JobFile
from pytest_vft.submission.record import Record, Thing
from pytest_vft.submission.server import RawAnswer, Server

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_MEDIA_TYPE = "text/jsonl"
_TIMEOUT = 600.0  # seconds until the answer to an upload
_MAX_FILES = 10_000
_READY = ("processed", "succeeded", None)  # Azure uses "succeeded"; some servers do not have a status
_UNUSABLE = ("error", "failed", "deleted", "cancelled")


class Section(io.RawIOBase):
    """Reads *length* bytes of a file from *start*, and hashes them; it may be read again from its start.

    *before* is the hash of the bytes before *start*; *on_read* is called with the position in the file,
    *before_end* with the hash when the last bytes have been read and not yet been returned.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - once, from _section()
        self,
        path: str,
        start: int,
        length: int,
        before: Any,
        on_read: Callable[[int], None],
        before_end: Callable[[Any], None],
    ) -> None:
        super().__init__()
        self._file = open(path, "rb", buffering=0, opener=regular)  # noqa: SIM115 - closed by close()
        self._start = start
        self._length = length
        self._before = before
        self._on_read = on_read
        self._before_end = before_end
        self._position = 0
        self.hash = before.copy()

    def readable(self) -> bool:
        """Return True: sections can be read."""
        return True

    def seekable(self) -> bool:
        """Return True: sections can be rewound, for retries."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to *offset* and return the position; the hash restarts at the start."""
        origins = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._length}
        self._position = offset + origins[whence]
        if self._position == 0:
            self.hash = self._before.copy()
        return self._position

    def tell(self) -> int:
        """Return the position in the section."""
        return self._position

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Read into *buffer* and return the number of bytes."""
        view = memoryview(buffer).cast("B")[: max(self._length - self._position, 0)]
        self._file.seek(self._start + self._position)
        count = self._file.readinto(view) or 0
        self._position += count
        self.hash.update(view[:count])
        self._on_read(self._start + self._position)
        if count and self._position == self._length:
            self._before_end(self.hash)
        return count

    def close(self) -> None:
        """Close the section and its file."""
        self._file.close()
        super().close()


def send_file(server: Server, file: JobFile, record: Record) -> str:
    """Return the id of *file* at the server, after an upload unless the server has the file.

    Raises SubmissionError if the file has changed since it was planned, ServerError if the upload fails.
    """
    thing = Thing("file", file.name, server.address)
    creation = Creation(
        thing=thing,
        doing=f"uploading {file.path}",
        find=partial(find_file, server, file),
        send=partial(_send, server, file, thing, record),
        id_of=str,
    )
    with server.explained(f"uploading {file.path}"):
        return _recorded_file(server, thing, record) or create_once(server, record, creation)


def _recorded_file(server: Server, thing: Thing, record: Record) -> str | None:
    """Return the id that *record* has of a file which the server can still use, or None.

    A new file may be missing for a while on a server whose copies lag behind.
    """
    entry, policy = record.created(thing), server.retry_policy
    if entry is None:
        return None
    for wait in policy.waits():
        try:
            state = server.data(server.client.files.with_raw_response.retrieve(str(entry.id)))
        except openai.NotFoundError:
            if entry.age > policy.search:
                break
            server.notify(f"waiting until the server knows {server.safe(entry.id)}")
            policy.sleep(wait)
        else:
            if state.get("status") not in _UNUSABLE:
                return entry.id
            break
    record.add(thing, "gone")
    return None


def find_file(server: Server, file: JobFile) -> str | None:
    """Return the id of *file* at the server, found by name and size, or None."""
    list_files = partial(server.client.files.with_raw_response.list, purpose="fine-tune")
    for found in server.listed(list_files, _MAX_FILES):
        same = (found.get("filename"), found.get("bytes")) == (file.name, file.bytes)
        if same and found.get("purpose") == "fine-tune" and found.get("status") not in _UNUSABLE:
            return str(found["id"])
    return None


def _send(server: Server, file: JobFile, thing: Thing, record: Record) -> str:
    """Send *file* and return its id, with an entry in *record* before the server can have the whole file.

    Raises SubmissionError if the content is not that of the plan; the server does not get it all then.
    """
    _check_size(file)

    def before_end(sent: Any) -> None:
        if sent.hexdigest() != file.sha256:
            raise SubmissionError(f"{file.path}: changed while it was uploaded; plan again")
        record.add(thing, "sending")

    try:
        if file.bytes > server.api.plain_bytes:
            return _send_in_parts(server, file, before_end, partial(record.add, thing, "refused"))
        return _send_whole(server, file, before_end)
    except openai.APIError as error:
        if isinstance(error.__cause__, VftError):  # of before_end(), in the middle of a request
            raise error.__cause__ from None
        _check_size(file)  # a file that became shorter looks like a broken connection
        raise


def _check_size(file: JobFile) -> None:
    if os.stat(file.path).st_size != file.bytes:  # noqa: PTH116 - the path is kept as the user wrote it
        raise SubmissionError(f"{file.path}: changed since it was planned; plan again")


def _section(  # noqa: PLR0913, PLR0917 - a section is a path, a range and what to do while it is read
    server: Server,
    file: JobFile,
    start: int,
    length: int,
    before: Any,
    before_end: Callable[[Any], None] = lambda _sent: None,
) -> Section:
    def on_read(done: int) -> None:
        server.progress(file.path, done, file.bytes)

    return Section(file.path, start, length, before, on_read, before_end)


def _named(file: JobFile, section: Section) -> tuple[str, IO[bytes], str]:
    return file.name, cast("IO[bytes]", section), _MEDIA_TYPE


def _send_whole(server: Server, file: JobFile, before_end: Callable[[Any], None]) -> str:
    """Send *file* in one request and return its id; *before_end* gets the hash before the last bytes go."""
    with _section(server, file, 0, file.bytes, hashlib.sha256(), before_end) as section:
        answer = server.once.files.with_raw_response.create(
            file=_named(file, section), purpose="fine-tune", timeout=_TIMEOUT
        )
    return _file_id(server, file, answer, server.data(answer))


def _send_in_parts(
    server: Server, file: JobFile, before_end: Callable[[Any], None], on_cancelled: Callable[[], None]
) -> str:
    """Send *file* in parts and return its id; *before_end* gets the hash before the upload is completed.

    An error and Ctrl-C cancel the upload; otherwise the server would keep the parts for an hour. A server
    does not cancel a completed upload, so *on_cancelled* is called when certainly no file was created.
    """
    uploads = server.once.with_options(timeout=_TIMEOUT).uploads
    upload = uploads.with_raw_response.create(
        bytes=file.bytes, filename=file.name, mime_type=_MEDIA_TYPE, purpose="fine-tune"
    )
    upload_id = server.new_id(upload, server.data(upload))
    try:
        parts, sent = [], hashlib.sha256()
        for start in range(0, file.bytes, server.api.part_bytes):
            length = min(server.api.part_bytes, file.bytes - start)
            with _section(server, file, start, length, sent) as section:
                add = partial(uploads.parts.with_raw_response.create, upload_id, data=_named(file, section))
                part = server.retried(add)
                parts.append(server.new_id(part, server.data(part)))
                sent = section.hash
        before_end(sent)
        done = uploads.with_raw_response.complete(upload_id, part_ids=parts)
    except BaseException:
        with suppress(openai.APIError, ServerError):
            cancelled = server.data(server.client.uploads.with_raw_response.cancel(upload_id))
            if cancelled.get("status") == "cancelled":
                on_cancelled()
        raise
    return _file_id(server, file, done, server.data(done).get("file"))


def _file_id(server: Server, file: JobFile, answer: RawAnswer, made: object) -> str:
    """Return the id of *made*, the new *file* in *answer*. Raises ServerError if it is something else."""
    if not isinstance(made, dict) or (made.get("object") != "file" and made.get("filename") != file.name):
        raise server.unreadable(answer)
    return server.new_id(answer, made)


def await_file(server: Server, file: JobFile, id_: str) -> None:
    """Wait until the server has processed *file*.

    Raises SubmissionError if the server cannot use the file, ServerError at the deadline.
    """
    policy = server.retry_policy
    started = policy.clock()
    for wait in policy.waits():
        with server.explained(f"waiting for {file.path}"):
            state = server.data(server.retried(lambda: server.once.files.with_raw_response.retrieve(id_)))
        status = state.get("status")
        if status in _READY:
            return
        if status in _UNUSABLE:
            details = server.safe(state.get("status_details") or "no details given")
            raise SubmissionError(f"{file.path}: the server cannot use it ({server.safe(status)}): {details}")
        if policy.deadline is not None and policy.clock() - started + wait > policy.deadline:
            raise ServerError(
                f"{file.path}: still {server.safe(status)} after {policy.deadline:,.0f} s; "
                "run the command again later to use the uploaded file"
            )
        policy.sleep(wait)
