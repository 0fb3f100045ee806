"""What is asked of the operating system: processes, loopback ports, files written whole."""

import os
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LOOPBACK: Final = "127.0.0.1"
_PROC: Final = Path("/proc")
_EXEC_TRIES: Final = 10
_EXEC_SECONDS: Final = 0.01


@dataclass(frozen=True, slots=True)
class Process:
    """A living process.

    `began` is an opaque text that no other process of the same pid ever has; `command` is its command line,
    with one blank after each word, and empty when the process is about to be gone.
    """

    began: str
    command: str


def process(pid: int) -> Process | None:
    """The process that has this pid; None when there is none, or only its unburied remains."""
    return process_by_proc(pid) if (_PROC / "self" / "stat").exists() else process_by_ps(pid)


def process_by_proc(pid: int) -> Process | None:
    """`process` on Linux."""
    for _ in range(_EXEC_TRIES):
        try:
            # The second field is the program's name and may hold anything, blanks and brackets too.
            fields = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
            command = os.fsdecode((_PROC / str(pid) / "cmdline").read_bytes()).replace("\0", " ")
        except (
            FileNotFoundError,
            ProcessLookupError,
            PermissionError,
        ):  # the last: hidden, so another user's
            return None
        if fields[0] in "ZX":
            # The first thread of a process can be dead while others still hold its files and ports.
            return Process(f"{_boot()} {fields[19]}", "") if int(fields[17]) > 1 else None
        if command:
            break
        time.sleep(_EXEC_SECONDS)  # empty for an instant, while the process changes into another program
    return Process(f"{_boot()} {fields[19]}", command)


def _boot() -> str:
    """Which start of the machine this is: processes are dated by the time since then."""
    boot_id = _PROC / "sys/kernel/random/boot_id"
    return boot_id.read_text().strip() if boot_id.exists() else "-"


def process_by_ps(pid: int) -> Process | None:
    """`process` where there is no /proc. Its `began` has whole seconds only."""
    asked = ["ps", "-ww", "-o", "state=", "-o", "lstart=", "-o", "command=", "-p", str(pid)]
    answer = subprocess.run(  # noqa: S603 - the arguments are ours
        asked,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        env={**os.environ, "LC_ALL": "C"},
    )
    fields = answer.stdout.strip().split(None, 6)
    if len(fields) < 7 or fields[0].startswith("Z"):
        return None
    return Process(" ".join(fields[1:6]), fields[6] + " ")


def listens(port: int, seconds: float) -> bool:
    """Whether something on this machine accepts a connection on that loopback port within `seconds`."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=seconds):
            return True
    except OSError:
        return False


def is_free(port: int) -> bool:
    """Whether a server could listen on that loopback port now. It may be taken a moment later."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """A loopback port on which nothing listens now. It may be taken a moment later."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def write_whole(path: Path, text: str) -> None:
    """Write a small file so that a reader never sees a part of it. One writer at a time."""
    new = path.with_name(path.name + ".new")
    new.write_text(text)
    new.replace(path)
