"""Whoever forgot to activate `.venv` is told so, in one sentence and not by a traceback."""

import json
import subprocess
import sys
from typing import Any

import pytest

from support_served import ROOT

MESSAGE = '{"uuid": "10705490-39f3-573e-b1c2-f489079930da", "name": "run", "token": "0000000000000000"}'


def without_libraries(*arguments: str, **environment: str) -> Any:
    """What a Python says that has nothing installed: `-S` keeps it from looking."""
    command = [sys.executable, "-S", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("command", ["jobs", "explain", "serve"])
def test_a_command(command: str) -> None:
    done = without_libraries("-m", "pipelinejobs", command)
    assert (done.returncode, done.stdout) == (78, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"pipelinejobs: {sys.executable} has no library ")
    assert ".venv/bin/activate" in line


def test_the_actor() -> None:
    done = without_libraries("reactor.py", LOCALONLY="1", MSG=MESSAGE)
    assert done.returncode == 78
    told = json.loads(done.stdout)
    assert told["verdict"] == "unavailable"
    assert told["reason"].startswith(f"{sys.executable} has no library ")
    assert "defect" not in done.stderr
