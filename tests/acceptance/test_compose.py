"""deploy/compose.yaml: what it says is done without a Docker engine, and an event goes through it.

How that is done, and what stands for what, is said in `support_compose`.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from pipelinejobs.settings import Limits
from support_compose import Compose, composed, read
from support_gateway import ALIAS, eventually

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "deploy" / "compose.yaml"
Client = MongoClient[dict[str, Any]]
REFUSED = r"not authorized|requires authentication"
COMMAND = ("python", "-Es", "-m", "pipelinejobs")


class TestFile:
    """What can be seen without running it."""

    said = read(FILE)

    def test_the_gateway_alone_is_published_and_to_this_machine_alone(self) -> None:
        published = {name: service["ports"] for name, service in self.said["services"].items() if "ports" in service}
        assert published == {"gateway": ["127.0.0.1:8080:8080"]}

    def test_mongodb_is_reached_from_inside_alone(self) -> None:
        assert self.said["networks"]["inside"]["internal"] is True
        for name in ("mongodb1", "mongodb2", "mongodb3"):
            assert self.said["services"][name]["networks"] == ["inside"]

    def test_everything_is_ended_in_order(self) -> None:
        for name, service in self.said["services"].items():
            if service["restart"] != "no":
                assert int(service["stop_grace_period"].rstrip("s")) > 2 * Limits().drain, name

    def test_the_servers_data_have_names(self) -> None:
        volumes = [self.said["services"][f"mongodb{number}"]["volumes"] for number in (1, 2, 3)]
        assert volumes == [[f"mongodb{number}:/data/db"] for number in (1, 2, 3)]

    def test_docker_compose_reads_it(self) -> None:
        command = ["docker", "compose"]
        if shutil.which("docker") is None or subprocess.run([*command, "version"], capture_output=True).returncode:
            pytest.skip("there is no Docker Compose here")
        done = subprocess.run([*command, "-f", str(FILE), "config", "-q"], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """The secrets as an operator makes them."""
    command = [sys.executable, str(ROOT / "deploy" / "make_secrets.py"), str(tmp_path / "secrets")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.count("is made") == 3
    assert "is made" not in subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return tmp_path / "secrets"


@pytest.fixture
def compose(tmp_path: Path, secrets: Path) -> Iterator[Compose]:
    with composed(FILE, tmp_path, secrets) as made:
        yield made


def change(secrets: Path, **settings: str) -> None:
    """Writes settings into secrets.json."""
    file = secrets / "secrets.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | settings))


def told(compose: Compose, *command: str) -> Any:
    """What an operator's command in the gateway's container says."""
    return json.loads(compose.run("gateway", *COMMAND, *command, "--json"))


def post(compose: Compose, body: Any, bearer: str) -> httpx.Response:
    """Sends a message from outside, until it is answered otherwise than with 503."""
    url = f"http://{compose.networks.address('gateway', 'outside')}:8080/actors/v2/{ALIAS}/messages"
    headers = {"Authorization": f"Bearer {bearer}"}

    def answered() -> httpx.Response | None:
        answer = httpx.post(url, json=body, headers=headers, timeout=30, trust_env=False)
        return None if answer.status_code == 503 else answer

    with compose.networks.inside("outside"):
        answer: httpx.Response = eventually(answered, 60)
    return answer


def test_it_serves_is_locked_and_can_be_started_again(compose: Compose, secrets: Path) -> None:
    bearer = told(compose, "bearer", "jdoe", "--right", "UPDATE")
    change(secrets, _REACTOR_GATEWAY_TOKENS=bearer["setting"])
    compose.up()

    job = told(compose, "create", "--pipeline-name", "demo", "--data", '{"sample": 1}')
    event = {"uuid": job["uuid"], "name": "run", "token": job["token"]}
    assert post(compose, event, bearer["token"]).json()["result"]["verdict"] == "applied"
    assert told(compose, "show", job["uuid"])["state"] == "RUNNING"

    # The first step, done again, changes nothing.
    assert compose.run("initiate", "python", "-Es", "/run/initiate.py") == "all is as it should be\n"

    # Who has no password gets nothing from MongoDB; the gateway's user gets its own database alone.
    uri = json.loads((secrets / "secrets.json").read_text())["_REACTOR_MONGODB_URI"]
    hidden = uri.partition("://")[2].partition("@")[0]
    assert hidden.partition(":")[2] not in str(compose.environment("gateway"))
    with compose.networks.inside("inside"):
        host = compose.networks.address("mongodb1", "inside")
        for login, database in (("", "catalog_staging"), (f"{hidden}@", "other")):
            address = f"mongodb://{login}{host}/?directConnection=true&authSource=admin"
            with Client(address, timeoutMS=10_000) as client, pytest.raises(OperationFailure, match=REFUSED):
                list(client[database]["jobs"].find())
    with compose.networks.inside("outside"), Client(host, timeoutMS=1000) as client, pytest.raises(PyMongoError):
        client.admin.command("ping")

    # A server is lost, the gateway is ended, and everything is started again: nothing of it is lost.
    compose.kill("mongodb1")
    event = {"uuid": job["uuid"], "name": "update", "token": job["token"], "data": {"without": "mongodb1"}}
    assert post(compose, event, bearer["token"]).json()["result"]["verdict"] == "applied"
    assert compose.stop("gateway") == [0]
    assert compose.stop("mongodb2", "mongodb3") == [0, 0]
    compose.up()
    assert [entry["name"] for entry in told(compose, "history", job["uuid"])] == ["create", "run", "update"]
