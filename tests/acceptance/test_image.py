"""The Dockerfile: what it says is carried out in a clean Debian, and the images that come of it are run there.

How that is done without a Docker engine, and what stands for what, is said in `support.image`.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from support.dockerfile import Context, NotUnderstood, stages
from support.image import Image, Mount, build
from support.process import CheckedAbaco, NewJob, StoredJob
from tools.demo.abaco import Abaco, Execution, finished
from tools.demo.indexer import Indexer

ROOT = Path(__file__).resolve().parents[2]
STAGES = stages((ROOT / "Dockerfile").read_text())
CONTEXT = Context(ROOT)
SAMPLE: Final[dict[str, str]] = json.loads((ROOT / "secrets.json.sample").read_text())

EVENT: Final = {"uuid": "107b93f3-1eae-5e79-8a18-0a480f8aa3a5", "name": "run", "token": "0123456789abcdef"}


def context(directory: Path, secrets: Mapping[str, str] | None = None) -> Path:
    """The build context, in a new directory, with the pins that `pin` writes for these secrets."""
    names = [name for _, rest in copies() for name in rest.split()[:-1]]
    for name in ("Dockerfile", ".dockerignore", *names):
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, directory / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, directory / name)
    if secrets is not None:
        file = directory / "secrets.json"
        file.write_text(json.dumps(secrets))
        command = ["-m", "pipelinejobs", "pin", "--secrets", str(file), "--config", str(directory / "config.yml")]
        subprocess.run([sys.executable, *command], cwd=ROOT, check=True, capture_output=True)
    return directory


def copies() -> list[tuple[str, str]]:
    """Every COPY, with the stage that it is in."""
    return [(stage.name, rest) for stage in STAGES.values() for rest in stage.all("COPY")]


def run(
    image: Image,
    environment: Mapping[str, str],
    *command: str,
    mounts: Sequence[Mount] = (),
    user: str | None = None,
) -> Execution:
    """Runs the image, by default its own command, with this environment over the image's and nothing on stdin."""
    process = subprocess.Popen(
        image.container(*command, mounts=mounts, user=user),
        env={**image.environment, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    return finished(process)


@pytest.mark.promise("S23")
class TestDockerfile:
    """Holds for what was not built yet."""

    def test_base_is_slim_and_new_enough(self) -> None:
        (base,) = {stage.base for stage in STAGES.values()} - STAGES.keys()
        version = re.fullmatch(r"python:3\.(\d+)-slim", base)
        assert version is not None
        assert int(version[1]) >= 11

    @pytest.mark.parametrize("name", ["actor", "gateway"])
    def test_the_process_is_not_root_and_nothing_is_done_after_that_was_said(self, name: str) -> None:
        names = [word for word, _ in STAGES[name].instructions]
        (user,) = STAGES[name].all("USER")
        assert re.fullmatch(r"[1-9]\d*", user), "a platform that lets no root in sees by the number alone who is none"
        assert names.index("USER") > max(place for place, word in enumerate(names) if word in ("RUN", "COPY"))

    def test_the_actor_is_what_a_build_without_a_target_makes(self) -> None:
        assert list(STAGES)[-1] == "actor"

    @pytest.mark.parametrize("name", ["actor", "gateway"])
    def test_starts_isolated_from_the_callers_variables(self, name: str) -> None:
        (command,) = STAGES[name].all("CMD")
        assert json.loads(command)[:2] == ["python", "-Es"]
        assert STAGES[name].all("ENTRYPOINT") == []

    def test_installs_what_is_locked_and_nothing_else(self) -> None:
        lines = [line for stage in STAGES.values() for line in stage.all("RUN") if "pip " in line]
        options = "pip install --no-cache-dir --require-hashes -r"
        assert lines == [f"{options} requirements.lock", f"{options} requirements-gateway.lock"]

    def test_holds_no_secret(self) -> None:
        assert not [rest for stage in STAGES.values() for rest in stage.all("ENV")]
        assert not [name for name in ("secrets.json", "secrets.json.sample") if not CONTEXT.ignored(name)]

    @pytest.mark.parametrize(
        "line", ["ADD x y", "COPY --from=base x y", "RUN --mount=type=secret x", "HEALTHCHECK NONE", "FROM python"]
    )
    def test_what_these_tests_cannot_carry_out_is_not_passed_over(self, line: str) -> None:
        with pytest.raises(NotUnderstood):
            stages(f"FROM python:3.11-slim AS base\n{line}\n")


LEFT_OUT = [
    ".git/config",
    ".mongodb/port",
    ".venv/bin/python",
    "Makefile",
    "README.rst",
    "tools/demo/abaco.py",
    "deploy/compose.yaml",
    "deploy/secrets/secrets.json",
    "fsm/__pycache__/machine.cpython-311.pyc",
    "pipelinejobs/__pycache__/job.cpython-311.pyc",
    "secrets.json",
    "tests/conftest.py",
]
SENT = ["reactor.py", "config.yml", "message.jsonschema", "fsm/machine.py", "pipelinejobs/cli/main.py"]


class TestContext:
    @pytest.mark.parametrize("path", LEFT_OUT)
    def test_is_left_out(self, path: str) -> None:
        assert CONTEXT.ignored(path)

    @pytest.mark.parametrize("path", SENT)
    def test_is_sent(self, path: str) -> None:
        assert not CONTEXT.ignored(path)


class TestActor:
    """The image that Abaco runs."""

    def test_nothing_unneeded_is_in_it(self) -> None:
        listed = run(build(), {}, "find", "/actor", "-not", "-path", "*/__pycache__*").stdout.split()
        tops = {Path(path).relative_to("/actor").parts[:1] for path in listed}
        wanted = {"requirements.lock", "reactor.py", "config.yml", "message.jsonschema", "fsm", "pipelinejobs"}
        assert {part for parts in tops for part in parts} == wanted

    def test_it_is_compiled(self) -> None:
        assert run(build(), {}, "find", "/actor/pipelinejobs", "-name", "*.pyc").stdout.count(".pyc") > 50

    def test_its_libraries_fit_together(self) -> None:
        done = run(build(), {}, "python", "-m", "pip", "check")
        assert done.exit_code == 0, done.stdout

    def test_without_pins_it_takes_no_event(self) -> None:
        done = run(build(), Abaco(environment=SAMPLE).variables(EVENT, {}))
        assert done.exit_code == 78
        assert "has no pin" in done.verdict["reason"]

    def test_with_pins_it_takes_what_they_name(self, tmp_path: Path) -> None:
        image = build(root=context(tmp_path, SAMPLE))
        ignored = {"PYTHONPATH": "/nowhere", "PYTHONINSPECT": "1"}
        done = run(image, Abaco(environment=SAMPLE).variables("nonsense", ignored))
        assert (done.exit_code, done.verdict["verdict"]) == (65, "malformed"), done
        taken_over = {**ignored, "_REACTOR_MONGODB_DATABASE": "another"}
        done = run(image, Abaco(environment=SAMPLE).variables(EVENT, taken_over))
        assert (done.exit_code, done.verdict["verdict"]) == (78, "unavailable")
        assert "mongodb.database" in done.verdict["reason"]

    def test_every_user_may_run_it_however_the_checkout_was_made(self, tmp_path: Path) -> None:
        root = context(tmp_path, SAMPLE)
        for path in root.rglob("*"):
            path.chmod(0o700 if path.is_dir() else 0o600)  # as a strict umask leaves it
        done = run(build(root=root), Abaco(environment=SAMPLE).variables("nonsense", {}), user="4711:4711")
        assert (done.exit_code, done.verdict["verdict"]) == (65, "malformed"), done

    def test_the_secrets_file_of_the_gateway_is_nothing_to_it(self, tmp_path: Path) -> None:
        """A sender of messages could name another file."""
        image = build(root=context(tmp_path, SAMPLE))
        named = {"PIPELINEJOBS_SECRETS": "/nowhere"}
        assert run(image, Abaco(environment=SAMPLE).variables("nonsense", named)).exit_code == 65

    @pytest.mark.promise("S23")
    def test_a_message_is_handled_and_nothing_else_is_done(
        self, tmp_path: Path, abaco: CheckedAbaco, job: StoredJob, mongodb_uri: str, indexer: Indexer
    ) -> None:
        """As Abaco runs it, and where nothing can be written: it starts no process, and talks to the database and the
        Indexer alone."""
        image = build(root=context(tmp_path / "context", abaco.environment))
        assert abaco.check(run(image, abaco.variables(job.event("run"), {}))).verdict["verdict"] == "applied"
        seen = tmp_path / "seen"
        seen.mkdir(mode=0o777)
        seen.chmod(0o777)
        python, *options, program = image.command
        done = run(
            image,
            abaco.variables(job.event("finish"), {}),
            *(python, *options, "-c", WATCHED, "/run/seen/done", program),
            mounts=[Mount(seen, "/run/seen", writable=True)],
        )
        assert abaco.check(done).exit_code == 0
        assert job.names == ["create", "run", "finish"]
        assert len(indexer.received) == 1
        told = [line.split(" ", 1) for line in (seen / "done").read_text().splitlines()]
        ports = {urlsplit(url).port for url in (mongodb_uri, indexer.url)}
        assert {where for what, where in told if what == "socket.connect"} == {f"127.0.0.1:{port}" for port in ports}
        assert [what for what in told if what[0] != "socket.connect"] == []


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


class TestGateway:
    """The image of the resident service; that it serves is tested in test_compose."""

    def test_every_module_can_be_imported(self) -> None:
        """The whole of the package, with nothing of the project but what is in the image."""
        modules = [
            ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            for top in ("fsm", "pipelinejobs")
            for path in (ROOT / top).rglob("*.py")
            if path.name != "__main__.py"
        ]
        script = "\n".join(f"import {name}" for name in modules)
        done = run(build("gateway"), {}, "python", "-Es", "-c", f"import sys; sys.path.insert(0, '/actor')\n{script}")
        assert done.exit_code == 0, done.stderr

    def test_its_libraries_fit_together(self) -> None:
        done = run(build("gateway"), {}, "python", "-m", "pip", "check")
        assert done.exit_code == 0, done.stdout

    def test_operators_commands_run_in_it(self) -> None:
        done = run(build("gateway"), {}, "python", "-m", "pipelinejobs", "--help")
        assert done.exit_code == 0, done.stderr


@pytest.mark.promise("S23")
class TestRequirements:
    @pytest.mark.parametrize("name", ["requirements.txt", "requirements-gateway.txt"])
    def test_are_ranges_of_the_package_index(self, name: str) -> None:
        """Each has a least version, and nothing comes from an address or another index."""
        lines = [line.partition("#")[0].strip() for line in (ROOT / name).read_text().splitlines()]
        wanted = [line for line in lines if line and line != "-r requirements.txt"]
        assert wanted
        assert not [line for line in wanted if not re.fullmatch(r"[A-Za-z0-9._-]+>=[0-9.]+(,<[0-9.]+)?", line)]

    def test_what_the_actor_runs_has_a_highest_version_too(self) -> None:
        wanted = [line.split()[0] for line in (ROOT / "requirements.txt").read_text().splitlines() if line[0] != "#"]
        assert not [line for line in wanted if ",<" not in line]


def test_it_runs_with_what_is_installed_here_where_nothing_can_be_written(
    abaco: CheckedAbaco, new_job: NewJob, indexer: Indexer
) -> None:
    """The checkout itself, with the newest libraries that the ranges allow, as with `docker run --read-only`."""
    script = 'mount -o remount,bind,ro / && shift && exec "$@"'
    command = ["unshare", "--mount", "sh", "-ec", script, "sh", "--"]
    if shutil.which("unshare") is None or subprocess.run([*command, "true"], check=False).returncode:
        pytest.skip("this machine does not allow read-only mounts")
    job = new_job()
    for name in ("run", "finish"):
        process: Any = subprocess.Popen(
            [*command, sys.executable, "-Es", str(ROOT / "reactor.py")],
            env=abaco.variables(job.event(name), {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert abaco.check(finished(process)).exit_code == 0
    assert job.names == ["create", "run", "finish"]
    assert len(indexer.received) == 1


def test_the_samples_names_are_settings() -> None:
    from pipelinejobs import settings

    assert SAMPLE.keys() <= {setting.variable for setting in settings.TABLE.values()}
    assert settings.load(SAMPLE).mongodb.connection() is not None
