"""If a library is not installed, the error is one sentence and not a traceback."""

import importlib.metadata
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pipelinejobs.cli.main import COMMANDS
from support.process import CheckedAbaco, StoredJob
from support.served import ROOT

MESSAGE = '{"uuid": "10705490-39f3-573e-b1c2-f489079930da", "name": "run", "token": "0000000000000000"}'


def without_libraries(*arguments: str, **environment: str) -> Any:
    """The output of a Python without installed libraries: `-S` hides them."""
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


COMMAND_LINES: Final[dict[str, tuple[str, ...]]] = {
    "create": ("create", "--pipeline-name", "sample"),
    "send": ("send", "{job}", "run", "--token", "{token}"),
    "show": ("show", "{job}"),
    "history": ("history", "{job}"),
    "explain": ("explain", "{job}"),
    "jobs": ("jobs",),
    "drain": ("drain",),
    "serve": ("serve", "--port", "0"),
    "nonce add": ("nonce", "add"),
    "nonce list": ("nonce", "list"),
    "nonce delete": ("nonce", "delete", "SD2E_canaryNonce42"),
    "bearer-token": ("bearer-token", "jdoe"),
    "admin-token": ("admin-token",),
    "pin": ("pin", "--secrets", "{directory}/secrets.json", "--config", "{directory}/config.yml"),
    "diagram": ("diagram",),
    "doctor": ("doctor",),
    "reconcile": ("reconcile",),
    "wait": ("wait", "{job}", "--until", "CREATED"),
    "mongod": ("mongod", "status"),
}
"""A command line for each command, which does something where all is installed."""

NEED_MORE: Final = {"serve", "nonce add", "nonce list", "nonce delete", "pin"}
"""What needs libraries of requirements-gateway.txt: those of the gateway, and ruamel.yaml for `pin`."""

HIDING: Final = """
import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in hidden:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

hidden = set(sys.argv.pop(1).split())
sys.meta_path.insert(0, Hidden())
from pipelinejobs.__main__ import main
sys.exit(main())
"""


def of_requirements_txt() -> set[str]:
    """The distributions that `pip install -r requirements.txt` installs, as far as they are installed here."""
    lines = [line.partition("#")[0].strip() for line in (ROOT / "requirements.txt").read_text().splitlines()]
    wanted, found = [Requirement(line) for line in lines if line], set[str]()
    while wanted:
        one = wanted.pop()
        name = canonicalize_name(one.name)
        if name in found or (one.marker is not None and not one.marker.evaluate({"extra": ""})):
            continue
        found.add(name)
        try:
            wanted += map(Requirement, importlib.metadata.requires(name) or ())
        except importlib.metadata.PackageNotFoundError:
            continue  # of another platform, or one that pip was told to leave out
    return found


@pytest.fixture(scope="module")
def hidden() -> str:
    """The modules that there are not where requirements.txt alone is installed."""
    kept = of_requirements_txt()
    distributions = importlib.metadata.packages_distributions()
    names = {name for name, of in distributions.items() if not kept & set(map(canonicalize_name, of))}
    assert {"hashids", "fastapi", "rich"} <= names
    assert not {"pymongo", "yaml", "agavepy"} & names
    return " ".join(names)


def test_every_command_is_tried() -> None:
    assert {name.partition(" ")[0] for name in COMMAND_LINES} == set(COMMANDS)


@pytest.mark.parametrize("name", COMMAND_LINES)
def test_without_the_gateways_libraries(
    name: str, hidden: str, job: StoredJob, abaco: CheckedAbaco, tmp_path: Path
) -> None:
    shutil.copy(ROOT / "config.yml", tmp_path)
    (tmp_path / "secrets.json").write_text(json.dumps(abaco.environment))
    asked = {"_REACTOR_RECONCILE_AGAVE_SERVER": "http://127.0.0.1:9", "_REACTOR_RECONCILE_AGAVE_TOKEN": "no-question"}
    environ = {**abaco.environment, **asked, "PATH": "/usr/bin:/bin"}
    given = {"job": job.uuid, "token": job.token, "directory": tmp_path}
    arguments = [part.format(**given) for part in COMMAND_LINES[name]]
    command = [sys.executable, "-c", HIDING, hidden, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr
    assert "defect" not in done.stderr
    if name in NEED_MORE:
        assert (done.returncode, done.stdout) == (78, "")
        *_, line = done.stderr.splitlines()  # before it there may be the step that this was met in
        assert line.startswith(f"{arguments[0]}: {sys.executable} has no library ")
        assert "`pip install -r requirements-gateway.txt`" in line
    else:
        # doctor may find something, and it is no error that the embedded server does not run
        assert done.returncode in ((0, 1) if name in ("doctor", "mongod") else (0,)), done.stderr
        assert done.stdout
