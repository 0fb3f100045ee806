"""Progress as plain lines and as drawn by rich, and which of the two a stream gets."""

import io
import subprocess
import sys

import pytest

from pipelinejobs.cli.progress import progress, silent
from pipelinejobs.cli.progress_lines import Lines, how_far


class Clock:
    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


def test_a_step_is_one_line(stream: io.StringIO) -> None:
    with Lines(stream).step("Making the indexes"):
        assert stream.getvalue() == "Making the indexes ...\n"
    assert stream.getvalue() == "Making the indexes ...\n"


def test_counted_work_prints_a_line_every_few_seconds(stream: io.StringIO, clock: Clock) -> None:
    with Lines(stream, every=10, clock=clock).follow("Sending", 400, "messages") as tell:
        for second in range(1, 25):
            clock.time += 1
            tell(second * 8, {"sent": str(second * 8 - 1), "failed": "1"})
    assert stream.getvalue().splitlines() == [
        "Sending: 400 messages ...",
        "80 of 400 messages; sent 79; failed 1",
        "160 of 400 messages; sent 159; failed 1",
    ]


def test_foreign_text_cannot_steer_the_terminal_in_plain_lines(stream: io.StringIO, clock: Clock) -> None:
    lines = Lines(stream, every=0, clock=clock)
    lines.say("\x1b[2J\nforged")
    with lines.step("\x1b[2J"), lines.follow("\r", 1, "\x07") as tell:
        tell(1, {"\x1b": "\x9b"})
    assert stream.getvalue().replace("\n", "").isprintable()
    assert len(stream.getvalue().splitlines()) == 4


def test_a_full_disk_does_not_fail_the_command() -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    lines = Lines(Full(), every=0)
    lines.say("x")
    with lines.step("x"), lines.follow("x", 1, "messages") as tell:
        tell(1, {})


@pytest.mark.parametrize(
    ("done", "whole", "unit", "said"),
    [
        (0, 0, "messages", "0 of 0 messages"),
        (12, 10, "messages", "12 of 10 messages"),
        (1, 1, "message", "1 of 1 message"),
        (310.4, 600, "s", "310 of 600 s"),
    ],
)
def test_how_far(done: float, whole: float, unit: str, said: str) -> None:
    assert how_far(done, whole, unit) == said


def test_foreign_text_cannot_steer_the_terminal_when_drawn() -> None:
    screen = Screen()
    drawn = progress(screen, {"TERM": "xterm", "NO_COLOR": "1"})
    with drawn.follow("[bold]\x1b[2J", 0, "messages") as tell:
        tell(3, {"\x1b[3J": "[red]"})
    assert "\x1b[2J" not in screen.getvalue()
    assert "\x1b[3J" not in screen.getvalue()
    assert "[bold]" in screen.getvalue(), "a text is not markup"


@pytest.mark.parametrize(
    ("environment", "kind"),
    [
        ({"TERM": "xterm"}, "Drawn"),
        ({"TERM": "xterm", "NO_COLOR": "1"}, "Drawn"),
        ({"TERM": "xterm", "CI": "true"}, "Lines"),
        ({"TERM": "dumb"}, "Lines"),
        ({"TERM": ""}, "Lines"),
        ({}, "Lines"),
    ],
)
def test_only_a_capable_terminal_is_drawn_on(environment: dict[str, str], kind: str) -> None:
    assert type(progress(Screen(), environment)).__name__ == kind
    assert type(progress(io.StringIO(), environment)).__name__ == "Lines"


def test_without_rich_progress_is_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "pipelinejobs.cli.progress_terminal", raising=False)
    monkeypatch.setitem(sys.modules, "rich.console", None)
    assert type(progress(Screen(), {"TERM": "xterm"})).__name__ == "Lines"


def test_rich_is_not_imported_without_a_terminal() -> None:
    program = (
        "import sys; from pipelinejobs.cli import main, progress; p = progress.progress()\n"
        "with p.step('x'): pass\nsys.exit('rich' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "x ...\n")


def test_silent_progress_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    nothing = silent()
    nothing.say("x")
    with nothing.step("x"), nothing.follow("x", 1, "messages") as tell:
        tell(1, {})
    assert capfd.readouterr() == ("", "")
