"""The wheel, installed into an empty virtual environment, in a directory that is no checkout.

The libraries are lent by the environment that runs the tests: a `.pth` file lets the new one see them, so that pip asks
no network and still refuses to install what lacks a requirement of the extras. Of the project nothing is seen but what
the wheel brings. One test installs everything from the index, where that can be reached.
"""

import os
import re
import signal
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path
from typing import Final

import pytest

from pipelinejobs import __version__
from pipelinejobs.cli.sample_job import LAST_LINE
from support.gateway import eventually
from support.served import ROOT, served

SECONDS: Final = 300


Done = subprocess.CompletedProcess[str]


def run(command: list[str], cwd: Path, home: Path, **more: str) -> Done:
    """A program as a user starts it, with nothing of the tests' own environment."""
    variables = {"PATH": os.environ["PATH"], "HOME": str(home), "COLUMNS": "200", **more}
    return subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True, timeout=SECONDS, check=False)


def pip(environment: Path, *arguments: str, **more: str) -> Done:
    """This Python's pip, at work in another environment."""
    python = str(environment / "bin" / "python")
    return run([sys.executable, "-m", "pip", "--python", python, *arguments], environment, environment, **more)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory with the sdist of this checkout, and the wheel that is made from the sdist."""
    directory = tmp_path_factory.mktemp("built")
    done = run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(directory), str(ROOT)], directory, directory
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return directory


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    """The wheel."""
    (file,) = built.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def bin_directory(wheel: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """The programs of an environment that has the wheel; its libraries are lent, or with "index" its own."""
    root = tmp_path_factory.mktemp("installed")
    venv.create(root, symlinks=True)
    if getattr(request, "param", "lent") == "index":
        configured = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "HTTP"))}
        if pip(root, "download", "--no-deps", "--dest", str(root), "packaging", **configured).returncode:
            pytest.skip("the package index cannot be reached")
        done = pip(root, "install", f"{wheel}[gateway,embedded]", **configured)
    else:
        purelib = Path(sysconfig.get_path("purelib", "venv", {"base": str(root), "platbase": str(root)}))
        (purelib / "libraries.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
        done = pip(root, "--isolated", "install", "--no-index", f"{wheel}[gateway,embedded]")
    assert done.returncode == 0, done.stdout + done.stderr
    return root / "bin"


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """An empty directory."""
    directory = tmp_path / "empty"
    directory.mkdir()
    return directory


def test_what_travels_in_it(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        for name in ("config.yml", "message.jsonschema"):
            assert archive.read(f"pipelinejobs/{name}") == (ROOT / name).read_bytes()
    assert {name.partition("/")[0] for name in names} == {
        "fsm",
        "pipelinejobs",
        f"pipelinejobs_manager-{__version__}.dist-info",
    }
    ours = {
        path.relative_to(ROOT).as_posix()
        for top in ("fsm", "pipelinejobs")
        for path in (ROOT / top).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert ours <= set(names)


def test_what_travels_in_the_sdist(built: Path) -> None:
    """The wheel's sources and the actor's and the operators' files; neither tests nor tools."""
    (file,) = built.glob("*.tar.gz")
    with tarfile.open(file) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {
        "reactor.py",
        "Dockerfile",
        "LICENSE",
        "CHANGELOG.rst",
        "deploy/compose.yaml",
        "deploy/requirements.lock",
    } <= names
    assert not [name for name in names if name.startswith(("tests", "tools", "docs", "deploy/secrets"))]
    assert "secrets.json" not in names


def test_the_commands(bin_directory: Path, empty: Path, tmp_path: Path) -> None:
    program = str(bin_directory / "pipelinejobs")
    helped = run([program, "--help"], empty, tmp_path)
    assert (helped.returncode, helped.stderr) == (0, "")
    assert helped.stdout.startswith("usage: pipelinejobs ")
    assert run([program, "--version"], empty, tmp_path).stdout == f"pipelinejobs-manager {__version__}\n"
    drawn = run([program, "diagram"], empty, tmp_path)
    assert drawn.stdout.startswith("stateDiagram-v2\n")
    assert list(empty.iterdir()) == []


def test_without_the_extra_the_command_that_installs_it_is_named(
    bin_directory: Path, empty: Path, tmp_path: Path
) -> None:
    program = "import sys; sys.modules['uvicorn'] = None; from pipelinejobs.cli.main import main; main(['serve'])"
    done = run([str(bin_directory / "python"), "-c", program], empty, tmp_path)
    assert done.stderr.endswith("; install it with `pip install 'pipelinejobs-manager[gateway]'`\n")


@pytest.mark.parametrize("bin_directory", ["lent", "index"], indirect=True)
def test_a_sample_is_served_and_its_commands_work(bin_directory: Path, empty: Path, tmp_path: Path) -> None:
    """Its MongoDB keeps the data in the user's data directory, and ends with it."""
    program = str(bin_directory / "pipelinejobs")
    command = (program, "serve", "--sample", "--port", "0")
    try:
        with served({}, tmp_path, command=command, cwd=empty) as gateway:
            eventually(lambda: gateway.printed[-1].strip() == LAST_LINE, SECONDS)
            posts = [line for line in gateway.printed if line.startswith("curl -X POST")]
            assert len(posts) == 3
            for post, state in zip(posts, ("RUNNING", "RUNNING", "FINISHED"), strict=True):
                done = run(["sh", "-c", f"curl -sS{post.removeprefix('curl')}"], empty, tmp_path)
                assert re.search(rf'"verdict": ?"applied".*"state": ?"{state}"', done.stdout, re.DOTALL), done
            assert gateway.end(signal.SIGINT) == 0
    finally:  # a gateway that was killed leaves its MongoDB running
        run([program, "mongod", "stop"], empty, tmp_path)
    data = tmp_path / ".local" / "share" / "pipelinejobs-manager" / ".mongodb"
    assert (data / "mongod.log").is_file()
    assert run([program, "mongod", "status"], empty, tmp_path).stdout == "it is not running\n"
    assert list(empty.iterdir()) == []
