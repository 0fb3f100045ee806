"""Locks in the embedded server's directory. The kernel releases the locks of a process that is killed."""

import fcntl
import os
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TextIO

from pipelinejobs.util.errors import Unavailable

POLL_SECONDS: Final = 0.02


@contextmanager
def held(path: Path, until: float) -> Iterator[None]:
    """Holds a lock exclusively, as a context manager.

    Args:
        path: the file of the lock.
        until: monotonic time until which to wait for another process.

    Raises:
        Unavailable: another process still holds it then.
    """
    with path.open("a") as file:
        while not _taken(file, fcntl.LOCK_EX):
            if time.monotonic() > until:
                raise Unavailable(
                    f"another process is starting or stopping the embedded mongod in {path.parent}; try again"
                )
            time.sleep(POLL_SECONDS)
        yield


def is_held(path: Path) -> bool:
    """Whether a process holds a lock (`flock`) on this file."""
    if not path.exists():
        return False
    with path.open() as file:
        return not _taken(file, fcntl.LOCK_EX)


def holder(path: Path) -> int | None:
    """The pid of the process that holds a record lock (`fcntl`) on this file; None if no process does.

    It is 0 or less if this process cannot see the holder, which runs in another container or on another machine.
    """
    try:
        with path.open("rb") as file:
            if sys.platform == "darwin":  # `struct flock` as fcntl.h has it
                asked = struct.pack("qqihh", 0, 0, 0, fcntl.F_WRLCK, os.SEEK_SET)
                _, _, pid, kind, _ = struct.unpack("qqihh", fcntl.fcntl(file, fcntl.F_GETLK, asked))
            else:
                asked = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
                kind, _, _, _, pid = struct.unpack("hhqqi4x", fcntl.fcntl(file, fcntl.F_GETLK, asked))
    except (FileNotFoundError, NotADirectoryError):
        return None
    return None if kind == fcntl.F_UNLCK else int(pid)


class Users:
    """The processes that use the server for long: gateways. Each holds a shared lock on one file.

    The file has content if the server was started for such processes, and is empty otherwise.

    All methods are called while the directory's lock is held, so that no process joins while the last one leaves.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIO | None = None

    def started(self, *, for_users: bool) -> None:
        """Notes that a server is being started, and whether for such processes."""
        self._path.write_text("started for its users\n" if for_users else "")

    def join(self) -> None:
        """Makes this process a user until `leave` or its end."""
        self._file = self._path.open("a+")
        fcntl.flock(self._file, fcntl.LOCK_SH)

    def leave(self) -> bool:
        """Ends the use by this process. Returns whether it was the last user of a server that `use` started."""
        if self._file is None:
            return False
        with self._file as file:
            self._file = None
            return _taken(file, fcntl.LOCK_EX) and self._path.read_text() != ""


def _taken(file: TextIO, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
