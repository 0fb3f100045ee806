"""Progress as it is drawn on a terminal. Imported only where there is one, for it imports rich."""

import io
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from pipelinejobs.cli.output import printable
from pipelinejobs.cli.progress_lines import Tell, how_far
from pipelinejobs.util import log

_A_SECOND: Final = 4
"""How often it is drawn."""


class _Console(Console):
    """A terminal whose cursor stays visible: so it is, too, when this process is killed or put to sleep."""

    def show_cursor(self, show: bool = True) -> bool:  # noqa: ARG002 - it is always shown
        """Nothing."""
        return False


class Drawn:
    """On a terminal, what goes on is drawn again and again in its place, and what is over leaves one line."""

    def __init__(self, stream: TextIO) -> None:
        self._console = _Console(file=stream, force_terminal=True, force_interactive=True, highlight=False)

    def say(self, line: str) -> None:
        """One line, above what is drawn."""
        self._console.print(Text(printable(line)))

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """A sign that turns, while it lasts."""
        began = time.monotonic()
        spinner = Spinner("line", Text(f"{printable(what)} ..."))
        with self._live(spinner):
            yield
        self.say(f"{what} ({time.monotonic() - began:.1f} s)")

    @contextmanager
    def follow(self, what: str, whole: float, unit: str) -> Iterator[Tell]:
        """A bar, how fast it goes, and a table of the facts."""
        view = _Followed(what, whole, unit)
        with self._live(view):
            yield view.tell

    @contextmanager
    def _live(self, what: RenderableType) -> Iterator[None]:
        # Results are no business of rich: it leaves the streams as they are.
        live = Live(
            what,
            console=self._console,
            refresh_per_second=_A_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        with live, log.through(_Above(self._console)):
            yield


class _Above(io.StringIO):
    """Where log lines go meanwhile: above what is drawn, each as it is."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def write(self, text: str) -> int:
        """One line."""
        self._console.print(Text(text.rstrip("\n")), soft_wrap=True)
        return len(text)


class _Followed:
    """What is followed, as it was last told. One thread tells, another draws."""

    def __init__(self, what: str, whole: float, unit: str) -> None:
        self._spinner = Spinner("line", Text(printable(what)))
        self._whole = whole
        self._unit = unit
        self._began = time.monotonic()
        self._told: tuple[float, Mapping[str, str]] = (0.0, {})

    def tell(self, done: float, facts: Mapping[str, str]) -> None:
        """How far it is."""
        self._told = (done, dict(facts))

    def __rich__(self) -> RenderableType:
        """The picture; one thing below another, so that it fits a narrow terminal too."""
        done, facts = self._told
        rows = Table.grid(padding=(0, 2))
        for name, value in facts.items():
            rows.add_row(Text(printable(name), style="bold"), Text(printable(value)))
        far = how_far(done, self._whole, self._unit, time.monotonic() - self._began)
        bar = Table.grid(expand=True)  # a bar alone does not end its line
        bar.add_row(ProgressBar(total=max(self._whole, 1), completed=min(done, max(self._whole, 1))))
        return Group(self._spinner, bar, Text(far), rows)
