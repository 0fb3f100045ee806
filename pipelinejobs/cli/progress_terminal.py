"""Progress as rich draws it on a terminal. Imported only if stderr is a terminal."""

import io
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

from pipelinejobs.cli.output import printable
from pipelinejobs.cli.progress_lines import Tell, how_far
from pipelinejobs.util import log


class _Console(Console):
    """A terminal whose cursor is never hidden: it would stay hidden if this process were killed or suspended."""

    def show_cursor(self, show: bool = True) -> bool:  # noqa: ARG002 - it is always shown
        """Does nothing."""
        return False


class Drawn:
    """Redraws running work in place. Each finished step leaves one line."""

    def __init__(self, stream: TextIO) -> None:
        self._console = _Console(file=stream, force_terminal=True, force_interactive=True, highlight=False)

    def say(self, line: str) -> None:
        """Prints a line above what is drawn."""
        self._console.print(Text(printable(line)))

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Shows a spinner until the context ends."""
        began = time.monotonic()
        with self._drawn() as drawn:
            drawn.add_task(f"{printable(what)} ...")
            yield
        self.say(f"{what} ({time.monotonic() - began:.1f} s)")

    @contextmanager
    def watch(self, what: str) -> Iterator[Callable[[str], None]]:
        """Shows a spinner, the status, and the time since the beginning."""
        with self._drawn(TimeElapsedColumn()) as drawn:
            task = drawn.add_task(f"{printable(what)} ...")

            def tell(status: str) -> None:
                drawn.update(task, description=f"{printable(what)}: now {printable(status)}")

            yield tell

    @contextmanager
    def follow(self, what: str, whole: float, unit: str) -> Iterator[Tell]:
        """Shows a bar, the remaining time, and the facts."""
        bar = BarColumn(self._console.width // 4)  # leaves room for the facts on a narrow terminal
        with self._drawn(bar, TimeRemainingColumn()) as drawn:
            task = drawn.add_task(printable(what), total=max(whole, 1))

            def tell(done: float, facts: Mapping[str, str]) -> None:
                lines = [what, how_far(done, whole, unit), *(f"{name}: {value}" for name, value in facts.items())]
                drawn.update(task, completed=done, description="\n".join(map(printable, lines)))

            tell(0, {})
            yield tell

    @contextmanager
    def _drawn(self, *columns: ProgressColumn) -> Iterator[Progress]:
        text = TextColumn("{task.description}", markup=False, table_column=Column(overflow="fold"))
        drawn = Progress(
            SpinnerColumn("line"),
            text,
            *columns,
            console=self._console,
            refresh_per_second=4,
            transient=True,
            redirect_stdout=False,  # stdout holds the results
            redirect_stderr=False,
        )
        with drawn, log.through(_Above(self._console)):
            yield drawn


class _Above(io.StringIO):
    """The stream for log lines while rich draws: prints each line unchanged above what is drawn."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def write(self, text: str) -> int:
        """Prints one log line."""
        self._console.print(Text(text.rstrip("\n")), soft_wrap=True)
        return len(text)
