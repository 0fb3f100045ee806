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

import pytest

from demo.abaco import Abaco

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


def start(root: Path, tmp_path: Path, environment: dict[str, str]) -> tuple[int, dict[str, str]]:
    """Runs the image's command with a message that cannot be read; gives exit code and verdict line."""
    (command,) = arguments("CMD")
    program, *rest = json.loads(command)
    assert program == "python"
    rest = [part.replace("/actor/", f"{root}/") for part in rest]
    done = subprocess.run(
        [sys.executable, *rest],
        cwd=tmp_path,
        env=Abaco(environment=environment).variables("nonsense", {"PYTHONPATH": "/nowhere", "PYTHONINSPECT": "1"}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    verdict: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return done.returncode, verdict


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
    exit_code, told = start(image, tmp_path, secrets)
    assert (exit_code, told["verdict"]) == (65, "malformed"), told
    exit_code, told = start(image, tmp_path, {**secrets, "_REACTOR_MONGODB_DATABASE": "another"})
    assert (exit_code, told["verdict"]) == (78, "unavailable")
    assert "mongodb.database" in told["reason"]


def test_without_pins_it_does_not_start(image: Path, tmp_path: Path) -> None:
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


def test_the_samples_names_are_settings() -> None:
    from pipelinejobs import settings

    secrets = json.loads((ROOT / "secrets.json.sample").read_text())
    assert secrets.keys() <= {setting.variable for setting in settings.TABLE.values()}
    assert settings.load(secrets).mongodb.connection() is not None
