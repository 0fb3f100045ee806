"""Runs a process on a pseudo-terminal: reads what the terminal shows, and presses keys."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from support.gateway import eventually

ROOT: Final = Path(__file__).resolve().parents[2]
CTRL_C: Final = b"\x03"
SECONDS: Final = 60

_CONTROLLED: Final = """
import fcntl, os, sys, termios
fcntl.ioctl(2, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Makes the terminal one whose keys send signals, and becomes the command."""


@dataclass
class Terminal:
    """A process whose stdin and stderr are a terminal. Its stdout is a pipe, so that both are seen apart.

    Attributes:
        shown: what was sent to the terminal so far.
        printed: what was printed on stdout, once it has ended.
    """

    process: subprocess.Popen[str]
    _keyboard: int
    shown: str = ""
    printed: str = ""
    _readers: list[threading.Thread] = field(default_factory=list)

    def press(self, keys: bytes) -> None:
        """Presses keys."""
        os.write(self._keyboard, keys)

    def wait_for(self, text: str) -> None:
        """Waits until the terminal has shown this text."""
        eventually(lambda: text in self.shown or self.process.poll() is not None, SECONDS)
        assert text in self.shown, self.shown

    def wait_for_printed(self, text: str) -> None:
        """Waits until this text was printed on stdout."""
        eventually(lambda: text in self.printed or self.process.poll() is not None, SECONDS)
        assert text in self.printed, self.shown

    def end(self) -> int:
        """Waits for the end, and gives the exit code."""
        code = self.process.wait(SECONDS)
        for reader in self._readers:
            reader.join(SECONDS)
        return code

    @property
    def text(self) -> str:
        """The text that was shown, without control sequences."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.shown).replace("\r\n", "\n")

    @property
    def is_whole(self) -> bool:
        """Whether the terminal is in order: the cursor visible, colours off, and nothing drawn left."""
        hidden, again = self.shown.rfind("\x1b[?25l"), self.shown.rfind("\x1b[?25h")
        coloured = re.findall(r"\x1b\[([0-9;]*)m", self.shown)
        return hidden <= again and (not coloured or coloured[-1] in ("", "0"))


@contextmanager
def terminal(
    command: Sequence[str],
    variables: Mapping[str, str],
    *,
    columns: int = 80,
    directory: Path = ROOT,
    term: str = "xterm-256color",
) -> Iterator[Terminal]:
    """Starts a command on a terminal; at the end, its processes are killed.

    Args:
        command: its words, the first one the path of a program.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-c", _CONTROLLED, *command],
        cwd=directory,
        env={"PATH": os.environ["PATH"], "TERM": term, "LC_ALL": "C.UTF-8", **variables},
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        start_new_session=True,
    )
    os.close(theirs)
    there = Terminal(process, ours)

    def look() -> None:
        while True:
            try:
                read = os.read(ours, 65536)
            except OSError:  # the last one who had it open is gone
                return
            there.shown += read.decode(errors="replace")

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            there.printed += line

    there._readers = [threading.Thread(target=target, daemon=True) for target in (look, read)]
    for reader in there._readers:
        reader.start()
    try:
        yield there
    finally:
        process.kill()
        there.end()
        os.close(ours)
        assert process.stdout is not None
        process.stdout.close()
