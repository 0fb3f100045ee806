"""Copies of the source, and tests that run in them."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]

PASSED: Final = 0
FAILED: Final = 1
"""Exit codes of pytest; all others say that it could not do what it was asked."""

_SET_UP: Final = "ERROR at setup of"
"""What pytest writes where not the test has failed, but what it needs."""


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a test.

    Attributes:
        exit_code: pytest's; None where it did not end in time.
        output: all that it wrote.
    """

    exit_code: int | None
    output: str

    @property
    def failed(self) -> bool:
        """Whether the test itself has failed."""
        return self.exit_code == FAILED and _SET_UP not in self.output


@contextmanager
def taken() -> Iterator[Path]:
    """A copy of the source as it is now, without what git ignores; it is gone afterwards."""
    command = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    names = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode()  # noqa: S603
    with tempfile.TemporaryDirectory(prefix="mutants-", ignore_cleanup_errors=True) as directory:
        copy = Path(directory) / "source"
        for name in filter(None, names.split("\0")):
            if (ROOT / name).is_file():  # one that was deleted is still known to git
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, copy / name)
        yield copy


@contextmanager
def copied(source: Path) -> Iterator[Path]:
    """A copy of the source that was taken, to be mutated; it is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="mutants-", ignore_cleanup_errors=True) as directory:
        yield Path(shutil.copytree(source, Path(directory) / "source"))


def run(test: str, copy: Path, seconds: float) -> Result:
    """Runs one test, or all tests of a class or module, in a copy until the first fails.

    Args:
        test: pytest's name of it.
        copy: where.
        seconds: how long it may take; then it is ended, with all that it has started.
    """
    options = (
        "-x",
        "-q",
        "--tb=short",
        "-p",
        "no:cacheprovider",
        "--hypothesis-profile=deep",
        f"--basetemp={copy.parent / 'tests'}",
    )
    process = subprocess.Popen(  # noqa: S603 - tests of ours
        (sys.executable, "-m", "pytest", *options, test),
        cwd=copy,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        return Result(None, "")
    finally:
        if process.poll() is None:
            _end(process)
    return Result(process.returncode, output)


def _end(process: subprocess.Popen[str]) -> None:
    """Ends its whole group. A server that the tests started is stopped by their guard, which is in none."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
