"""deploy/compose.yaml: what it says is done without a Docker engine, and an event goes through it.

How that is done, and what stands for what, is said in `support.compose`.
"""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from pipelinejobs.settings import LimitsSection
from support.compose import read
from support.operators import operating

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "deploy" / "compose.yaml"
Client = MongoClient[dict[str, Any]]
REFUSED = r"not authorized|requires authentication"


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
                assert int(service["stop_grace_period"].rstrip("s")) > 2 * LimitsSection().drain, name

    def test_the_servers_data_have_names(self) -> None:
        volumes = [self.said["services"][f"mongodb{number}"]["volumes"] for number in (1, 2, 3)]
        assert volumes == [[f"mongodb{number}:/data/db"] for number in (1, 2, 3)]

    def test_docker_compose_reads_it(self) -> None:
        command = ["docker", "compose"]
        if shutil.which("docker") is None or subprocess.run([*command, "version"], capture_output=True).returncode:
            pytest.skip("there is no Docker Compose here")
        done = subprocess.run([*command, "-f", str(FILE), "config", "-q"], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_it_serves_is_locked_and_can_be_started_again(tmp_path: Path) -> None:
    with operating(tmp_path) as operator:
        compose = operator.compose
        compose.up()
        job = operator.told("create", "--pipeline-name", "demo", "--data", '{"sample": 1}')
        assert operator.sent(job, "run", "first") == "applied"
        assert operator.told("show", job["uuid"])["state"] == "RUNNING"

        # The first step, done again, changes nothing.
        said = compose.run("initiate", "python", "-Es", "/run/initiate.py")
        assert said == "done: the replica set and its users are complete\n"

        # Who has no password gets nothing from MongoDB; the gateway's user gets its own database alone.
        uri = json.loads((operator.secrets / "secrets.json").read_text())["_REACTOR_MONGODB_URI"]
        login = uri.partition("://")[2].partition("@")[0]
        assert login.partition(":")[2] not in str(compose.environment("gateway"))
        with compose.networks.inside("inside"):
            host = compose.networks.address("mongodb1", "inside")
            for who, database in (("", "catalog_staging"), (f"{login}@", "other")):
                address = f"mongodb://{who}{host}/?directConnection=true&authSource=admin"
                with Client(address, timeoutMS=10_000) as client, pytest.raises(OperationFailure, match=REFUSED):
                    list(client[database]["jobs"].find())
        with compose.networks.inside("outside"), Client(host, timeoutMS=1000) as client, pytest.raises(PyMongoError):
            client.admin.command("ping")

        # The password of MongoDB is changed by another user; the old one is gone in the end.
        secrets = operator.secrets / "secrets.json"
        secrets.write_text(secrets.read_text().replace("pipelinejobs-1:", "pipelinejobs-2:another-"))
        command = ("python", "-Es", "/run/initiate.py")
        said = compose.run("initiate", *command)
        assert "created the user pipelinejobs-2\n" in said
        assert "the user pipelinejobs-1 is no longer in the connection string" in said
        assert compose.stop("gateway") == [0]
        compose.up("gateway")
        assert "dropped the user pipelinejobs-1\n" in compose.run("initiate", *command, "--drop-others")
        assert operator.sent(job, "update", "second") == "applied"

        # A server is lost, the gateway is ended, and everything is started again: nothing of it is lost.
        compose.kill("mongodb1")
        assert operator.sent(job, "update", "third") == "applied"
        assert compose.stop("gateway") == [0]
        assert compose.stop("mongodb2", "mongodb3") == [0, 0]
        compose.up()
        names = [entry["name"] for entry in operator.told("history", job["uuid"])]
        assert names == ["create", "run", "update", "update"]
