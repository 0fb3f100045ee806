"""What people see while they wait. It goes to stderr, so that results on stdout are the same whoever looks.

On a terminal it is drawn (`cli.drawn`, with rich); elsewhere it is plain lines without any control character: one for
each step, and every few seconds one for what goes on for long.
"""

import io
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Final, Protocol, TextIO

from pipelinejobs.cli.report import printable

EVERY_SECONDS: Final = 10.0
"""How often a plain line says how far something is."""

Tell = Callable[[float, Mapping[str, str]], None]
"""Told how far it is, in the unit of the whole, and further facts by their names."""


class Progress(Protocol):
    """The two kinds of waiting, and a line between."""

    def say(self, line: str) -> None:
        """One line that stays."""

    def step(self, what: str) -> AbstractContextManager[None]:
        """Something that takes a moment; it lasts as long as the context."""

    def follow(self, what: str, whole: float, unit: str) -> AbstractContextManager[Tell]:
        """Something that can be counted.

        Args:
            what: what is done.
            whole: how much there is to do.
            unit: of what, such as `messages`, or `s`.
        """


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


def progress(stream: TextIO | None = None, environ: Mapping[str, str] = os.environ) -> Progress:
    """Drawn where somebody looks at a terminal that can be drawn on and rich is installed, else in plain lines.

    Args:
        stream: where to; stderr unless told otherwise.
        environ: `TERM` and `CI` say what kind of terminal it is. (rich heeds `NO_COLOR` by itself.)
    """
    stream = stream if stream is not None else sys.stderr
    if stream.isatty() and environ.get("TERM", "dumb") not in ("dumb", "unknown", "") and not environ.get("CI"):
        with suppress(ImportError):  # it is in requirements-gateway.txt, which an actor does not install
            from pipelinejobs.cli.drawn import Drawn

            return Drawn(stream)
    return Lines(stream)


def silent() -> Progress:
    """For a service, whose stderr holds nothing but log lines."""
    return Lines(io.StringIO())  # which nobody reads
