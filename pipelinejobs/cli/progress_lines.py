"""Progress as plain lines, for a log file or a terminal that cannot be drawn on.

rich has no such mode: without a terminal it prints nothing until the end.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Final, TextIO

from pipelinejobs.cli.output import printable

EVERY_SECONDS: Final = 10.0
"""How often counted work prints a line."""

Tell = Callable[[float, Mapping[str, str]], None]
"""Called with how much is done, in units of the whole, and with further facts by name."""


class Lines:
    """One line when a step begins; for counted work, one more every few seconds. No control characters.

    Args:
        stream: where to write.
        every: seconds between two lines about the same work.
        clock: a monotonic clock, in seconds.
    """

    def __init__(self, stream: TextIO, *, every: float = EVERY_SECONDS, clock: Callable[[], float] = time.monotonic):
        self._stream = stream
        self._every = every
        self._clock = clock

    def say(self, line: str) -> None:
        """Prints a line."""
        with suppress(OSError):  # a full disk must not change what the command does
            print(printable(line), file=self._stream, flush=True)

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Prints one line when it begins."""
        self.say(f"{what} ...")
        yield

    @contextmanager
    def watch(self, what: str) -> Iterator[Callable[[str], None]]:
        """Prints one line when it begins, then one for each other status."""
        shown = ""

        def tell(status: str) -> None:
            nonlocal shown
            if status != shown:
                shown = status
                self.say(f"now {status}")

        self.say(f"{what} ...")
        yield tell

    @contextmanager
    def follow(self, what: str, whole: float, unit: str) -> Iterator[Tell]:
        """Prints one line when it begins, then one every few seconds."""
        printed = self._clock()

        def tell(done: float, facts: Mapping[str, str]) -> None:
            nonlocal printed
            if self._clock() - printed >= self._every:
                printed = self._clock()
                self.say("; ".join([how_far(done, whole, unit), *(f"{name} {value}" for name, value in facts.items())]))

        self.say(f"{what}: {whole:.0f} {unit} ...")
        yield tell


def how_far(done: float, whole: float, unit: str) -> str:
    """The count as text, such as `12 of 400 messages`."""
    return f"{done:.0f} of {whole:.0f} {unit}"
