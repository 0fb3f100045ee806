"""Nonces over HTTP: Abaco's bodies and results, for the actor and for its aliases."""

import re
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.database import Database

from pipelinejobs.gateway.routes import nonce_request
from support.dump import dump
from support.gateway import ACTOR, ALIAS, OTHER_ALIAS, Gateway
from support.process import StoredJob

OF_ACTOR = f"/actors/v2/{ACTOR}/nonces"
OF_ALIAS = f"/actors/v2/aliases/{ALIAS}/nonces"
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
KEYS = [
    "id",
    "level",
    "maxUses",
    "description",
    "owner",
    "roles",
    "apiServer",
    "createTime",
    "lastUseTime",
    "expireTime",
    "currentUses",
    "remainingUses",
    "_links",
]


def made(gateway: Gateway, path: str = OF_ALIAS, **more: Any) -> dict[str, Any]:
    answer = gateway.ask("POST", path, **more)
    assert answer.status_code == 200, answer.text
    result: dict[str, Any] = answer.json()["result"]
    return result


def send(gateway: Gateway, nonce: str, job: StoredJob, name: str = ALIAS) -> int:
    return gateway.post(None, job.url("update", **{"x-nonce": nonce}), permission=None, name=name).status_code


@pytest.mark.parametrize(
    ("path", "kind", "key", "name"), [(OF_ACTOR, "Actor", "actorId", ACTOR), (OF_ALIAS, "Alias", "alias", ALIAS)]
)
def test_the_whole_life_of_one(gateway: Gateway, job: StoredJob, path: str, kind: str, key: str, name: str) -> None:
    answer = gateway.ask("POST", path, json={"maxUses": 2, "description": "for Agave"})
    assert answer.json()["message"] == f"{kind} nonce created successfully."
    nonce = answer.json()["result"]
    assert sorted(nonce) == sorted([*KEYS, key])
    assert nonce[key] == name
    assert re.fullmatch(r"SD2E_[A-Za-z0-9]{24}", nonce["id"])
    assert (nonce["level"], nonce["maxUses"], nonce["remainingUses"], nonce["currentUses"]) == ("EXECUTE", 2, 2, 0)
    assert (nonce["owner"], nonce["description"]) == ("owner", "for Agave")
    assert (nonce["lastUseTime"], nonce["expireTime"]) == ("None", "None")
    assert re.fullmatch(TIME, nonce["createTime"])
    assert nonce["_links"]["actor"] == f"{gateway.url}/actors/v2/{ACTOR}"
    assert nonce["_links"]["owner"] == f"{gateway.url}/profiles/v2/owner"

    assert send(gateway, nonce["id"], job, name) == 200
    listed = gateway.ask("GET", path).json()
    assert listed["message"] == f"{kind} nonces retrieved successfully."
    (shown,) = listed["result"]
    assert shown["id"] != nonce["id"]
    assert (shown["currentUses"], shown["remainingUses"]) == (1, 1)
    assert re.fullmatch(TIME, shown["lastUseTime"])
    for given in (nonce["id"], shown["id"]):
        answer = gateway.ask("GET", f"{path}/{given}")
        assert answer.json()["result"] == shown
        assert nonce["id"] not in answer.text
    assert shown["_links"]["self"] == f"{gateway.url}{path}/{shown['id']}"

    assert send(gateway, nonce["id"], job, name) == 200
    assert send(gateway, nonce["id"], job, name) == 401
    deleted = gateway.ask("DELETE", f"{path}/{shown['id']}")
    assert deleted.json()["message"] == f"{kind} nonce deleted successfully."
    assert deleted.json()["result"] is None
    assert gateway.ask("DELETE", f"{path}/{shown['id']}").status_code == 404
    assert gateway.ask("GET", f"{path}/{nonce['id']}").status_code == 404
    assert gateway.ask("GET", path).json()["result"] == []


def test_the_words_of_refusal_are_abacos(gateway: Gateway, job: StoredJob) -> None:
    def said(nonce: str) -> tuple[int, str]:
        answer = gateway.post(None, job.url("update", **{"x-nonce": nonce}), permission=None)
        return answer.status_code, answer.json()["message"]

    assert said("SD2E_JKx3PqOeWvLm") == (401, "Nonce does not exist.")
    reader = made(gateway, json={"level": "READ"})["id"]
    assert said(reader) == (403, "Nonce does not have sufficient permissions level.")
    once = made(gateway, json={"maxUses": 1})["id"]
    assert said(once)[0] == 200
    assert said(once) == (401, "No remaining uses left for this nonce.")


def test_an_alias_in_the_place_of_the_id_means_the_actor(gateway: Gateway, job: StoredJob) -> None:
    nonce = made(gateway, f"/actors/v2/{ALIAS}/nonces")
    assert nonce["actorId"] == ACTOR
    assert send(gateway, nonce["id"], job, ACTOR) == 200
    assert send(gateway, nonce["id"], job, ALIAS) == 401


def test_each_alias_has_its_own(gateway: Gateway) -> None:
    nonce = made(gateway, f"/actors/v2/aliases/{OTHER_ALIAS}/nonces")
    assert gateway.ask("GET", OF_ALIAS).json()["result"] == []
    assert gateway.ask("GET", f"{OF_ALIAS}/{nonce['id']}").status_code == 404
    assert gateway.ask("DELETE", f"{OF_ALIAS}/{nonce['id']}").status_code == 404
    assert len(gateway.ask("GET", f"/actors/v2/aliases/{OTHER_ALIAS}/nonces").json()["result"]) == 1


@pytest.mark.parametrize("alias", [ACTOR, "unknown"])
def test_what_is_no_alias_has_none(gateway: Gateway, alias: str) -> None:
    assert gateway.ask("GET", f"/actors/v2/aliases/{alias}/nonces").status_code == 404


