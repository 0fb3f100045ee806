"""Progress as rich draws it on a terminal. Imported only where there is one."""

import io
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Column
from rich.text import Text

from pipelinejobs.cli.output import printable
from pipelinejobs.cli.progress import Tell, how_far
from pipelinejobs.util import log


class _Console(Console):
    """A terminal whose cursor stays visible, so that it is visible too when this process is killed or suspended."""

    def show_cursor(self, show: bool = True) -> bool:  # noqa: ARG002 - it is always shown
        """Nothing."""
        return False


class Drawn:
    """What goes on is drawn again and again in its place; what is over leaves one line."""

    def __init__(self, stream: TextIO) -> None:
        self._console = _Console(file=stream, force_terminal=True, force_interactive=True, highlight=False)

    def say(self, line: str) -> None:
        """One line, above what is drawn."""
        self._console.print(Text(printable(line)))

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """A spinner, while it lasts."""
        began = time.monotonic()
        with self._drawn() as drawn:
            drawn.add_task(f"{printable(what)} ...")
            yield
        self.say(f"{what} ({time.monotonic() - began:.1f} s)")

    @contextmanager
    def follow(self, what: str, whole: float, unit: str) -> Iterator[Tell]:
        """A bar, the time that is left, and the facts."""
        bar = BarColumn(self._console.width // 4)  # a narrow terminal too has room for the facts
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
            redirect_stdout=False,  # results are no business of rich
            redirect_stderr=False,
        )
        with drawn, log.through(_Above(self._console)):
            yield drawn


class _Above(io.StringIO):
    """Where log lines go meanwhile: above what is drawn, each as it is."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def write(self, text: str) -> int:
        """One line."""
        self._console.print(Text(text.rstrip("\n")), soft_wrap=True)
        return len(text)
