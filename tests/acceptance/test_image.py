"""The Dockerfile, as far as it can be tried without a Docker engine.

Exactly what it copies is copied into an empty directory, its RUN lines that need neither network nor root are run
there, and the actor is started from there with the image's own command.
"""

import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest

from demo.abaco import Abaco
from demo.indexer import Indexer
from support_process import CheckedAbaco, NewJob, StoredJob

ROOT = Path(__file__).resolve().parents[2]
NOT_TRIED = ("pip ", "useradd ")
"""Steps that need the network, or root."""


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions, in order."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines()]
    return [
        (word.upper(), rest.strip())
        for word, _, rest in (line.partition(" ") for line in lines if line and not line.startswith("#"))
    ]


def arguments(name: str) -> list[str]:
    """The arguments of every instruction of this name."""
    return [rest for word, rest in instructions() if word == name]


def ignored(path: str) -> bool:
    """Whether .dockerignore keeps a path out of the build: the last pattern that fits it or a parent decides."""
    parts = path.split("/")
    parents = ["/".join(parts[: length + 1]) for length in range(len(parts))]
    out = False
    for line in (ROOT / ".dockerignore").read_text().split():
        pattern = line.removeprefix("!")
        regex = fnmatch.translate(pattern.removeprefix("**/"))
        fits = any(
            re.match(regex, parent) or ("**/" in pattern and re.match(regex, parent.rpartition("/")[2]))
            for parent in parents
        )
        if fits:
            out = not line.startswith("!")
    return out


def files(source: str) -> Iterator[Path]:
    """The files that a COPY of `source` takes."""
    start = ROOT / source
    for path in [start] if start.is_file() else start.rglob("*"):
        if path.is_file() and not ignored(path.relative_to(ROOT).as_posix()):
            yield path


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """What would be /actor in the image, before the RUN lines."""
    root = tmp_path / "actor"
    for copy in arguments("COPY"):
        *sources, target = copy.split()
        for source in sources:
            into = root / target if (ROOT / source).is_dir() or target.endswith("/") else (root / target).parent
            base = ROOT / source if (ROOT / source).is_dir() else ROOT
            for file in files(source):
                place = into / file.relative_to(base)
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, place)
    return root


def build(root: Path, tmp_path: Path) -> None:
    """Runs the RUN lines that can be tried."""
    programs = tmp_path / "bin"
    programs.mkdir()
    python = programs / "python"
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    python.chmod(0o755)
    for line in arguments("RUN"):
        steps = [step.strip() for step in line.split("&&") if not step.strip().startswith(NOT_TRIED)]
        for step in steps:
            environment = {"PATH": f"{programs}:/usr/bin:/bin"}
            subprocess.run(["/bin/sh", "-ec", step], cwd=root, env=environment, check=True)


def pin(root: Path, tmp_path: Path) -> dict[str, str]:
    """Writes the pins of the sample's secrets into the image's config.yml, as an operator does before the build."""
    command = ["-m", "pipelinejobs", "pin", "--secrets", str(ROOT / "secrets.json.sample")]
    subprocess.run(
        [sys.executable, *command, "--config", str(root / "config.yml")], cwd=ROOT, check=True, capture_output=True
    )
    secrets: dict[str, str] = json.loads((ROOT / "secrets.json.sample").read_text())
    return secrets


EVENT: Final = {"uuid": "107b93f3-1eae-5e79-8a18-0a480f8aa3a5", "name": "run", "token": "0123456789abcdef"}


