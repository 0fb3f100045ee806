"""Tokens of TACC: identified by its server, cached, and never refused because of an outage."""

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from pipelinejobs.core.permission import Permission
from pipelinejobs.gateway.auth.credentials import BadCredential, Credentials
from pipelinejobs.gateway.auth.oauth2 import Oauth2
from pipelinejobs.gateway.auth.permissions import Permissions
from pipelinejobs.gateway.auth.principal import Principal
from pipelinejobs.settings.gateway import Grant
from pipelinejobs.util.errors import Unavailable
from pipelinejobs.util.secret import Secret
from support.server import RudeServer, answers, then_hangs

TOKEN = "0123456789abcdef0123456789abcdef"
PERMISSIONS = Permissions([Grant("jdoe", Permission.EXECUTE)])
PROFILE = answers(body=json.dumps({"status": "success", "result": {"username": "jdoe"}}).encode())


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def bearer(token: str = TOKEN) -> Credentials:
    return Credentials(bearer=Secret(token))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tacc() -> Iterator[RudeServer]:
    with RudeServer(PROFILE) as server:
        yield server


def test_the_user_of_a_token(tacc: RudeServer, clock: Clock) -> None:
    oauth2 = Oauth2(tacc.url, PERMISSIONS, clock=clock)
    for _ in range(3):
        assert oauth2.identify(bearer()) == Principal("jdoe", Permission.EXECUTE, "oauth2")
    (asked,) = tacc.requests
    assert (asked.method, asked.path, asked.headers["authorization"]) == ("GET", "/profiles/v2/me", f"Bearer {TOKEN}")


def test_a_valid_token_is_cached_for_a_minute(tacc: RudeServer, clock: Clock) -> None:
    oauth2 = Oauth2(tacc.url, PERMISSIONS, clock=clock)
    oauth2.identify(bearer())
    clock.now += 59
    oauth2.identify(bearer())
    assert len(tacc.requests) == 1
    clock.now += 2
    oauth2.identify(bearer())
    assert len(tacc.requests) == 2


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden"])
def test_one_that_is_not_known_is_refused_for_a_while_without_asking(status: str, clock: Clock) -> None:
    with RudeServer(answers(status)) as server:
        oauth2 = Oauth2(server.url, PERMISSIONS, clock=clock)
        for _ in range(3):
            with pytest.raises(BadCredential) as refused:
                oauth2.identify(bearer())
            assert TOKEN not in refused.value.reason
        assert len(server.requests) == 1
        clock.now += 11
        with pytest.raises(BadCredential):
            oauth2.identify(bearer())
        assert len(server.requests) == 2


@pytest.mark.parametrize(
    "script",
    [
        answers("500 Internal Server Error"),
        answers("503 Service Unavailable"),
        answers("429 Too Many Requests"),
        answers("404 Not Found"),
        answers("302 Found", Location="http://127.0.0.1:1/"),
        answers(body=b"<html>"),
        answers(body=b'{"result": {}}'),
        answers(body=b'{"result": {"username": ""}}'),
        answers(body=b'{"result": {"username": "a\\nb"}}'),
        answers(body=b'{"result": [1]}'),
        answers(body=b"[" * 100_000),
        answers(body=b" " * 1_100_000),
        then_hangs(),
    ],
    ids=["500", "503", "429", "404", "302", "html", "nobody", "empty", "lines", "list", "deep", "long", "hangs"],
)
def test_an_outage_is_no_refusal(script: Any, clock: Clock) -> None:
    with RudeServer(script) as server:
        oauth2 = Oauth2(server.url, PERMISSIONS, seconds=0.5, clock=clock)
        for _ in range(3):
            with pytest.raises(Unavailable) as unknown:
                oauth2.identify(bearer())
            assert TOKEN not in unknown.value.reason
        assert len(server.requests) == 1  # the others did not wait as long once more
        clock.now += 1.1
        with pytest.raises(Unavailable):
            oauth2.identify(bearer())
        assert len(server.requests) == 2


def test_no_server_listens(free_port: int, clock: Clock) -> None:
    with pytest.raises(Unavailable):
        Oauth2(f"http://127.0.0.1:{free_port}", PERMISSIONS, clock=clock).identify(bearer())


@pytest.mark.parametrize("token", ["x" * 2049, "a b", "a\tb", "ä", "\0"])
def test_a_text_that_cannot_be_a_token_is_not_sent_to_tacc(tacc: RudeServer, token: str) -> None:
    with pytest.raises(BadCredential):
        Oauth2(tacc.url, PERMISSIONS).identify(bearer(token))
    assert not tacc.requests


def test_what_is_another_kind_is_left_to_others(tacc: RudeServer) -> None:
    oauth2 = Oauth2(tacc.url, PERMISSIONS)
    for shown in (
        Credentials(),
        bearer("a.b.c"),
        Credentials(nonce=Secret("SD2E_x")),
        Credentials(tapis=Secret(TOKEN)),
    ):
        assert oauth2.identify(shown) is None
    assert not tacc.requests


def test_many_at_once_ask_once(tacc: RudeServer) -> None:
    oauth2 = Oauth2(tacc.url, PERMISSIONS)
    principals: list[Any] = []
    barrier = threading.Barrier(16)

    def identify() -> None:
        barrier.wait()
        principals.append(oauth2.identify(bearer()))

    threads = [threading.Thread(target=identify) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert principals == [Principal("jdoe", Permission.EXECUTE, "oauth2")] * 16
    assert len(tacc.requests) == 1


def test_a_user_without_permissions_is_identified(tacc: RudeServer) -> None:
    assert Oauth2(tacc.url, Permissions([])).identify(bearer()) == Principal("jdoe", Permission.NONE, "oauth2")


def test_permissions() -> None:
    permissions = Permissions(
        [Grant("jdoe", Permission.NONE), Grant("*", Permission.READ), Grant("ci@tacc", Permission.UPDATE)]
    )
    assert [permissions.of(user) for user in ("jdoe", "ci@tacc", "ci", "anybody")] == [
        Permission.NONE,
        Permission.UPDATE,
        Permission.READ,
        Permission.READ,
    ]
    assert PERMISSIONS.of("anybody") is Permission.NONE
