"""agavepy itself, unmodified, over TLS: the client that users of Abaco have."""

import json
import os
import secrets
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pymongo.database import Database

from pipelinejobs.util.errors import WrongSetting
from support.gateway import ACTOR, ALIAS, TOKENS, Gateway, serving, settings
from support.process import StoredJob, insert_job
from support.tls import Certificate, make

pytest.importorskip("agavepy")

CALLS = """
import json, sys, warnings
warnings.simplefilter("ignore")
from agavepy.agave import Agave
given = json.loads(sys.stdin.read())
ag = Agave(api_server=given["server"], verify=given["certificate"], **given["credential"])
told = []
for name, arguments in given["calls"]:
    for key, value in arguments.items():
        if isinstance(value, dict) and "$told" in value:
            arguments[key] = told[value["$told"]][value["key"]]
    try:
        told.append(getattr(ag.actors, name)(**arguments))
    except Exception as error:
        response = getattr(error, "response", None)
        told.append({"error": type(error).__name__, "status": getattr(response, "status_code", None)})
print(json.dumps(told, default=str))
"""


@pytest.fixture
def host() -> str:
    """An address of this machine that no other test listens at: agavepy wants port 443."""
    return "127." + ".".join(str(1 + secrets.randbelow(250)) for _ in range(3))


@pytest.fixture
def certificate(tmp_path: Path, host: str) -> Certificate:
    return make(tmp_path, host)


@pytest.fixture
def gateway(mongodb_uri: str, database: Database[Any], host: str, certificate: Certificate) -> Iterator[Gateway]:
    configured = settings(
        mongodb_uri,
        database.name,
        gateway__host=host,
        gateway__port="443",
        gateway__tls_certificate=str(certificate.certificate),
        gateway__tls_key=str(certificate.key),
    )
    try:
        with serving(configured) as running:
            yield running
    except WrongSetting as error:
        if "may not be used" not in error.reason:
            raise
        pytest.skip("this user may not listen at port 443, which is the only one that agavepy sends a token to")


@pytest.fixture
def job(jobs: Any) -> StoredJob:
    return insert_job(jobs)


def agavepy(
    gateway: Gateway, certificate: Certificate, tmp_path: Path, credential: dict[str, Any], *calls: tuple[str, Any]
) -> list[Any]:
    """What agavepy's calls return, one after the other."""
    given = {
        "server": gateway.url.removesuffix(":443"),
        "certificate": str(certificate.certificate),
        "credential": credential,
        "calls": calls,
    }
    done = subprocess.run(
        [sys.executable, "-c", CALLS],
        input=json.dumps(given),
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "AGAVE_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told: list[Any] = json.loads(done.stdout)
    return told


def after(index: int, key: str) -> dict[str, Any]:
    """A value out of the result of an earlier call."""
    return {"$told": index, "key": key}


def test_everything_that_the_sdk_does_with_an_actor(
    gateway: Gateway, certificate: Certificate, tmp_path: Path, job: StoredJob
) -> None:
    actor = {"actorId": ALIAS}
    told = agavepy(
        gateway,
        certificate,
        tmp_path,
        {"token": TOKENS["UPDATE"]},
        ("sendMessage", {**actor, "body": {"message": job.event("run")}, "environment": {"x_session": "s"}}),
        ("sendMessage", {**actor, "body": {"message": {"n": 1}}, "environment": job.url("update", note="t k")}),
        ("getMessages", actor),
        ("addNonce", {**actor, "body": {"level": "EXECUTE", "maxUses": 3}}),
        ("listNonces", actor),
        ("getNonce", {**actor, "nonceId": after(3, "id")}),
        ("deleteNonce", {**actor, "nonceId": after(3, "id")}),
        ("listNonces", actor),
        ("listExecutions", actor),
        ("getExecution", {**actor, "executionId": after(0, "executionId")}),
        ("getExecutionLogs", {**actor, "executionId": after(1, "executionId")}),
        ("sendMessage", {**actor, "body": {"message": job.event("validate")}}),
    )
    sent, updated, messages, nonce, listed, got, _, none_left, executions, execution, logs, refused = told
    assert (sent["verdict"], sent["job"]["state"]) == ("applied", "RUNNING")
    assert updated["verdict"] == "applied"
    assert job.last["data"] == {"n": 1, "note": "t k"}
    assert messages["messages"] == 0
    assert (nonce["maxUses"], nonce["actorId"]) == (3, ACTOR)
    assert [one["remainingUses"] for one in listed] == [3]
    assert got["id"] == listed[0]["id"]
    assert none_left == []
    assert [one["id"] for one in executions["executions"]] == [updated["executionId"], sent["executionId"]]
    assert execution["exitCode"] == 0
    assert json.loads(logs["logs"])["event"] == "update"
    assert refused["status"] == 409


def test_with_nothing_but_a_nonce(gateway: Gateway, certificate: Certificate, tmp_path: Path, job: StoredJob) -> None:
    path = f"/actors/v2/aliases/{ALIAS}/nonces"
    nonce = made(gateway, path, certificate)
    call = ("sendMessage", {"actorId": ALIAS, "nonce": nonce, "body": {"message": job.event("run")}})
    sent, refused = agavepy(gateway, certificate, tmp_path, {"use_nonce": True}, call, call)
    assert sent["verdict"] == "applied"
    assert refused["status"] == 401


def made(gateway: Gateway, path: str, certificate: Certificate) -> str:
    """A nonce that is good once."""
    trusted = ssl.create_default_context(cafile=str(certificate.certificate))
    headers = {"Authorization": f"Bearer {TOKENS['UPDATE']}"}
    with httpx.Client(base_url=gateway.url, verify=trusted, headers=headers, trust_env=False) as client:
        nonce: str = client.post(path, json={"maxUses": 1}).json()["result"]["id"]
    return nonce
