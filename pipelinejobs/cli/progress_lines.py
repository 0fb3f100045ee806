"""Progress in plain lines, and how it is worded: for whoever reads a log."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Final, TextIO

from pipelinejobs.cli.output import printable

EVERY_SECONDS: Final = 10.0
"""How often a plain line says how far something is."""

Tell = Callable[[float, Mapping[str, str]], None]
"""Told how far it is, in the unit of the whole, and further facts by their names."""


class Lines:
    """Plain lines."""

    def __init__(self, stream: TextIO, *, every: float = EVERY_SECONDS, clock: Callable[[], float] = time.monotonic):
        self._stream = stream
        self._every = every
        self._clock = clock

    def say(self, line: str) -> None:
        """One line."""
        with suppress(OSError):  # there may be no room for it, which must not change what is done
            print(printable(line), file=self._stream, flush=True)

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """One line, at the beginning."""
        self.say(f"{what} ...")
        yield

    @contextmanager
    def follow(self, what: str, whole: float, unit: str) -> Iterator[Tell]:
        """One line at the beginning, and one every few seconds."""
        began = said = self._clock()

        def tell(done: float, facts: Mapping[str, str]) -> None:
            nonlocal said
            now = self._clock()
            if now - said >= self._every:
                said = now
                further = ", ".join(f"{name} {value}" for name, value in facts.items())
                self.say(f"{how_far(done, whole, unit, now - began)}; {further}")

        self.say(f"{what}: {whole:.0f} {unit} ...")
        yield tell


def how_far(done: float, whole: float, unit: str, seconds: float) -> str:
    """How much of it is done, how fast it goes where that is not told by the unit itself, and how long it will take."""
    parts = [f"{done:.0f} of {whole:.0f} {unit}"]
    rate = done / seconds if seconds > 0 else 0.0
    if rate > 0 and unit != "s":
        parts.append(f"{rate:.1f}/s" if rate < 10 else f"{rate:.0f}/s")
    if rate > 0 and whole > done:
        parts.append(f"{whole - done if unit == 's' else (whole - done) / rate:.0f} s left")
    return ", ".join(parts)
