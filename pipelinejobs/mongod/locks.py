"""Locks of the embedded server's directory. They are the kernel's: a holder that is killed gives them back."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TextIO

from pipelinejobs.util.errors import Unavailable

_POLL_SECONDS: Final = 0.02


@contextmanager
def held(path: Path, until: float) -> Iterator[None]:
    """Hold a lock alone. Raises Unavailable where it is not to be had until then (monotonic time)."""
    with path.open("a") as file:
        while not _taken(file, fcntl.LOCK_EX):
            if time.monotonic() > until:
                raise Unavailable(f"Another process is starting or stopping the embedded mongod in {path.parent}")
            time.sleep(_POLL_SECONDS)
        yield


class Users:
    """Those who use the server: each holds a file shared. The file says which server was started for them.

    All methods are called while the directory's lock is held, so that nobody comes while the last one leaves.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIO | None = None

    def join(self, started: str | None) -> None:
        """Become one of them, until `leave` or the end of the process. `started` is the server that was started."""
        self._file = self._path.open("a+")
        fcntl.flock(self._file, fcntl.LOCK_SH)
        if started is not None:
            self._path.write_text(started)

    def others(self) -> bool:
        """Whether anybody uses it, of whom this process is none."""
        if not self._path.exists():
            return False
        with self._path.open("a+") as file:
            return not _taken(file, fcntl.LOCK_EX)

    def leave(self) -> str | None:
        """Be none of them any more. The server that was started for them, where nobody is left who uses it."""
        if self._file is None:
            return None
        with self._file as file:
            self._file = None
            return self._path.read_text() if _taken(file, fcntl.LOCK_EX) else None


def _taken(file: TextIO, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