@pytest.mark.parametrize(
    ("more", "shown"),
    [
        ({}, ("EXECUTE", -1, -1)),
        ({"content": b"  "}, ("EXECUTE", -1, -1)),
        ({"json": {}}, ("EXECUTE", -1, -1)),
        ({"json": {"level": "READ", "maxUses": -1}}, ("READ", -1, -1)),
        ({"json": {"level": "NONE", "max_uses": 7}}, ("NONE", 7, 7)),
        ({"data": {"level": "READ", "maxUses": "3"}}, ("READ", 3, 3)),
        ({"data": {"max_uses": "-1"}}, ("EXECUTE", -1, -1)),
    ],
)
def test_bodies(gateway: Gateway, more: dict[str, Any], shown: tuple[str, int, int]) -> None:
    nonce = made(gateway, OF_ALIAS, **more)
    assert (nonce["level"], nonce["maxUses"], nonce["remainingUses"]) == shown


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"maxUses": 0}, "maxUses"),
        ({"maxUses": -2}, "maxUses"),
        ({"maxUses": 1.5}, "maxUses"),
        ({"maxUses": True}, "maxUses"),
        ({"maxUses": "many"}, "maxUses"),
        ({"maxUses": 2**40}, "maxUses"),
        ({"level": "ROOT"}, "level"),
        ({"level": "UPDATE"}, "level"),
        ({"level": 2}, "level"),
        ({"level": {"$gt": ""}}, "level"),
        ({"description": 5}, "description"),
        ({"description": "x" * 1025}, "description"),
        ({"expiresIn": 0}, "expiresIn"),
        ({"expiresIn": "soon"}, "expiresIn"),
        ({"description": "\0"}, "description"),
        ([1], "body"),
        ("x", "body"),
    ],
)
def test_bodies_that_ask_for_what_there_is_not(gateway: Gateway, body: Any, place: str) -> None:
    answer = gateway.ask("POST", OF_ALIAS, json=body)
    assert answer.status_code == 400
    assert place in answer.json()["message"]
    assert gateway.ask("GET", OF_ALIAS).json()["result"] == []


def test_a_body_is_read_in_a_thread(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    read, places = nonce_request.read, []

    def seen(*given: Any, **more: Any) -> nonce_request.NonceRequest:
        places.append(threading.current_thread().name)
        return read(*given, **more)

    monkeypatch.setattr(nonce_request, "read", seen)
    made(gateway, json={"maxUses": 2})
    (place,) = places
    assert place.startswith("database reads")


def test_a_form_of_very_many_fields(gateway: Gateway) -> None:
    """Without a limit, a third of a million fields in one body would be parsed."""
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert gateway.ask("POST", OF_ALIAS, content=b"maxUses=2&" + b"a=1&" * 90, headers=form).status_code == 200
    answer = gateway.ask("POST", OF_ALIAS, content=b"maxUses=2&" + b"a=1&" * 100, headers=form)
    assert (answer.status_code, answer.json()["message"]) == (400, "body: is not a form, although Content-Type says so")


def test_a_nonce_of_the_actor_may_update(gateway: Gateway) -> None:
    nonce = made(gateway, OF_ACTOR, json={"level": "UPDATE"})["id"]
    answer = gateway.ask("POST", OF_ACTOR, None, params={"x-nonce": nonce})
    assert answer.status_code == 200
    assert answer.json()["result"]["owner"] == "owner"


def test_it_expires(gateway: Gateway, job: StoredJob, database: Database[Any]) -> None:
    nonce = made(gateway, json={"expiresIn": 3600})
    moment = datetime.fromisoformat(nonce["expireTime"])
    assert timedelta(minutes=55) < moment - datetime.now(UTC) < timedelta(minutes=65)
    assert send(gateway, nonce["id"], job) == 200
    database["gateway_nonces"].update_one({}, {"$set": {"expires": datetime.now(UTC) - timedelta(seconds=5)}})
    assert send(gateway, nonce["id"], job) == 401


@pytest.mark.promise("S5")
def test_as_many_uses_as_were_given(gateway: Gateway, job: StoredJob) -> None:
    nonce = made(gateway, json={"maxUses": 10})["id"]
    statuses: Counter[int] = Counter()
    barrier = threading.Barrier(32)

    def use() -> None:
        barrier.wait()
        statuses[send(gateway, nonce, job)] += 1

    threads = [threading.Thread(target=use) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == {200: 10, 401: 22}
    assert job.names.count("update") == 10


@pytest.mark.promise("P6")
def test_the_id_is_stored_nowhere(gateway: Gateway, job: StoredJob, database: Database[Any], caplog: Any) -> None:
    nonce = made(gateway)["id"]
    assert send(gateway, nonce, job) == 200
    gateway.ask("GET", f"{OF_ALIAS}/{nonce}")
    gateway.parts.executions.flush(5)
    assert nonce not in dump(database)
    assert nonce not in caplog.text
    assert nonce not in gateway.client.get("/metrics").text


def test_the_dialect_of_v3(gateway: Gateway) -> None:
    answer = gateway.ask("POST", f"/v3/actors/aliases/{ALIAS}/nonces", json={"max_uses": 5}).json()
    assert answer["metadata"] == {}
    nonce = answer["result"]
    assert nonce["id"].startswith("sd2e_")
    assert (nonce["max_uses"], nonce["remaining_uses"], nonce["last_use_time"]) == (5, 5, "None")
    assert nonce["_links"]["owner"] == f"{gateway.url}/v3/oauth2/profiles/owner"
    (shown,) = gateway.ask("GET", f"/v3/actors/aliases/{ALIAS}/nonces").json()["result"]
    assert sorted(shown) == sorted(nonce)
