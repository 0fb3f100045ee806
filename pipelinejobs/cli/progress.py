"""What people see while they wait. It goes to stderr, so that results on stdout are the same whoever looks.

On a terminal it is drawn (`cli.drawn`, with rich); elsewhere it is plain lines without any control character
(`cli.lines`): one for each step, and every few seconds one for what goes on for long.
"""

import io
import os
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from typing import Protocol, TextIO

from pipelinejobs.cli.progress_lines import Lines, Tell


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


def progress(stream: TextIO | None = None, environ: Mapping[str, str] = os.environ) -> Progress:
    """Drawn where somebody looks at a terminal that can be drawn on and rich is installed, else in plain lines.

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
    return Lines(io.StringIO())  # which nobody reads
