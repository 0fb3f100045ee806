"""Authentication: every credential against every route, generated from one table of required permissions."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest
from pymongo.database import Database

from pipelinejobs.core.permission import Permission
from pipelinejobs.store.nonces import NewNonce
from support.gateway import ACTOR, ALIAS, OTHER_ALIAS, TOKENS, Gateway, serving, settings
from support.process import StoredJob
from support.server import RudeServer, answers, then_hangs

ROUTES: Mapping[tuple[str, str], Permission] = {
    ("POST", "{base}/{name}/messages"): Permission.EXECUTE,
    ("GET", "{base}/{name}/messages"): Permission.READ,
    ("GET", "{base}/{name}/executions"): Permission.READ,
    ("GET", "{base}/{name}/executions/{execution}"): Permission.READ,
    ("GET", "{base}/{name}/executions/{execution}/logs"): Permission.READ,
    ("GET", "{base}/{name}/nonces"): Permission.READ,
    ("POST", "{base}/{name}/nonces"): Permission.UPDATE,
    ("GET", "{base}/{name}/nonces/{nonce}"): Permission.READ,
    ("DELETE", "{base}/{name}/nonces/{nonce}"): Permission.UPDATE,
    ("GET", "{base}/aliases/{alias}/nonces"): Permission.READ,
    ("POST", "{base}/aliases/{alias}/nonces"): Permission.UPDATE,
    ("GET", "/jobs"): Permission.READ,
    ("GET", "/jobs/{job}"): Permission.READ,
    ("GET", "/jobs/{job}/history"): Permission.READ,
    ("GET", "/jobs/{job}/explain"): Permission.READ,
}
"""Every route, and the permission that it needs. (`/changes` never ends, and has tests of its own.)"""

OPEN = {"/healthz", "/readyz", "/metrics", "/openapi.json"}


def level(name: str) -> Permission:
    return Permission[name]


@dataclass(frozen=True)
class World:
    """A gateway with a job, an execution and nonces in its database."""

    gateway: Gateway
    job: StoredJob
    names: Mapping[str, str]

    def path(self, template: str, name: str, base: str = "/actors/v2") -> str:
        return template.format(base=base, name=name, **self.names)

    def nonce(self, scope: str, permission: Permission, **more: Any) -> str:
        fields: dict[str, Any] = {"tenant": "SD2E", "owner": "operator", "by_operator": True} | more
        secret, _ = self.gateway.parts.store.nonces.make(NewNonce(scope=scope, level=permission, **fields))
        return secret.reveal()

    def status(self, method: str, path: str, permission: str | None = None, nonce: str | None = None) -> int:
        parameters = self.job.url("update") if method == "POST" and path.endswith("/messages") else {}
        if nonce is not None:
            parameters |= {"x-nonce": nonce}
        return self.gateway.ask(method, path, permission, params=parameters).status_code


@pytest.fixture
def world(gateway: Gateway, job: StoredJob) -> World:
    execution = gateway.post(job.event("update")).json()["result"]["executionId"]
    nonces = gateway.parts.store.nonces
    _, nonce = nonces.make(NewNonce(scope=f"actor:{ACTOR}", tenant="SD2E", owner="x"))
    return World(gateway, job, {"execution": execution, "nonce": nonce.handle, "job": job.uuid, "alias": ALIAS})


def routes() -> list[Any]:
    return [pytest.param(method, path, id=f"{method} {path}") for method, path in ROUTES]


def expected(permission: Permission, needed: Permission) -> int:
    return 200 if permission >= needed else 403


@pytest.mark.promise("S18")
@pytest.mark.parametrize(("method", "template"), routes())
def test_static_tokens(world: World, method: str, template: str) -> None:
    needed = ROUTES[method, template]
    path = world.path(template, ALIAS)
    assert world.status(method, path) == 401
    for base in ("/actors/v2", "/v3/actors"):
        for name in TOKENS:
            if method == "DELETE" and base == "/v3/actors" and name == "UPDATE":
                continue  # what there was to delete is gone
            assert world.status(method, world.path(template, ALIAS, base), name) == expected(Permission[name], needed)


@pytest.mark.promise("S5")
@pytest.mark.parametrize(("method", "template"), routes())
def test_nonces_of_every_level_and_scope(world: World, method: str, template: str) -> None:
    needed = ROUTES[method, template]
    named = "{name}" in template or "{alias}" in template
    for url_name, url_scope in ((ALIAS, f"alias:{ALIAS}"), (ACTOR, f"actor:{ACTOR}")):
        if "{alias}" in template and url_name is ACTOR:
            continue
        for scope in (f"alias:{ALIAS}", f"alias:{OTHER_ALIAS}", f"actor:{ACTOR}"):
            for permission in Permission:
                nonce = world.nonce(scope, permission)
                good = scope == url_scope or not named
                wanted = expected(permission, needed) if good else 401
                if method == "DELETE" and wanted == 200 and url_name is ACTOR:
                    wanted = 404  # the first round has deleted it
                path = world.path(template, url_name)
                assert world.status(method, path, nonce=nonce) == wanted, (path, scope, permission)


def test_every_route_is_in_the_table(gateway: Gateway) -> None:
    documented = gateway.client.get("/openapi.json").json()["paths"]
    served = {(method.upper(), path) for path, methods in documented.items() for method in methods}
    table = set()
    for method, path in ROUTES:
        for base in ("/actors/v2", "/v3/actors"):
            named = path.format(
                base=base, name="{actor}", alias="{alias}", job="{uuid}", nonce="{nonce}", execution="{execution}"
            )
            table.add((method, named))
            if "/aliases/" in named:
                table |= {("GET", f"{named}/{{nonce}}"), ("DELETE", f"{named}/{{nonce}}")}
    assert served == table | {("GET", path) for path in OPEN - {"/openapi.json"}} | {("GET", "/changes")}


@pytest.mark.parametrize("path", sorted(OPEN))
def test_routes_without_a_credential(gateway: Gateway, path: str) -> None:
    assert gateway.client.get(path).status_code == 200


def test_changes_need_the_read_permission(gateway: Gateway) -> None:
    assert gateway.ask("GET", "/changes", None).status_code == 401


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer x y",
        "Basic c2VuZGVyOng=",
        "bearer wrong",
        "Bearer " + "x" * 5000,
        "Bearer \xe4",
    ],
)
def test_what_is_no_good_token(gateway: Gateway, job: StoredJob, header: str) -> None:
    answer = gateway.post(job.event("run"), permission=None, headers={"Authorization": header.encode("latin-1")})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["result"]["verdict"] == "unauthorised"
    assert job.names == ["create"]


def test_the_scheme_in_any_case(gateway: Gateway) -> None:
    headers = {"Authorization": f"bEaReR  {TOKENS['READ']}"}
    assert gateway.client.get("/jobs", headers=headers).status_code == 200


class TestTokenAndNonce:
    def test_a_good_token_spends_no_use(self, world: World) -> None:
        nonce = world.nonce(f"alias:{ALIAS}", Permission.EXECUTE, max_uses=1)
        path = world.path("{base}/{name}/messages", ALIAS)
        assert world.status("POST", path, "EXECUTE", nonce) == 200
        assert world.status("POST", path, None, nonce) == 200
        assert world.status("POST", path, None, nonce) == 401

    def test_a_bad_token_with_a_good_nonce(self, world: World) -> None:
        nonce = world.nonce(f"alias:{ALIAS}", Permission.EXECUTE)
        headers = {"Authorization": "Bearer wrong"}
        for base, status in (("/actors/v2", 200), ("/v3/actors", 401)):  # the two differ, as Abaco's do
            answer = world.gateway.client.post(
                f"{base}/{ALIAS}/messages", params=world.job.url("update", **{"x-nonce": nonce}), headers=headers
            )
            assert answer.status_code == status

    def test_a_token_without_the_permission_is_not_helped_by_a_nonce(self, world: World) -> None:
        nonce = world.nonce(f"alias:{ALIAS}", Permission.EXECUTE)
        assert world.status("POST", world.path("{base}/{name}/messages", ALIAS), "READ", nonce) == 403


def test_of_two_nonces_the_first_counts(world: World) -> None:
    good, path = world.nonce(f"alias:{ALIAS}", Permission.EXECUTE), f"/actors/v2/{ALIAS}/messages"
    for first, second, status in ((good, "SD2E_x", 200), ("SD2E_x", good, 401)):
        query = urlencode([*world.job.url("update").items(), ("x-nonce", first), ("x-nonce", second)])
        assert world.gateway.client.post(f"{path}?{query}").status_code == status


def test_nonces_do_not_wait_for_a_server_that_hangs(
    mongodb_uri: str, database: Database[Any], new_job: Callable[..., StoredJob]
) -> None:
    job = new_job()
    with RudeServer(then_hangs()) as tacc, with_oauth2(mongodb_uri, database.name, tacc) as gateway:
        waiting = [
            threading.Thread(target=gateway.ask, args=("GET", "/jobs", None), kwargs={"headers": bearer(number)})
            for number in range(20)
        ]
        for thread in waiting:
            thread.start()
        scope = f"alias:{ALIAS}"
        new = NewNonce(scope=scope, tenant="SD2E", owner="operator", by_operator=True)
        nonce, _ = gateway.parts.store.nonces.make(new)
        began = time.monotonic()
        assert gateway.post(None, job.url("run", **{"x-nonce": nonce.reveal()}), permission=None).status_code == 200
        assert time.monotonic() - began < 4  # the others wait for 5 seconds
        for thread in waiting:
            thread.join()


def bearer(number: int) -> dict[str, str]:
    return {"Authorization": f"Bearer {number:032d}"}


class TestOwnersOfNonces:
    def test_a_nonce_has_no_permission_that_its_owner_lacks(self, world: World) -> None:
        for owner, status in (("owner", 200), ("sender", 200), ("reader", 403), ("stranger", 403)):
            nonce = world.nonce(f"alias:{ALIAS}", Permission.EXECUTE, owner=owner, by_operator=False)
            path = world.path("{base}/{name}/messages", ALIAS)
            assert world.status("POST", path, nonce=nonce) == status, owner

    def test_a_refused_body_burns_one_use(self, world: World) -> None:
        nonce = world.nonce(f"alias:{ALIAS}", Permission.EXECUTE, max_uses=2)
        path = f"/actors/v2/{ALIAS}/messages"
        for status in (400, 400, 401):
            answer = world.gateway.client.post(path, params={"x-nonce": nonce}, content=b"nonsense")
            assert answer.status_code == status


@contextmanager
def with_oauth2(uri: str, database: str, server: RudeServer, **more: str) -> Iterator[Gateway]:
    configured = settings(uri, database, gateway__oauth2_server=server.url, gateway__permissions="jdoe:EXECUTE", **more)
    with serving(configured) as running:
        yield running


def test_tacc_identifies_the_user_of_a_token(
    mongodb_uri: str, database: Database[Any], new_job: Callable[..., StoredJob]
) -> None:
    job = new_job()
    profile = answers(body=b'{"status": "success", "result": {"username": "jdoe"}}')
    with RudeServer(profile) as tacc, with_oauth2(mongodb_uri, database.name, tacc) as gateway:
        headers = {"Authorization": "Bearer 0123456789abcdef0123456789abcdef"}
        for name in ("run", "update", "update"):
            answer = gateway.post(job.event(name), permission=None, headers=headers)
            assert answer.json()["result"]["verdict"] == "applied", answer.text
        assert gateway.ask("POST", f"/actors/v2/{ALIAS}/nonces", None, headers=headers).status_code == 403
        assert gateway.ask("GET", "/jobs").status_code == 200  # a static token needs no other server
        (asked,) = tacc.requests
        assert (asked.path, asked.headers["authorization"]) == ("/profiles/v2/me", headers["Authorization"])


def test_an_outage_is_no_refusal(mongodb_uri: str, database: Database[Any], new_job: Callable[..., StoredJob]) -> None:
    job = new_job()
    with (
        RudeServer(answers("503 Service Unavailable")) as tacc,
        with_oauth2(mongodb_uri, database.name, tacc) as gateway,
    ):
        answer = gateway.post(job.event("run"), permission=None, headers={"Authorization": "Bearer " + "0" * 32})
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"
        assert answer.json()["result"]["verdict"] == "unavailable"
    assert job.names == ["create"]
