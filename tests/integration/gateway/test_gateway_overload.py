"""Overload: requests beyond the limits get 503, and all others are answered."""

import socket
import threading
import time
from typing import Any

import pytest
from pymongo.database import Database

from pipelinejobs.gateway.http.body import Bodies
from support.gateway import ALIAS, TOKENS, Gateway, eventually, raw, serving, settings
from support.process import StoredJob

MIB = 1024 * 1024


def head(length: int) -> bytes:
    return (
        f"POST /actors/v2/{ALIAS}/messages HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n"
        f"Authorization: Bearer {TOKENS['EXECUTE']}\r\n\r\n"
    ).encode()


@pytest.mark.promise("P10")
def test_events_beyond_the_limit_are_refused_as_overload(
    mongodb_uri: str, database: Database[Any], job: StoredJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured = settings(mongodb_uri, database.name, gateway__workers="2", gateway__waiting="3")
    with serving(configured) as gateway:
        goes_on = threading.Event()
        judge = gateway.parts.batcher._judge.judge

        def slow(*arguments: Any) -> Any:
            goes_on.wait(20)
            return judge(*arguments)

        monkeypatch.setattr(gateway.parts.batcher._judge, "judge", slow)
        statuses: list[int] = []
        threads = [
            threading.Thread(target=lambda: statuses.append(gateway.post(job.event("update")).status_code))
            for _ in range(5)
        ]
        for thread in threads:
            thread.start()
        eventually(lambda: gateway.parts.batcher.inside == 5)
        assert gateway.ask("GET", f"/actors/v2/{ALIAS}/messages").json()["result"]["messages"] == 5
        answer = gateway.post(job.event("update"))
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"
        assert answer.json()["result"]["verdict"] == "unavailable"
        assert "too many requests at once" in answer.json()["message"]
        for path in ("/jobs", "/healthz", "/readyz", "/metrics"):  # these go on
            assert gateway.ask("GET", path).status_code == 200
        goes_on.set()
        for thread in threads:
            thread.join()
        assert statuses == [200] * 5
        assert gateway.post(job.event("update")).status_code == 200
    assert job.names.count("update") == 6


@pytest.mark.promise("P10")
def test_one_that_takes_too_long_is_not_waited_for(
    mongodb_uri: str, database: Database[Any], job: StoredJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = threading.Event()
    with serving(settings(mongodb_uri, database.name, limits__request="0.5")) as gateway:
        judge = gateway.parts.batcher._judge.judge
        monkeypatch.setattr(gateway.parts.batcher._judge, "judge", lambda *a: (goes_on.wait(20), judge(*a))[1])
        answer = gateway.post(job.event("run"))
        assert answer.status_code == 503
        assert "may or may not be applied" in answer.json()["message"]
        goes_on.set()
        eventually(lambda: gateway.parts.batcher.inside == 0)


def test_a_body_that_drips_is_given_up(mongodb_uri: str, database: Database[Any]) -> None:
    with serving(settings(mongodb_uri, database.name, limits__request="0.5")) as gateway:
        answer = raw(gateway.port, head(100) + b'{"uuid"')
        assert answer.startswith(b"HTTP/1.1 408")
        assert gateway.parts.bodies._room == Bodies()._room


@pytest.mark.promise("F16")
def test_large_bodies_that_never_end_take_no_more_than_they_may(gateway: Gateway, job: StoredJob) -> None:
    gateway.parts.bodies = Bodies(2 * MIB)
    slow = []
    try:
        for _ in range(4):
            connection = socket.create_connection(("127.0.0.1", gateway.port), timeout=20)
            connection.sendall(head(MIB) + b"x" * (MIB - 10))
            slow.append(connection)
        connection.settimeout(20)
        assert any(b" 503 " in first_line(connection) for connection in slow[2:])
        assert gateway.parts.bodies._room >= 0
    finally:
        for connection in slow:
            connection.close()
    eventually(lambda: gateway.parts.bodies._room == 2 * MIB)
    assert gateway.post(job.event("run")).status_code == 200


def first_line(connection: socket.socket) -> bytes:
    connection.settimeout(20)
    try:
        return connection.recv(4096).partition(b"\r\n")[0]
    except OSError:  # it was cut while we still sent
        return b" 503 "


@pytest.mark.promise("F16")
def test_many_slow_clients_do_not_keep_others_out(gateway: Gateway, job: StoredJob) -> None:
    slow = [socket.create_connection(("127.0.0.1", gateway.port), timeout=20) for _ in range(200)]
    try:
        for connection in slow:
            connection.sendall(head(1000) + b"{")
        began = time.monotonic()
        assert gateway.post(job.event("run")).status_code == 200
        assert time.monotonic() - began < 8  # the slow ones have 8 seconds, and were not waited for
    finally:
        for connection in slow:
            connection.close()


def test_two_requests_at_once_on_one_line(gateway: Gateway) -> None:
    first = "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"
    second = f"GET /actors/v2/{ALIAS}/messages HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    answer = raw(gateway.port, (first + second).encode())
    assert answer.count(b"HTTP/1.1 ") == 2
    assert b" 401 " in answer
