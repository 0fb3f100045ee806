"""`make setup`: the output of pip, on a terminal and elsewhere."""

import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Final

import pytest

from support.terminal import CTRL_C, ROOT, SECONDS, terminal

PYTHON: Final = """#!/bin/sh
case "$*" in
*pip\\ install*)
  case "$*" in *--quiet*) ;; *)
    echo "Collecting something-whose-name-is-long<7,>=6.100 (from -r requirements-dev.txt (line 4))"
    sleep "${SLOW:-1}"
    echo "Installing collected packages: something" ;;
  esac
  [ -z "$BROKEN" ] || echo "ERROR: no such package" >&2
  exit ${BROKEN:-0} ;;
esac
"""
"""An interpreter whose pip installs nothing."""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A directory in which `make setup` would install something."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("requirements.txt", "requirements-gateway.txt", "requirements-dev.txt"):
        (tmp_path / name).touch()
    python = tmp_path / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(PYTHON)
    python.chmod(0o755)
    return tmp_path


def make() -> tuple[str, ...]:
    program = shutil.which("make")
    assert program is not None
    return (program, "--no-print-directory", "setup")


def stamp(project: Path) -> Path:
    return project / ".venv/.requirements-installed"


@pytest.mark.parametrize("columns", [40, 120])
def test_on_a_terminal_one_line_tells_how_far_it_is(project: Path, columns: int) -> None:
    with terminal(make(), {}, columns=columns, directory=project) as seen:
        assert seen.end() == 0
        drawn = seen.text.split("\r")
        assert any(line.startswith("Collecting something") for line in drawn)
        assert max(map(len, drawn)) < columns
        assert "\n" not in seen.text
        assert seen.shown.endswith("\r\x1b[K")
    assert stamp(project).exists()


def test_what_pip_has_to_say_when_it_fails_is_seen(project: Path) -> None:
    with terminal(make(), {"BROKEN": "1"}, directory=project) as seen:
        assert seen.end() == 2
        assert "ERROR: no such package" in seen.text
    assert not stamp(project).exists()


def test_ctrl_c_ends_it(project: Path) -> None:
    with terminal(make(), {"SLOW": "50"}, directory=project) as seen:
        seen.wait_for("Collecting")
        seen.press(CTRL_C)
        assert seen.end() in (2, -signal.SIGINT)
    assert not stamp(project).exists()


@pytest.mark.parametrize("broken", [0, 1])
def test_in_a_pipe_it_is_quiet(project: Path, broken: int) -> None:
    environment = {"PATH": os.environ["PATH"]} | ({"BROKEN": "1"} if broken else {})
    done = subprocess.run(
        make(), cwd=project, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert (done.returncode == 0) is stamp(project).exists() is (not broken)
    assert ("ERROR: no such package" in done.stderr) is bool(broken)
    said = "Installing requirements-dev.txt into .venv; the first time takes a minute or two ...\n"
    assert done.stdout == said