def start(
    root: Path, tmp_path: Path, environment: dict[str, str], message: object = EVENT
) -> tuple[int, dict[str, str]]:
    """Runs the image's command with a message; gives exit code and verdict line."""
    (command,) = arguments("CMD")
    program, *rest = json.loads(command)
    assert program == "python"
    rest = [part.replace("/actor/", f"{root}/") for part in rest]
    done = subprocess.run(
        [sys.executable, *rest],
        cwd=tmp_path,
        env=Abaco(environment=environment).variables(message, {"PYTHONPATH": "/nowhere", "PYTHONINSPECT": "1"}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    verdict: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return done.returncode, verdict


@pytest.mark.promise("S23")
class TestDockerfile:
    def test_base_is_slim_and_new_enough(self) -> None:
        (base,) = arguments("FROM")
        version = re.fullmatch(r"python:3\.(\d+)-slim", base)
        assert version is not None
        assert int(version[1]) >= 11

    def test_the_process_is_not_root(self) -> None:
        names = [word for word, _ in instructions()]
        assert arguments("USER") not in ([], ["root"], ["0"])
        assert names.index("USER") > max(place for place, word in enumerate(names) if word in ("RUN", "COPY"))

    def test_starts_isolated_from_the_callers_variables(self) -> None:
        (command,) = arguments("CMD")
        assert json.loads(command) == ["python", "-Es", "/actor/reactor.py"]
        assert arguments("WORKDIR") == ["/actor"]
        assert arguments("ENTRYPOINT") == []

    def test_every_source_is_there(self) -> None:
        for copy in arguments("COPY"):
            for source in copy.split()[:-1]:
                assert list(files(source)), source

    def test_installs_the_runtime_requirements_alone(self) -> None:
        (install,) = [line for line in arguments("RUN") if line.startswith("pip ")]
        assert install.split()[-2:] == ["-r", "requirements.txt"]

    def test_holds_no_secret(self) -> None:
        assert not arguments("ENV")
        assert not arguments("ARG")
        assert not [name for name in ("secrets.json", "secrets.json.sample") if not ignored(name)]


LEFT_OUT = [
    ".git/config",
    ".mongodb/port",
    ".venv/bin/python",
    "Makefile",
    "README.rst",
    "demo/abaco.py",
    "fsm/__pycache__/machine.cpython-311.pyc",
    "pipelinejobs/__pycache__/job.cpython-311.pyc",
    "secrets.json",
    "tests/conftest.py",
]
SENT = ["reactor.py", "config.yml", "message.jsonschema", "fsm/machine.py", "pipelinejobs/cli/main.py"]


class TestContext:
    @pytest.mark.parametrize("path", LEFT_OUT)
    def test_is_left_out(self, path: str) -> None:
        assert ignored(path)

    @pytest.mark.parametrize("path", SENT)
    def test_is_sent(self, path: str) -> None:
        assert not ignored(path)


def test_nothing_unneeded_is_copied(image: Path) -> None:
    assert {path.name for path in image.iterdir()} == {
        "requirements.txt",
        "reactor.py",
        "config.yml",
        "message.jsonschema",
        "fsm",
        "pipelinejobs",
    }
    suffixes = {path.suffix for path in image.rglob("*") if path.is_file()}
    assert suffixes == {".py", ".yml", ".txt", ".jsonschema"}


def test_what_is_copied_is_enough_once_pins_are_written(image: Path, tmp_path: Path) -> None:
    secrets = pin(image, tmp_path)
    build(image, tmp_path)
    assert re.search(r"^require_pins: true$", (image / "config.yml").read_text(), re.MULTILINE)
    assert list((image / "pipelinejobs").rglob("*.pyc"))
    exit_code, told = start(image, tmp_path, secrets, "nonsense")
    assert (exit_code, told["verdict"]) == (65, "malformed"), told
    exit_code, told = start(image, tmp_path, {**secrets, "_REACTOR_MONGODB_DATABASE": "another"})
    assert (exit_code, told["verdict"]) == (78, "unavailable")
    assert "mongodb.database" in told["reason"]


def test_without_pins_it_takes_no_event(image: Path, tmp_path: Path) -> None:
    build(image, tmp_path)
    exit_code, told = start(image, tmp_path, json.loads((ROOT / "secrets.json.sample").read_text()))
    assert exit_code == 78
    assert "has no pin" in told["reason"]


def test_every_user_may_read_it(image: Path, tmp_path: Path) -> None:
    for path in [image, *image.rglob("*")]:
        path.chmod(0o700 if path.is_dir() else 0o600)  # as a strict umask leaves a checkout
    build(image, tmp_path)
    assert not [path for path in image.rglob("*") if path.stat().st_mode & 0o004 == 0]


def test_every_module_that_is_copied_can_be_imported(image: Path, tmp_path: Path) -> None:
    """The whole of the package, with nothing of the project but what is in the image."""
    modules = [
        ".".join(path.relative_to(image).with_suffix("").parts).removesuffix(".__init__")
        for path in image.rglob("*.py")
        if path.name != "__main__.py"
    ]
    script = f"import sys; sys.path.insert(0, {str(image)!r})\n" + "\n".join(f"import {name}" for name in modules)
    done = subprocess.run(
        [sys.executable, "-Es", "-c", script],
        cwd=tmp_path,
        env={"PATH": os.defpath},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


WATCHED = """
import os, runpy, sys
file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
PROCESSES = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.spawn", "pty.spawn")

def look(event, arguments):
    if event in PROCESSES:
        os.write(file, f"{event} {arguments[0]}\\n".encode())
    elif event == "socket.connect":
        os.write(file, f"{event} {arguments[1][0]}:{arguments[1][1]}\\n".encode())
    elif event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR):
        os.write(file, f"{event} {arguments[0]}\\n".encode())

sys.addaudithook(look)
sys.argv[:] = sys.argv[2:]
sys.path.insert(0, os.path.dirname(sys.argv[0]))
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""Writes down what a program does to the world outside."""


@pytest.mark.promise("S23")
class TestSupplyChain:
    @pytest.mark.parametrize("name", ["requirements.txt", "requirements-gateway.txt"])
    def test_requirements_are_ranges_of_the_package_index(self, name: str) -> None:
        """Each has a least version, and nothing comes from an address or another index."""
        lines = [line.partition("#")[0].strip() for line in (ROOT / name).read_text().splitlines()]
        wanted = [line for line in lines if line and line != "-r requirements.txt"]
        assert wanted
        assert not [line for line in wanted if not re.fullmatch(r"[A-Za-z0-9_-]+>=[0-9.]+(,<[0-9.]+)?", line)]

    def test_what_the_actor_runs_has_a_highest_version_too(self) -> None:
        wanted = [line.split()[0] for line in (ROOT / "requirements.txt").read_text().splitlines() if line[0] != "#"]
        assert not [line for line in wanted if ",<" not in line]

    def test_nothing_is_installed_or_fetched_at_start(
        self, image: Path, tmp_path: Path, abaco: CheckedAbaco, job: StoredJob, mongodb_uri: str, indexer: Indexer
    ) -> None:
        """One run starts no process, talks to the database and the Indexer alone, and writes no file."""
        build(image, tmp_path)
        (image / "config.yml").write_text((ROOT / "config.yml").read_text())  # the test's database is not pinned
        assert abaco.send(job.event("run")).exit_code == 0
        done = subprocess.run(
            [sys.executable, "-Es", "-c", WATCHED, str(tmp_path / "done"), str(image / "reactor.py")],
            cwd=tmp_path,
            env=abaco.variables(job.event("finish"), {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert job.state == "FINISHED"
        told = [line.split(" ", 1) for line in (tmp_path / "done").read_text().splitlines()]
        ports = {urlsplit(url).port for url in (mongodb_uri, indexer.url)}
        assert {where for what, where in told if what == "socket.connect"} == {f"127.0.0.1:{port}" for port in ports}
        assert [what for what in told if what[0] != "socket.connect"] == []

    def test_it_runs_where_nothing_can_be_written(
        self, image: Path, tmp_path: Path, abaco: CheckedAbaco, new_job: NewJob, indexer: Indexer
    ) -> None:
        """The whole file system is read-only to it, as with `docker run --read-only`."""
        build(image, tmp_path)
        (image / "config.yml").write_text((ROOT / "config.yml").read_text())  # the test's database is not pinned
        job = new_job()
        script = 'mount -o remount,bind,ro / && shift && exec "$@"'
        command = ["unshare", "--mount", "sh", "-ec", script, "sh", "--"]
        if shutil.which("unshare") is None or subprocess.run([*command, "true"], check=False).returncode:
            pytest.skip("this machine lets nobody make a file system read-only")
        before = listing(image)
        for name in ("run", "finish"):
            done = subprocess.run(
                [*command, sys.executable, "-Es", str(image / "reactor.py")],
                cwd="/",
                env=abaco.variables(job.event(name), {}),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 0, done.stderr
        assert job.names == ["create", "run", "finish"]
        assert len(indexer.received) == 1
        assert listing(image) == before


def listing(root: Path) -> dict[Path, tuple[int, int]]:
    """Every file, with its size and when it was changed."""
    return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in root.rglob("*")}


def test_the_samples_names_are_settings() -> None:
    from pipelinejobs import settings

    secrets = json.loads((ROOT / "secrets.json.sample").read_text())
    assert secrets.keys() <= {setting.variable for setting in settings.TABLE.values()}
    assert settings.load(secrets).mongodb.connection() is not None
