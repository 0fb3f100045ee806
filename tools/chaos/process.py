"""Processes that the kernel kills when this process ends, however it ends."""

import ctypes
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None)


def start(command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Starts a process that the kernel kills when the thread that started it ends; its output goes to `log`."""
    with log.open("ab") as file:
        return subprocess.Popen(  # noqa: S603 - commands of ours
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            preexec_fn=_die_with_parent,
            cwd=Path(__file__).resolve().parents[2],
        )


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kills the process, as `kill -9` does."""
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
    process.wait(30)


def freeze(process: subprocess.Popen[bytes]) -> None:
    """Stops the process with SIGSTOP."""
    process.send_signal(signal.SIGSTOP)


def thaw(process: subprocess.Popen[bytes]) -> None:
    """Continues a stopped process."""
    process.send_signal(signal.SIGCONT)


def resources(process: subprocess.Popen[bytes]) -> dict[str, int]:
    """Memory in KiB, threads and open descriptors; empty if the process has ended."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
        rows = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
        return {
            "memory_kib": int(rows["VmRSS"].split()[0]),
            "threads": int(rows["Threads"]),
            "descriptors": len(list(Path(f"/proc/{process.pid}/fd").iterdir())),
        }
    except (OSError, KeyError, ValueError):
        return {}


def _die_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
