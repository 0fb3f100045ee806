"""The progress of a command, shown to the operator on stderr; stdout holds results only.

On a terminal, rich draws it (`cli.progress_terminal`). Elsewhere it is plain lines (`cli.progress_lines`).
"""

import io
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from typing import Protocol, TextIO

from pipelinejobs.cli.progress_lines import Lines, Tell


class Progress(Protocol):
    """Shows steps, counted work, and single lines."""

    def say(self, line: str) -> None:
        """Prints a line that stays."""

    def step(self, what: str) -> AbstractContextManager[None]:
        """Shows a short step for as long as the context lasts."""

    def watch(self, what: str) -> AbstractContextManager[Callable[[str], None]]:
        """Shows work whose end is not known, and for how long it lasts already.

        Returns:
            a context that gives the function to call with each new status.
        """

    def follow(self, what: str, whole: float, unit: str) -> AbstractContextManager[Tell]:
        """Shows how far counted work is.

        Args:
            what: what is done.
            whole: how much there is to do, in units.
            unit: the unit, such as `messages` or `s`.

        Returns:
            a context that gives the function to call with each new count.
        """


def progress(stream: TextIO | None = None, environ: Mapping[str, str] = os.environ) -> Progress:
    """The progress for a stream: drawn if the stream is a capable terminal and rich is installed, else plain lines.

    Args:
        stream: where to write; None: stderr.
        environ: `TERM` and `CI` say what kind of terminal it is. (rich reads `NO_COLOR` by itself.)
    """
    stream = stream if stream is not None else sys.stderr
    if stream.isatty() and environ.get("TERM", "dumb") not in ("dumb", "unknown", "") and not environ.get("CI"):
        with suppress(ImportError):  # rich is in requirements-gateway.txt, which an actor does not install
            from pipelinejobs.cli.progress_terminal import Drawn

            return Drawn(stream)
    return Lines(stream)


def silent() -> Progress:
    """Shows nothing: for a resident service, whose stderr holds log lines only."""
    return Lines(io.StringIO())
