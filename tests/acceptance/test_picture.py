"""`make picture`: the picture in README.rst can be made from the running product."""

import subprocess
import sys
from pathlib import Path

import pytest

from support.served import ROOT
from tools.picture import browser_path
from tools.picture.__main__ import SCALE, SIZE


def test_it_is_made_of_the_running_product(tmp_path: Path) -> None:
    if browser_path() is None:
        pytest.skip("there is no Chromium on PATH; install Debian's package chromium (.ci/run does)")
    file = tmp_path / "job-page.png"
    command = [sys.executable, "-m", "tools.picture", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    head = file.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    drawn = int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
    assert drawn == (SIZE["width"] * SCALE, SIZE["height"] * SCALE)
    assert file.stat().st_size < 200_000


def test_without_a_browser_it_says_what_to_install(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tools.picture", str(tmp_path / "none.png")]
    environment = {"PATH": str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("There is no Chromium on PATH; install it")
    assert list(tmp_path.iterdir()) == []
