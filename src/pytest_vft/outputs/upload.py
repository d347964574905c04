"""Outputs in object storage: files are written into a folder of this machine, and then uploaded.

The folder is one for each URL, below that of the system for temporary files. It stays after an upload that
fails or is interrupted, with a list of what was sent, so that the same command goes on.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from xxhash import xxh3_128, xxh3_128_hexdigest

from pytest_vft.errors import UsageError
from pytest_vft.formats.dataset_info import DATASET_INFO
from pytest_vft.locking import lock
from pytest_vft.outputs.names import SIDE_FILES
from pytest_vft.outputs.objects import WHOLE, delete_object, put_file
from pytest_vft.outputs.staging import STAGING
from pytest_vft.reading.object_errors import INSTALL, KeyNotReadError, ObjectError
from pytest_vft.reading.objects import has_obstore, list_objects, parse_url
from pytest_vft.reading.waiting import at_once
from pytest_vft.temporary import TerminatedError, terminated_cleanly
from pytest_vft.text import count

_AT_ONCE = 16  # files of up to WHOLE bytes, so that memory is bounded


class SentFile(NamedTuple):
    """A file that was sent, by its name: a hash of its content, and the ETag of the object.

    The ETag is empty before the server has answered.
    """

    name: str
    digest: str
    etag: str = ""


class Upload:
    """The upload of the files in *folder*, which others write, to objects below *url*."""

    def __init__(self, url: str, root: Path, *, force: bool) -> None:
        self.url = url
        self.folder = root / "files"
        self._log = root / "sent"
        self._force = force
        self._sent = {one.name: one for one in _read_log(self._log)}
        self._there = {path.removeprefix(f"{url}/"): path for path in list_objects(parse_url(f"{url}/"))}
        self._failure: OSError | None = None
        self._check_new()
        if self.folder.is_dir() and {path.name for path in self.folder.iterdir()} - {STAGING}:
            shutil.rmtree(self.folder)  # of an upload that failed: all files are written once more

    def _check_new(self) -> None:
        """Raise UsageError if there is an object below the URL that an interrupted upload did not send.

        A dataset_info.json is not replaced.
        """
        taken = sorted(self._there.keys() - self._sent.keys())
        if taken and not self._force:
            more = f" (and {len(taken) - 1:,} more)" if len(taken) > 1 else ""
            force = ", or --force replaces objects of the same names" * (DATASET_INFO not in taken)
            raise UsageError(f"{self._there[taken[0]]}: exists already{more}; write to a new prefix{force}")

    def send(self, data: Collection[str], extended: Collection[str]) -> None:
        """Upload all files; those with the names *data* come last, when what they refer to is there.

        Older side files of *data* are deleted. Raises UsageError if an upload fails, which says what was
        uploaded, and for an object with the name of a file in *extended*, which keeps what others wrote.
        """
        sizes = {
            path.relative_to(self.folder).as_posix(): path.stat().st_size
            for path in sorted(self.folder.rglob("*"))
            if path.is_file()
        }
        for name in extended:
            if name in self._there and name not in self._sent:
                raise UsageError(
                    f"{self._there[name]}: exists already, and nothing is added to objects; "
                    "write to a new prefix"
                )
        self._note(*(SentFile(name, "") for name in sizes if name not in self._sent))
        for name in (f"{one}{suffix}" for one in data for suffix in SIDE_FILES):
            if name in self._there and name not in sizes and (self._force or self._is_ours(name)):
                delete_object(self._there[name])
        small = [name for name, size in sizes.items() if size <= WHOLE and name not in data]
        large = [name for name in sizes if name not in data and name not in set(small)]
        missing = [
            *self._send_all(small, _AT_ONCE),
            *self._send_all([*large, *(name for name in sizes if name in data)], 1),
        ]
        if self._failure:
            cause = f"{self._failure.filename}: {self._failure.strerror}"
            more = f" (and {len(missing) - 1:,} more)" if len(missing) > 1 else ""
            rerun = "; run the same command again to upload the rest"
            raise UsageError(
                f"{cause}; uploaded {len(sizes) - len(missing):,} of {count(len(sizes), 'file')}, not "
                f"{missing[0]}{more}{rerun * (self._failure.errno != errno.EEXIST)}"
            )

    def _send_all(self, names: list[str], number: int) -> list[str]:
        """Upload the files *names*, *number* at the same time; return those that are not uploaded."""
        missing = []
        for name, sent in zip(names, at_once(self._try, names, number), strict=True):
            if sent:
                self._note(sent)
            else:
                missing.append(name)
        return missing

    def _try(self, name: str) -> SentFile | None:
        """Return the file *name* after its upload; None if this or an earlier upload fails."""
        if self._failure:
            return None
        try:
            return self._send(name)
        except OSError as error:
            self._failure = error
            return None

    def _send(self, name: str) -> SentFile:
        path = self.folder / name
        with path.open("rb") as file:
            digest = xxh3_128()
            while chunk := file.read(WHOLE):
                digest.update(chunk)
        new, before, is_ours = digest.hexdigest(), self._sent[name], self._is_ours(name)
        if is_ours and new == before.digest:
            return before
        return SentFile(name, new, put_file(f"{self.url}/{name}", path, replaces=self._force or is_ours))

    def _is_ours(self, name: str) -> bool:
        """Return whether the object *name* is what an interrupted upload sent."""
        there, sent = self._there.get(name), self._sent.get(name)
        # Azure's lists leave out the quotes that its other answers have.
        return bool(there and sent and there.etag.strip('"') == sent.etag.strip('"'))

    def _note(self, *files: SentFile) -> None:
        self._sent.update((one.name, one) for one in files)
        with self._log.open("a", encoding="utf-8") as log:
            log.writelines(f"{json.dumps(one)}\n" for one in files)


@contextmanager
def uploading(url: str, inputs: Iterable[str], *, force: bool) -> Iterator[Upload]:
    """Yield the upload to objects below *url*, of which no other process on this machine writes any.

    After an exception or SIGTERM, what was written on this machine stays if sending has begun, with which
    the next run goes on; after Ctrl-C it stays. Raises UsageError if one of *inputs* is below *url*, for
    objects that are there, unless *force* replaces them, and if the storage cannot be read.
    """
    if not has_obstore():
        raise UsageError(f"{url}: object storage needs obstore: {INSTALL}")
    for path in inputs:
        if path.startswith(f"{url}/"):
            raise UsageError(f"{path}: this object is read; write to another prefix")
    with terminated_cleanly():
        root = _own_folder(url)
        with (root / "lock").open("ab") as file:
            if not lock(file):
                raise UsageError(f"{url}: another process writes below this URL; wait until it ends")
            try:
                yield Upload(url, root, force=force)
            except ObjectError as error:
                _discard(root)
                step = "; rename the object, or write to another prefix" * isinstance(error, KeyNotReadError)
                raise UsageError(f"{url}: {error.strerror}{step}") from None
            except (Exception, TerminatedError):
                _discard(root)
                raise
            shutil.rmtree(root, ignore_errors=True)


def _discard(root: Path) -> None:
    """Remove the folder *root* unless something was sent from it."""
    if not (root / "sent").exists():
        shutil.rmtree(root, ignore_errors=True)


def _own_folder(url: str) -> Path:
    """Return the folder for *url*, which only this user can write. Raises UsageError if it is another's."""
    name = xxh3_128_hexdigest(url.encode("utf-8", "surrogatepass"))
    root = Path(tempfile.gettempdir(), f"vft-upload-{name}")
    root.mkdir(mode=0o700, exist_ok=True)
    status = root.lstat()
    if root.is_symlink() or (hasattr(os, "getuid") and status.st_uid != os.getuid()):
        raise UsageError(f"{root}: belongs to another user; set TMPDIR to a folder of your own")
    return root


def _read_log(path: Path) -> Iterator[SentFile]:
    """Yield the files that were sent, without a last line that is incomplete."""
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
            if line.endswith("\n"):
                yield SentFile(*json.loads(line))
