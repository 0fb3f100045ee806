"""Workers: further processes that serve at the same port, so that a gateway uses more than one core.

The first process starts the workers, replaces one that has died, and ends them when it ends itself. A worker ends by
itself if the first process is gone. Each worker is a whole gateway: like gateways on several machines, they share only
the database.

uvicorn's own supervisor (`uvicorn.supervisors.Multiprocess`) is not used: its first process serves nothing and takes
over every signal, and a worker goes on serving if its starter is killed.
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
"""prometheus_client's variable for the directory in which all processes of one gateway count together.

It has to be set before prometheus_client is imported. So it is defined here and not in `gateway.metrics`.
"""

OPTION: Final = "--worker"
"""The hidden option of `serve` that makes a worker. Its values: the descriptors of the socket and of the lifeline."""

_LOOK_SECONDS: Final = 0.2
_PAUSE_SECONDS: Final = 1.0
"""The pause before a dead worker is replaced, so that a lasting problem does not start processes all the time."""


_starter_is_gone: Final = threading.Event()


class Workers:
    """The workers of a gateway."""

    def __init__(self, number: int, listening: socket.socket, gone: Callable[[int], None]) -> None:
        """
        Args:
            number: how many workers to start.
            listening: the socket at which they serve.
            gone: called with the process id of each worker that has ended.
        """
        self._listening = listening
        self._gone = gone
        self._over = threading.Event()
        # Nothing is ever written into this pipe. If the first process is gone, the workers read its end.
        self._lifeline, self._held = os.pipe()
        self._running = [self._start() for _ in range(number)]
        self._watcher = threading.Thread(target=self._watch, name="workers", daemon=True)
        self._watcher.start()

    def end(self) -> None:
        """Asks all workers to finish accepted requests and to end. Does not wait."""
        self._over.set()
        for process in self._running:
            process.terminate()

    def close(self, seconds: float) -> None:
        """Waits at most `seconds` for all workers to end, then kills the rest."""
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
        # The options of this interpreter (-E, -s and the like) hold for the workers too.
        flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]  # as multiprocessing does
        command = [sys.executable, *flags, "-m", "pipelinejobs", "serve", OPTION, *map(str, descriptors)]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=descriptors)  # noqa: S603 - ourselves

    def _watch(self) -> None:
        while not self._over.wait(_LOOK_SECONDS):
            for number, process in enumerate(self._running):
                if process.poll() is None:
                    continue
                logger.error(
                    "a worker process of the gateway has ended; starting another", extra={"fields": _end(process)}
                )
                self._gone(process.pid)
                if self._over.wait(_PAUSE_SECONDS):
                    return
                self._running[number] = self._start()


def _end(process: "subprocess.Popen[bytes]") -> dict[str, int]:
    return {"process": process.pid, "exit_code": process.returncode}


def joined(socket_descriptor: int, lifeline: int) -> socket.socket:
    """For a worker: the socket to serve at. If the first process ends later, the worker gets SIGTERM.

    Args:
        socket_descriptor, lifeline: the values of `OPTION`.
    """
    threading.Thread(target=_end_with_starter, args=(lifeline,), name="lifeline", daemon=True).start()
    return socket.socket(fileno=socket_descriptor)


def is_orphan() -> bool:
    """For a worker: whether the first process is gone."""
    return _starter_is_gone.is_set()


def _end_with_starter(lifeline: int) -> None:
    os.read(lifeline, 1)
    _starter_is_gone.set()
    os.kill(os.getpid(), signal.SIGTERM)
