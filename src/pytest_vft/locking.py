"""Lock a file for one process at a time; the system unlocks it when the process ends, however it ends."""

from __future__ import annotations

import sys
from typing import BinaryIO

if sys.platform == "win32":
    import msvcrt

    _BYTE = 2**40  # the byte that is locked, beyond the content, since Windows does not let others read it

    def lock(file: BinaryIO) -> bool:
        """Lock *file* until it is closed; return False if another process has locked it."""
        place = file.tell()
        file.seek(_BYTE)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        finally:
            file.seek(place)
        return True

else:
    import fcntl

    def lock(file: BinaryIO) -> bool:
        """Lock *file* until it is closed; return False if another process has locked it.

        Raises OSError if the file system has no locks.
        """
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
