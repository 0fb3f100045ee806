"""The units in deploy/: systemd reads them as they are meant, and what they say starts a gateway that serves."""

import configparser
import json
import shlex
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from pymongo.database import Database

from pipelinejobs.core.verdict import EXIT_WRONG_SETTING
from pipelinejobs.settings import LimitsSection
from support.gateway import ALIAS, TOKENS, grants
from support.process import StoredJob, insert_job
from support.supervised import Supervised, supervised
from support.tls import make

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
SERVICE: Final = "pipelinejobs-gateway.service"
SOCKET: Final = "pipelinejobs-gateway.socket"
EXPOSURE: Final = 2.0
"""What `systemd-analyze security` may find at the most, of 10."""


class Unit(configparser.RawConfigParser):
    """A unit file; a key that is there more than once keeps all its values, in lines."""

    def __init__(self, *files: Path) -> None:
        super().__init__(strict=False, delimiters=("=",), comment_prefixes=("#",))
        self.lines = [line for file in files for line in file.read_text().splitlines()]
        for file in files:
            self.read(file)

    def optionxform(self, optionstr: str) -> str:
        return optionstr

    def all(self, key: str) -> list[str]:
        return [line.partition("=")[2] for line in self.lines if line.startswith(f"{key}=")]


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The units as they are installed, but that the programs they start are here."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd-analyze here: apt-get install systemd")
    place = tmp_path / "units"
    (place / f"{SERVICE}.d").mkdir(parents=True)
    shutil.copy(DEPLOY / SOCKET, place)
    shutil.copy(DEPLOY / "pipelinejobs-gateway-tls.conf", place / f"{SERVICE}.d" / "tls.conf")
    text = (DEPLOY / SERVICE).read_text()
    (place / SERVICE).write_text(text.replace("/opt/pipelinejobs/.venv/bin/python", "/bin/true"))
    return place


def analyze(*arguments: str) -> str:
    """The output of systemd-analyze, which must report no problem."""
    done = subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_systemd_understands_every_line(installed: Path) -> None:
    assert analyze("verify", "--man=no", str(installed / SERVICE), str(installed / SOCKET)).strip() == ""


def test_it_may_do_little(installed: Path) -> None:
    said = analyze(
        "security", "--offline=true", "--no-pager", f"--threshold={EXPOSURE * 10:.0f}", str(installed / SERVICE)
    )
    assert "Overall exposure level" in said


class TestUnit:
    def test_it_is_given_time_to_end(self) -> None:
        seconds = int(Unit(DEPLOY / SERVICE)["Service"]["TimeoutStopSec"])
        assert seconds > 2 * LimitsSection().drain, "requests are finished, then what is owed, each within limits.drain"

    def test_a_wrong_setting_does_not_start_it_again(self) -> None:
        assert Unit(DEPLOY / SERVICE)["Service"]["RestartPreventExitStatus"] == str(EXIT_WRONG_SETTING)

    def test_no_secret_is_in_the_environment(self) -> None:
        assert Unit(DEPLOY / SERVICE).all("Environment") == ["PIPELINEJOBS_SECRETS=%d/secrets.json"]


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Supervised]:
    with supervised(tmp_path) as one:
        yield one


def started(
    gateway: Supervised,
    directory: Path,
    secrets: dict[str, str],
    *files: Path,
    credentials: dict[str, bytes] | None = None,
) -> None:
    """Starts the unit as systemd does: credentials, environment, socket, and the command."""
    unit = Unit(DEPLOY / SERVICE, *files)
    place = directory / "credentials"
    place.mkdir(exist_ok=True)
    given = {"secrets.json": json.dumps(secrets).encode(), **(credentials or {})}
    for line in unit.all("LoadCredential"):
        name = line.partition(":")[0]
        (place / name).write_bytes(given[name])
    environment = {}
    for line in unit.all("Environment"):
        name, _, value = line.replace("%d", str(place)).partition("=")
        environment[name] = value
    program, *arguments = shlex.split(unit["Service"]["ExecStart"])
    assert program.endswith("/.venv/bin/python")
    gateway.start([sys.executable, "-c", LESS, sys.executable, *arguments], environment, ROOT)


LESS = """
import ctypes, os, sys
libc = ctypes.CDLL(None)
libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
libc.prctl(65, 1, 0, 0, 0)  # PR_SET_MDWE, where the kernel knows it
os.execv(sys.argv[1], sys.argv[1:])
"""
"""Starts a program with what NoNewPrivileges and MemoryDenyWriteExecute leave to it."""


@pytest.mark.parametrize("processes", ["1", "2"])
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_what_the_unit_says_serves_and_ends_in_order(
    tmp_path: Path,
    gateway: Supervised,
    mongodb_uri: str,
    database: Database[dict[str, Any]],
    processes: str,
    *,
    tls: bool,
) -> None:
    job: StoredJob = insert_job(database["jobs"])
    secrets = {
        "_REACTOR_MONGODB_URI": mongodb_uri,
        "_REACTOR_MONGODB_DATABASE": database.name,
        "_REACTOR_GATEWAY_TOKENS": grants(),
        "_REACTOR_GATEWAY_PROCESSES": processes,
    }
    made = make(tmp_path, "127.0.0.1")
    files = {"certificate.pem": made.certificate.read_bytes(), "key.pem": made.key.read_bytes()}
    started(gateway, tmp_path, secrets, *([DEPLOY / "pipelinejobs-gateway-tls.conf"] if tls else []), credentials=files)
    url = f"{'https' if tls else 'http'}://127.0.0.1:{gateway.port}/actors/v2/{ALIAS}/messages"
    headers = {"Authorization": f"Bearer {TOKENS['EXECUTE']}"}
    trusted = ssl.create_default_context(cafile=made.certificate)
    for _ in range(6):  # over connections of their own, so that each process has its share
        answer = httpx.post(url, json=job.event("run"), headers=headers, verify=trusted, timeout=30, trust_env=False)
        assert answer.json()["result"]["verdict"] == "applied"
    assert gateway.stop() == 0
    assert job.state == "RUNNING"
