"""The test session itself: its tests see the same, whatever started it, and it leaves nothing behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).resolve().parents[1]


CONFTEST = """
from support import session
from support.session import *
session._PATIENCE_SECONDS = {patience}
"""


def session(directory: Path, test: str, *arguments: str, start: str = 'exec "$@"', patience: int = 60) -> Any:
    """A session with the same hooks and one file of tests, started by a shell."""
    (directory / "conftest.py").write_text(CONFTEST.format(patience=patience))
    (directory / "test_inner.py").write_text(test)
    own = ["-q", "-p", "no:cacheprovider", "-p", "xdist.plugin"]
    command = ["sh", "-c", start, "sh", sys.executable, "-m", "pytest", *own, *arguments]
    variables = {"PATH": os.environ["PATH"], "PYTHONPATH": str(TESTS), "TMPDIR": str(directory)}
    variables["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # the other plugins take longer to load than all the rest does
    return subprocess.run(command, cwd=directory, env=variables, capture_output=True, text=True, timeout=600)


SIGNALS = """
import os, signal, subprocess, sys

def test_children_ignore_nothing():
    child = "import signal; print([s.name for s in signal.valid_signals() if signal.getsignal(s) is signal.SIG_IGN])"
    done = subprocess.run([sys.executable, "-c", child], capture_output=True, text=True, timeout=60)
    assert done.stdout == "['SIGPIPE', 'SIGXFSZ']\\n"

def test_the_session_goes_on_ignoring():
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        os.kill(os.getpid(), number)
"""


@pytest.mark.parametrize("workers", [[], ["-n", "1"]])
def test_what_the_session_ignores_its_children_do_not(tmp_path: Path, workers: list[str]) -> None:
    done = session(tmp_path, SIGNALS, *workers, start='trap "" HUP INT QUIT TERM; exec "$@"')
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


LEFT = """
import subprocess, sys, tempfile
from pathlib import Path

def test_it():
    tempfile.mkdtemp(prefix="left-")
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    process.returncode = 0  # the exit code is set, so that Popen does not wait for the process
    Path("pid").write_text(str(process.pid))
"""


@pytest.mark.parametrize("workers", [[], ["-n", "1"]])
def test_a_session_that_leaves_something_behind_has_failed(tmp_path: Path, workers: list[str]) -> None:
    done = session(tmp_path, LEFT, *workers, patience=1)
    pid = int((tmp_path / "pid").read_text())
    os.kill(pid, signal.SIGKILL)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 passed" in done.stdout
    directory, process = (line for line in done.stdout.splitlines() if line.startswith("LEFT BEHIND: "))
    assert "/TMPDIR/left-" in directory
    assert process.startswith(f"LEFT BEHIND: process {pid}: ")
    assert not list(tmp_path.glob("**/left-*"))
