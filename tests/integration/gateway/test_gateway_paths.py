"""Paths as callers spell them, on the wire: a client library would tidy them up before they are sent."""

import json
from typing import Any

import pytest

from support.gateway import ACTOR, ALIAS, TOKENS, Gateway, raw
from support.process import StoredJob, callback


def asked(gateway: Gateway, method: str, target: str, body: bytes = b"", permission: str | None = "EXECUTE") -> Any:
    """Status and JSON of the answer to a request with this very target."""
    credential = f"Authorization: Bearer {TOKENS[permission]}\r\n" if permission else ""
    head = (
        f"{method} {target} HTTP/1.1\r\nHost: x\r\n{credential}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    answer = raw(gateway.port, head.encode() + body)
    fields, _, content = answer.partition(b"\r\n\r\n")
    assert b"location:" not in fields.lower()
    return int(fields.split()[1]), json.loads(content)


@pytest.mark.parametrize("base", ["/actors/v2", "/v3/actors"])
@pytest.mark.parametrize("name", [ALIAS, ACTOR])
@pytest.mark.parametrize(
    "spelled", ["/{base}/{name}/messages", "{base}/{name}/messages/", "///{base}//{name}///messages////"]
)
def test_a_callback_reaches_its_job_however_the_path_is_spelled(
    gateway: Gateway, job: StoredJob, base: str, name: str, spelled: str
) -> None:
    path = spelled.format(base=base, name=name)
    target = f"{path}?uuid={job.uuid}&token={job.token}&status=RUNNING&note=a//b/"
    status, answer = asked(gateway, "POST", target, json.dumps(callback("agave", "RUNNING")).encode())
    assert (status, answer["result"]["verdict"]) == (200, "applied")
    assert ("metadata" in answer) == (base == "/v3/actors")
    assert job.names == ["create", "run"]
    assert job.last["data"]["appId"]


def test_a_credential_is_asked_for_whatever_the_spelling(gateway: Gateway, job: StoredJob) -> None:
    for path in (f"/actors/v2/{ALIAS}/messages", f"//actors/v2/{ALIAS}/messages/", f"//jobs//{job.uuid}/"):
        method = "GET" if "jobs//" in path else "POST"
        assert asked(gateway, method, path, permission=None)[0] == 401
        assert asked(gateway, method, f"{path}?x-nonce=SD2E_nothing", permission=None)[0] == 401


def test_the_other_routes_too(gateway: Gateway, job: StoredJob) -> None:
    for path in ("//healthz", "/jobs/", f"//jobs//{job.uuid}//explain//", f"//v3//actors/{ALIAS}/messages/"):
        assert asked(gateway, "GET", path, permission="READ")[0] == 200


def test_an_encoded_slash_is_no_separator(gateway: Gateway, job: StoredJob) -> None:
    assert asked(gateway, "GET", f"/jobs/{job.uuid}%2Fexplain", permission="READ")[0] == 400  # no uuid
    assert asked(gateway, "POST", f"/actors/v2%2F{ALIAS}/messages", json.dumps(job.event("run")).encode())[0] == 404
    assert asked(gateway, "POST", f"/actors/v2/{ALIAS}%2fmessages", json.dumps(job.event("run")).encode())[0] == 404
    assert job.names == ["create"]


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        (f"/actors/v2/{ALIAS}/message", f"/actors/v2/{ALIAS}/messages"),
        (f"/v2/actors/{ALIAS}/messages", f"/actors/v2/{ALIAS}/messages"),
        (f"/v3/actor/{ALIAS}/messages", f"/v3/actors/{ALIAS}/messages"),
        (f"//actors/{ALIAS}/messages/", f"/actors/v2/{ALIAS}/messages"),
        ("/actors/v2/jobs-manager.prd/messages", ALIAS),
        ("/health", "/healthz"),
        ("/jobs/107/explian", "/jobs/107/explain"),
    ],
)
def test_a_path_that_is_near_a_real_one_is_answered_with_that_one(gateway: Gateway, path: str, meant: str) -> None:
    status, answer = asked(gateway, "POST", path, b"{}")
    assert (status, answer["status"]) == (404, "error")
    assert answer["message"].endswith(f"; did you mean {meant}?")


def test_so_are_pages(gateway: Gateway) -> None:
    answer = gateway.ask("GET", "/pages/job", "READ")
    assert answer.status_code == 404
    assert "did you mean /pages/jobs?" in answer.text
    assert gateway.ask("GET", "/page/jobs", "READ").json()["message"].endswith("did you mean /pages/jobs?")
    assert gateway.client.get("/pages/sign-in/").status_code == 200
