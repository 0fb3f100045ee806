"""A small disk: a tmpfs in a private mount namespace, which only the processes started on it can see."""

import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tools.chaos import process

_MOUNT: Final = 'mount -t tmpfs -o "size=$2" tmpfs "$1" && echo ready && exec sleep infinity'
_SECONDS: Final = 30.0


@dataclass(frozen=True)
class Disk:
    """The disk, which lives as long as the process that holds it.

    Attributes:
        path: where it is, for the processes on it; all others see an empty directory there.
    """

    path: Path
    holder: subprocess.Popen[bytes]

    @property
    def seen(self) -> Path:
        """The path of the disk for processes outside its namespace."""
        return Path(f"/proc/{self.holder.pid}/root{self.path}")

    def on(self, command: Sequence[str]) -> list[str]:
        """The command line that runs a command where the disk is seen; the process stays the same one."""
        return [*_entering(self.holder.pid), *command]

    def fill(self) -> None:
        """Leaves not a byte free."""
        self._sh('cat /dev/zero >> "$1"')
        assert self.free_bytes() == 0

    def empty(self) -> None:
        """Takes away what filled it."""
        self._sh('rm -f "$1"')

    def free_bytes(self) -> int:
        """How much room there is."""
        told = self._sh('df -B1 --output=avail "${1%/*}" | tail -n 1')
        return int(told)

    def _sh(self, script: str) -> str:
        command = self.on(["sh", "-c", script, "sh", str(self.path / "filler")])
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout


@contextmanager
def small_disk(directory: Path, size: str) -> Iterator[Disk]:
    """Mounts one at `directory` / disk; skips the test if this machine does not allow mounts."""
    path, log = directory / "disk", directory / "disk.log"
    path.mkdir()
    try:
        holder = process.start(["unshare", *_namespaces(), "sh", "-c", _MOUNT, "sh", str(path), size], log)
    except FileNotFoundError:
        pytest.skip("there is no `unshare` here, so that no small disk can be had")
    try:
        until = time.monotonic() + _SECONDS
        while "ready" not in log.read_text():
            if holder.poll() is not None or time.monotonic() > until:
                pytest.skip(f"no small disk can be mounted here: {log.read_text().strip()}")
            time.sleep(0.02)
        yield Disk(path, holder)
    finally:
        process.kill(holder)


def _namespaces() -> list[str]:
    return ["--mount"] if os.geteuid() == 0 else ["--user", "--map-root-user", "--mount"]


def _entering(pid: int) -> list[str]:
    user = [] if os.geteuid() == 0 else [f"--user=/proc/{pid}/ns/user", "--preserve-credentials"]
    return ["nsenter", *user, f"--mount=/proc/{pid}/ns/mnt"]
