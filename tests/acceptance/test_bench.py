"""`make bench` in its shortest form: it measures, prints ratios and leaves nothing behind.

How large they are is not asked: on a machine that is busy with tests nothing can be measured.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools.bench import wrk
from tools.demo.abaco import ROOT

RATIO = r"\d+\.\d\d x \[\d+\.\d\d\.\.\d+\.\d\d\]"


def measured(subject: str, directory: Path) -> list[str]:
    """The rows of the table that `python -m tools.bench --quick` prints."""
    done = subprocess.run(
        [sys.executable, "-m", "tools.bench", "--quick", "--rounds", "1", "--only", subject],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "TMPDIR": str(directory)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    _, headings, rows, _ = re.split(r"^=[= ]+=$", done.stdout, flags=re.MULTILINE)
    assert headings.split() == ["what", "against", "goal", "median", "[smallest..largest]", "kept"]
    return rows.strip().splitlines()


@pytest.fixture(autouse=True)
def _nothing_left(nothing_left: None) -> None:
    pass


def test_one_shot_runs(tmp_path: Path) -> None:
    rows = measured("one-shot", tmp_path)
    assert len([row for row in rows if re.search(RATIO, row)]) == 3
    assert any(re.search(r"\d MB \[", row) for row in rows)
    assert not list(tmp_path.iterdir())


def test_events_on_a_long_history(tmp_path: Path) -> None:
    rows = measured("history", tmp_path)
    assert all(re.search(RATIO, row) for row in rows)
    assert len(rows) == 2


@pytest.mark.skipif(shutil.which("wrk") is None, reason="there is no wrk, which `make bench` would install")
def test_many_senders_of_one_job(tmp_path: Path) -> None:
    (row,) = measured("contended", tmp_path)
    assert re.search(RATIO, row)


def test_an_unknown_subject_is_named() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.bench", "--only", "nothing"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert "'nothing'" in done.stderr


def test_without_wrk_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(SystemExit, match="install it"):
        wrk.ensure()
