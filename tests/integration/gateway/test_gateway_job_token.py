"""Reading a job with its own token, beside a credential that may deliver: that job, and no other."""

from collections.abc import Callable
from typing import Any, Final

import pytest
from pymongo.database import Database

from pipelinejobs.core import tokens
from pipelinejobs.core.tokens import token_hash
from support import datacatalog
from support.canaries import plant
from support.gateway import ALIAS, Gateway, serving, settings
from support.process import StoredJob, admin_token

pytestmark = pytest.mark.promise("P9")

UNKNOWN: Final = "107b93f3-1eae-5e79-8a18-ffffffffffff"
HEADER: Final = "X-Job-Token"
WRONG: Final = "0123456789abcdef"
PATHS: Final = ("/jobs/{}", "/jobs/{}/history", "/jobs/{}/explain", "/jobs/{}?until=FINISHED")


def ask(
    gateway: Gateway, path: str, shown: Any = None, permission: str = "EXECUTE", **parameters: str
) -> tuple[int, Any]:
    headers = {} if shown is None else {HEADER: shown}
    answer = gateway.ask("GET", path, permission, headers=headers, params=parameters or None)
    return answer.status_code, answer.json()


@pytest.mark.parametrize("path", PATHS)
def test_it_reads_its_job_alone(gateway: Gateway, new_job: Callable[[], StoredJob], path: str) -> None:
    job, other = new_job(), new_job()
    status, answer = ask(gateway, path.format(job.uuid), job.token)
    assert (status, answer["result"]["uuid"]) == (200, job.uuid)
    refused = ask(gateway, path.format(other.uuid), job.token)
    assert (refused[0], refused[1]["message"]) == (404, "not found: no such job")
    assert refused == ask(gateway, path.format(UNKNOWN), job.token), "an unknown job and a wrong token look alike"


def test_as_in_a_callback_url(gateway: Gateway, job: StoredJob) -> None:
    """The nonce and the token of a callback URL are enough."""
    nonce = gateway.ask("POST", f"/actors/v2/{ALIAS}/nonces", "UPDATE", json={"level": "EXECUTE", "maxUses": 2})
    secret = nonce.json()["result"]["id"]
    for token, status in ((job.token, 200), (WRONG, 404)):
        answer = gateway.ask("GET", f"/jobs/{job.uuid}", None, params={"x-nonce": secret, "token": token})
        assert answer.status_code == status, answer.text


def test_it_is_no_credential_by_itself(gateway: Gateway, job: StoredJob) -> None:
    assert gateway.ask("GET", f"/jobs/{job.uuid}", None, headers={HEADER: job.token}).status_code == 401
    assert gateway.ask("GET", f"/jobs/{job.uuid}", None, params={"token": job.token}).status_code == 401


def test_the_header_is_preferred(gateway: Gateway, job: StoredJob) -> None:
    assert ask(gateway, f"/jobs/{job.uuid}", job.token, token=WRONG)[0] == 200
    assert ask(gateway, f"/jobs/{job.uuid}", WRONG, token=job.token)[0] == 404
    assert ask(gateway, f"/jobs/{job.uuid}", "", token=job.token)[0] == 200


@pytest.mark.parametrize("permission", ["READ", "EXECUTE", "UPDATE"])
def test_a_reader_needs_none_as_before(gateway: Gateway, job: StoredJob, permission: str) -> None:
    assert ask(gateway, f"/jobs/{job.uuid}", None, permission)[0] == 200
    assert ask(gateway, f"/jobs/{job.uuid}", "", permission)[0] == 200


@pytest.mark.parametrize(
    "hostile",
    [
        "x" * 20_000,
        "\xff\xfe".encode("latin-1"),
        "' || true",
        '{"$ne": null}',
        "${TOKEN}",
        "None",
        WRONG.upper(),
        f"{WRONG},{WRONG}",
    ],
)
def test_whatever_is_shown_as_a_token(gateway: Gateway, job: StoredJob, hostile: Any) -> None:
    assert ask(gateway, f"/jobs/{job.uuid}", hostile)[0] == 404
    path = f"/jobs/{job.uuid}"
    answer = gateway.ask("GET", path, "EXECUTE", params={"token": hostile})
    assert answer.status_code == 404
    assert gateway.ask("GET", f"{path}?token=%ED%B3%BF%00%ff", "EXECUTE").status_code == 404


def test_an_administrative_token_is_enough(mongodb_uri: str, database: Database[Any], job: StoredJob) -> None:
    with serving(settings(mongodb_uri, database.name)) as gateway:
        token = admin_token()
        plant(token)
        assert ask(gateway, f"/jobs/{job.uuid}", token)[0] == 200
        assert ask(gateway, f"/jobs/{UNKNOWN}", token)[0] == 404


def test_a_former_token_of_the_job(gateway: Gateway, job: StoredJob) -> None:
    """A program that makes the salt new at each of its events makes no token invalid."""
    gateway.post(job.event("run"))
    newer = datacatalog.writes(job, "update")
    plant(newer)
    for token in (job.token, newer):
        assert ask(gateway, f"/jobs/{job.uuid}", token)[0] == 200


def test_a_token_of_first_use_counts_once_it_is_trusted(gateway: Gateway, job: StoredJob) -> None:
    """Reading with it is no use: only an event that it was sent with makes it trusted, for its sender."""
    datacatalog.writes(job, "run")
    datacatalog.writes(job, "update")
    job.jobs.update_one({"uuid": job.uuid}, {"$unset": {"_tokens": 1}})
    job.jobs.update_one({"uuid": job.uuid}, {"$set": {"_first_use": []}})
    shown = "feedfeedfeedfeed"
    plant(shown)
    assert ask(gateway, f"/jobs/{job.uuid}", shown)[0] == 404
    assert gateway.post(job.event("update", {"n": 1}) | {"token": shown}, permission="EXECUTE").status_code == 200
    assert token_hash(job.uuid, shown) in str(job.stored()["_first_use"])
    assert ask(gateway, f"/jobs/{job.uuid}", shown)[0] == 200
    assert ask(gateway, f"/jobs/{job.uuid}", shown, "UPDATE")[0] == 404, "it is trusted for its own sender alone"


def test_it_is_compared_in_constant_time_also_for_an_unknown_job(
    gateway: Gateway, job: StoredJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[int] = []
    same = tokens.same

    def counted(*given: Any) -> bool:
        compared[-1] += 1
        return same(*given)

    monkeypatch.setattr(tokens, "same", counted)
    for uuid in (job.uuid, UNKNOWN):
        compared.append(0)
        assert ask(gateway, f"/jobs/{uuid}", WRONG)[0] == 404
    assert compared[0] == compared[1] > 0


def test_openapi_tells_of_it(gateway: Gateway) -> None:
    paths = gateway.client.get("/openapi.json").json()["paths"]
    for path in ("/jobs/{uuid}", "/jobs/{uuid}/history", "/jobs/{uuid}/explain"):
        named = {(one["in"], one["name"]) for one in paths[path]["get"]["parameters"]}
        assert {("header", HEADER), ("query", "token")} <= named
    assert not {("header", HEADER), ("query", "token")} & {
        (one["in"], one["name"]) for one in paths["/jobs"]["get"]["parameters"]
    }
    waiting = {(one["in"], one["name"]) for one in paths["/jobs/{uuid}"]["get"]["parameters"]}
    assert {("query", "until"), ("query", "wait"), ("query", "revision"), ("header", "prefer")} <= waiting
