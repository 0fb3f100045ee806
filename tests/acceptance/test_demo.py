"""`make demo`: shows everything, succeeds only when all of it happened, and leaves nothing behind."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.usefixtures("nothing_left")


def start(tmp_path: Path, *python: str, root: Path = ROOT, **environment: str) -> "subprocess.Popen[str]":
    """Starts the demo, with its server in the test's directory."""
    (tmp_path / "demo").mkdir()
    return subprocess.Popen(
        [sys.executable, *python, "-m", "tools.demo"],
        cwd=root,
        env={**os.environ, "TMPDIR": str(tmp_path / "demo"), "PYTHONUNBUFFERED": "1", **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(demo: "subprocess.Popen[str]", tmp_path: Path) -> tuple[int, str, str]:
    """Exit code and output of the demo, which has left no file behind."""
    out, err = demo.communicate(timeout=300)
    assert list((tmp_path / "demo").iterdir()) == []
    assert "Traceback" not in err
    return demo.returncode, out, err


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the project that a test may break."""
    root = tmp_path / "copy"
    root.mkdir()
    for name in ("fsm", "pipelinejobs", "tools"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("reactor.py", "config.yml"):
        shutil.copy(ROOT / name, root / name)
    return root


def test_shows_everything_and_succeeds(tmp_path: Path) -> None:
    exit_code, out, err = finish(start(tmp_path), tmp_path)
    assert (exit_code, err) == (0, "")
    for shown in (
        "== A JSON event",
        "== An event as URL parameters",
        "== A callback of Agave",
        '"verdict": "applied"',
        '"verdict": "unauthorised"',
        '"verdict": "illegal"',
        "POST /actors/v2/jobs-indexer.prod/messages",
        '"name": "index"',
        "possible next events:",
        "The demo succeeded: every step had the expected result.",
    ):
        assert shown in out
    assert "!!" not in out


def test_fails_without_a_mongod(tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    packages.mkdir()
    for entry in (Path(part) for part in sys.path if Path(part).name == "site-packages"):
        for package in entry.iterdir():
            if package.name != "fiftyone" and not (packages / package.name).exists():
                (packages / package.name).symlink_to(package)
    demo = start(tmp_path, "-S", PYTHONPATH=str(packages), PATH=str(packages))
    exit_code, out, err = finish(demo, tmp_path)
    assert exit_code == 1
    assert "there is no mongod" in err
    assert "The demo succeeded" not in out


def test_fails_where_the_settings_are_wrong(tmp_path: Path, copy: Path) -> None:
    config = copy / "config.yml"
    config.write_text(config.read_text().replace("require_pins: false", "require_pins: true"))
    exit_code, _, err = finish(start(tmp_path, root=copy), tmp_path)
    assert exit_code == 1
    assert "has no pin" in err


def test_fails_where_a_verdict_is_another(tmp_path: Path, copy: Path) -> None:
    (copy / "reactor.py").write_text('print(\'{"verdict": "applied", "state": "RUNNING"}\')\n')
    exit_code, out, _ = finish(start(tmp_path, root=copy), tmp_path)
    assert exit_code == 1
    assert "the Indexer did not receive exactly one index request" in out
    assert "The demo FAILED" in out


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_demo_stops_its_server(tmp_path: Path, number: signal.Signals) -> None:
    demo = start(tmp_path)
    assert demo.stdout is not None
    for line in demo.stdout:
        if line.startswith("== A new job"):
            break
    demo.send_signal(number)
    exit_code, out, _ = finish(demo, tmp_path)
    assert exit_code == 128 + number
    assert "The demo succeeded" not in out
