"""Workers: further processes that serve at the same port, so that a gateway uses more than one core.

The first process starts them, starts another where one has died, and ends them with itself. Each is a whole gateway; as
with gateways on several machines, all that they share is the database. One whose starter is gone ends by itself.

uvicorn's own supervisor (`uvicorn.supervisors.Multiprocess`) is not used: its first process serves nothing and takes
over every signal, and a worker goes on serving when its starter was killed.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.log import logger

TOGETHER: Final = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that names the directory in which the processes of one gateway count together. prometheus_client's own;
it has to be there before that is imported, so it stands here and not in `gateway.metrics`."""

OPTION: Final = "--worker"
"""The option of `serve` that makes a worker; with it come the descriptors of the socket and of the lifeline."""

_LOOK_SECONDS: Final = 0.2
_PAUSE_SECONDS: Final = 1.0
"""How long to wait before a worker that has died is started again, so that lasting trouble causes no storm."""


_starter_is_gone: Final = threading.Event()


class Workers:
    """The workers of a gateway."""

    def __init__(self, number: int, listening: socket.socket, gone: Callable[[int], None]) -> None:
        """
        Args:
            number: how many.
            listening: where they serve.
            gone: told the process id of each that has ended.
        """
        self._listening = listening
        self._gone = gone
        self._over = threading.Event()
        # Nothing is ever written into it. A worker whose starter is gone sees its end.
        self._lifeline, self._held = os.pipe()
        self._running = [self._start() for _ in range(number)]
        self._watcher = threading.Thread(target=self._watch, name="workers", daemon=True)
        self._watcher.start()

    def end(self) -> None:
        """Asks all to finish what they have accepted and to end; waits for nothing."""
        self._over.set()
        for process in self._running:
            process.terminate()

    def close(self, seconds: float) -> None:
        """Waits until all have ended; those that have not after so many seconds are killed."""
        deadline = Deadline(seconds)
        self._over.set()
        self._watcher.join()
        for process in self._running:
            process.terminate()
        for process in self._running:
            with suppress(subprocess.TimeoutExpired):
                process.wait(deadline.remaining())
            process.kill()
            process.wait()
            self._gone(process.pid)
        os.close(self._held)
        os.close(self._lifeline)

    def _start(self) -> "subprocess.Popen[bytes]":
        descriptors = (self._listening.fileno(), self._lifeline)
        # How this interpreter was started (-E, -s and the like) counts for the others as well.
        flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]  # as multiprocessing does
        command = [sys.executable, *flags, "-m", "pipelinejobs", "serve", OPTION, *map(str, descriptors)]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=descriptors)  # noqa: S603 - ourselves

    def _watch(self) -> None:
        while not self._over.wait(_LOOK_SECONDS):
            for number, process in enumerate(self._running):
                if process.poll() is None:
                    continue
                logger.error("a process of the gateway has ended; another is started", extra={"fields": _end(process)})
                self._gone(process.pid)
                if self._over.wait(_PAUSE_SECONDS):
                    return
                self._running[number] = self._start()


def _end(process: "subprocess.Popen[bytes]") -> dict[str, int]:
    return {"process": process.pid, "exit_code": process.returncode}


def joined(socket_descriptor: int, lifeline: int) -> socket.socket:
    """In a worker: the socket to serve at. From now on it ends as on SIGTERM when its starter is gone."""
    threading.Thread(target=_end_with_starter, args=(lifeline,), name="lifeline", daemon=True).start()
    return socket.socket(fileno=socket_descriptor)


def is_orphan() -> bool:
    """In a worker: whether its starter is gone."""
    return _starter_is_gone.is_set()


def _end_with_starter(lifeline: int) -> None:
    os.read(lifeline, 1)
    _starter_is_gone.set()
    os.kill(os.getpid(), signal.SIGTERM)
