"""Starts and restarts a gateway as systemd does: the listening socket is held outside, and it says when it serves."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

SECONDS: Final = 60.0
_HANDED: Final = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""


class Supervised:
    """A gateway whose socket outlives its processes."""

    def __init__(self, directory: Path) -> None:
        self.log: Final = directory / "supervised.log"
        self.listening: Final = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: Final[int] = self.listening.getsockname()[1]
        self._notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._place = directory / "notify"
        self._notified.bind(str(self._place))
        self._place.chmod(0o777)
        self._notified.settimeout(1)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, command: Sequence[str], environment: Mapping[str, str], directory: Path) -> None:
        """Starts a process, and returns when it has notified that it is ready."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _HANDED, str(self.listening.fileno()), *command],
                cwd=directory,
                env={"PATH": os.defpath, "NOTIFY_SOCKET": str(self._place), **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(self.listening.fileno(),),
                start_new_session=True,
            )
        until = time.monotonic() + SECONDS
        while True:
            try:
                assert self._notified.recv(100) == b"READY=1"
                return
            except TimeoutError:
                if time.monotonic() > until or self.process.poll() is not None:
                    raise AssertionError(f"it does not serve: {self.log.read_text()[-2000:]}") from None

    def stop(self) -> int:
        """Asks every process of it to end, as systemd does with all of a unit, and gives the exit code of the first."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGTERM)
        return self.process.wait(SECONDS)

    def close(self) -> None:
        """Ends what is left."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.listening.close()
        self._notified.close()


@contextmanager
def supervised(directory: Path) -> Iterator[Supervised]:
    """One that is ended afterwards."""
    one = Supervised(directory)
    try:
        yield one
    finally:
        one.close()
