"""What an operator sees while a command works. It goes to stderr, so that stdout holds results alone.

On a terminal it is drawn by rich (`cli.progress_terminal`); elsewhere it is plain lines without any control character:
one for each step, and every few seconds one for what takes long. rich has no such lines: without a terminal it shows
nothing until the end.
"""

import io
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Final, Protocol, TextIO

from pipelinejobs.cli.output import printable

EVERY_SECONDS: Final = 10.0
"""How often a plain line says how far something is."""

Tell = Callable[[float, Mapping[str, str]], None]
"""Is told how much is done, in the unit of the whole, and further facts by their names."""


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
        with suppress(OSError):  # a full disk must not change what the command does
            print(printable(line), file=self._stream, flush=True)

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """One line, at the beginning."""
        self.say(f"{what} ...")
        yield

    @contextmanager
    def follow(self, what: str, whole: float, unit: str) -> Iterator[Tell]:
        """One line at the beginning, and one every few seconds."""
        said = self._clock()

        def tell(done: float, facts: Mapping[str, str]) -> None:
            nonlocal said
            if self._clock() - said >= self._every:
                said = self._clock()
                self.say("; ".join([how_far(done, whole, unit), *(f"{name} {value}" for name, value in facts.items())]))

        self.say(f"{what}: {whole:.0f} {unit} ...")
        yield tell


def how_far(done: float, whole: float, unit: str) -> str:
    """How much of it is done."""
    return f"{done:.0f} of {whole:.0f} {unit}"


def progress(stream: TextIO | None = None, environ: Mapping[str, str] = os.environ) -> Progress:
    """Drawn on a terminal that can be drawn on where rich is installed, else plain lines.

    Args:
        stream: where to; stderr unless told otherwise.
        environ: `TERM` and `CI` say what kind of terminal it is. (rich heeds `NO_COLOR` by itself.)
    """
    stream = stream if stream is not None else sys.stderr
    if stream.isatty() and environ.get("TERM", "dumb") not in ("dumb", "unknown", "") and not environ.get("CI"):
        with suppress(ImportError):  # it is in requirements-gateway.txt, which an actor does not install
            from pipelinejobs.cli.progress_terminal import Drawn

            return Drawn(stream)
    return Lines(stream)


def silent() -> Progress:
    """For a service, whose stderr holds nothing but log lines."""
    return Lines(io.StringIO())
