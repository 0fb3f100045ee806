"""Runs the product in a process whose clock is wrong, as on a host of its own.

    python tests/support/clock.py SECONDS reactor.py
    python tests/support/clock.py SECONDS serve

SECONDS are added to the calendar's time; with `strobe`, it is an hour ahead and an hour behind by turns. Only the
calendar is wrong: the monotonic clock goes on, as when an operator sets a host's clock.
"""

import datetime
import itertools
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NoReturn, Self, TypeAlias

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])

STROBE: Final = "strobe"
_HOUR: Final = 3600.0
_Right: TypeAlias = datetime.datetime


class _EveryDate(type):
    """A date is a date, whichever clock made it."""

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, _Right)


def set_clock(error: Callable[[], float]) -> None:
    """From now on `error()` is added to the time of this process, wherever Python code asks for it."""

    class Wrong(_Right, metaclass=_EveryDate):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Self:
            return cls.fromtimestamp(time.time(), tz)

    seconds, nanoseconds = time.time, time.time_ns
    time.time = lambda: seconds() + error()
    time.time_ns = lambda: nanoseconds() + int(error() * 1e9)
    datetime.datetime = Wrong  # type: ignore[misc]


def main(error: str, *command: str) -> NoReturn:
    """Runs the command."""
    turns = itertools.cycle((_HOUR, -_HOUR))
    set_clock((lambda: next(turns)) if error == STROBE else (lambda: float(error)))
    if command[0] != "reactor.py":
        from pipelinejobs.cli.main import main as run

        sys.exit(run(command))
    import reactor

    reactor.leave(reactor.Run(os.environ).main())


if __name__ == "__main__":
    main(*sys.argv[1:])
