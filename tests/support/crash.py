"""Runs an entry point in this process, and kills the process at one of its effects.

As a script: `tests/support/crash.py FILE POINT COMMAND...`, where COMMAND is `reactor.py`, or the arguments of
`python -m pipelinejobs`. FILE gets one line for each point that is reached, such as `before update jobs 2`: before the
second update of the collection `jobs` is sent to the server, or `after` it was confirmed. At POINT the process is
killed as by `kill -9`; with `+2` behind it two points later. Then the file ends with the line `killed`. The product
knows nothing of all this: its driver and its way out are listened to.
"""

import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NoReturn

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from pymongo import monitoring

_WRITES: Final = frozenset({"insert", "update", "delete", "findAndModify", "createIndexes"})


class Effects(monitoring.CommandListener):
    """The effects of a process on the outside world, in order."""

    def __init__(self, file: Path, point: str) -> None:
        self._file = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._point, _, more = point.partition(" +")
        self._armed = False
        self._more = int(more or 0)
        self._counts: Counter[str] = Counter()
        self._running: dict[int, str] = {}
        self._lock = threading.Lock()

    @contextmanager
    def effect(self, name: str) -> Iterator[None]:
        """One that is done inside."""
        numbered = self._numbered(name)
        self._reached(f"before {numbered}")
        try:
            yield
        finally:
            self._reached(f"after {numbered}")

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """A command is about to be sent."""
        if event.command_name in _WRITES:
            numbered = self._numbered(f"{event.command_name} {event.command[event.command_name]}")
            self._running[event.request_id] = numbered
            self._reached(f"before {numbered}")

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """A command was confirmed."""
        numbered = self._running.pop(event.request_id, None)
        if numbered is not None:
            self._reached(f"after {numbered}")

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """A command was refused."""
        self._running.pop(event.request_id, None)

    def _numbered(self, name: str) -> str:
        with self._lock:
            self._counts[name] += 1
            return f"{name} {self._counts[name]}"

    def _reached(self, point: str) -> None:
        os.write(self._file, f"{point}\n".encode())
        if point == self._point or self._armed:
            self._armed = True
            self._more -= 1
        if self._more < 0:
            os.write(self._file, b"killed\n")
            os.kill(os.getpid(), signal.SIGKILL)


def main(file: str, point: str, *command: str) -> NoReturn:
    """Runs the command."""
    effects = Effects(Path(file), point)
    monitoring.register(effects)

    from pipelinejobs.util import http_client

    _wrap(http_client, "post", effects, "send")
    if command[0] != "reactor.py":
        from pipelinejobs.cli.main import main as run
        from pipelinejobs.job_systems import JobSystems

        _wrap(JobSystems, "ask", effects, "ask")
        sys.exit(run(command))
    import reactor

    _wrap(reactor.Run, "_tell", effects, "answer")
    reactor.leave(reactor.Run(os.environ).main())


def _wrap(owner: Any, name: str, effects: Effects, effect: str) -> None:
    """Makes every call of a function an effect."""
    function = getattr(owner, name)

    def counted(*arguments: Any) -> Any:
        with effects.effect(effect):
            return function(*arguments)

    setattr(owner, name, counted)


if __name__ == "__main__":
    main(*sys.argv[1:])
