"""Jobs as they change, as server-sent events."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import Empty, Queue
from typing import Any

import httpx
import pytest
from pymongo.database import Database

from pipelinejobs.gateway.tasks.change_feed import ChangeFeed
from pipelinejobs.util.errors import Unavailable
from support.gateway import TOKENS, Gateway, eventually, serving, settings
from support.process import StoredJob


class Heard:
    """The events that a listener receives."""

    def __init__(self) -> None:
        self.lines: Queue[str] = Queue()
        self.over = threading.Event()

    def event(self, seconds: float = 20.0) -> tuple[str, Any]:
        """The next event: its name and its data."""
        name = ""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                line = self.lines.get(timeout=0.2)
            except Empty:
                continue
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            if line.startswith("data: "):
                return name, json.loads(line.removeprefix("data: "))
        raise AssertionError("nothing was heard")


@contextmanager
def listening(gateway: Gateway) -> Iterator[Heard]:
    heard = Heard()
    headers = {"Authorization": f"Bearer {TOKENS['READ']}"}
    with (
        httpx.Client(base_url=gateway.url, headers=headers, timeout=30, trust_env=False) as client,
        client.stream("GET", "/changes") as answer,
    ):
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        assert next(lines).startswith(": ")

        def read() -> None:
            with suppress(httpx.HTTPError):
                for line in lines:
                    heard.lines.put(line)
            heard.over.set()

        thread = threading.Thread(target=read)
        thread.start()
        try:
            yield heard
        finally:
            if not heard.over.is_set():  # httpx reads in the other thread; the line has to be cut under it
                answer.extensions["network_stream"].get_extra_info("socket").shutdown(socket.SHUT_RDWR)
            thread.join(20)
            assert not thread.is_alive()


def test_changes_are_streamed(gateway: Gateway, new_job: Callable[..., StoredJob]) -> None:
    before, job = new_job(), new_job()
    gateway.post(before.event("run"))
    with listening(gateway) as heard:
        gateway.post(job.event("run"))
        name, change = heard.event()
        assert (name, change["uuid"], change["state"], change["last_event"]) == ("job", job.uuid, "RUNNING", "run")
        assert change["revision"] == 1
        assert change["updated"].endswith("Z")
        gateway.post(job.event("finish"))
        assert heard.event()[1]["state"] == "FINISHED"


def test_changes_by_another_gateway_are_streamed_to_all(
    mongodb_uri: str, database: Database[Any], gateway: Gateway, job: StoredJob
) -> None:
    with serving(settings(mongodb_uri, database.name)) as other, listening(gateway) as one, listening(gateway) as two:
        other.post(job.event("run"))
        assert one.event()[1]["uuid"] == two.event()[1]["uuid"] == job.uuid


def test_without_listeners_the_database_is_not_polled(gateway: Gateway, job: StoredJob) -> None:
    feed = gateway.parts.feed
    assert feed._task is None
    with listening(gateway):
        assert feed._task is not None
    gateway.post(job.event("run"))
    eventually(lambda: feed._task is None and not feed._listeners)


def test_the_number_of_listeners_is_bounded(gateway: Gateway) -> None:
    gateway.parts.feed = ChangeFeed(gateway.parts.store, most=1)
    with listening(gateway):
        answer = gateway.ask("GET", "/changes", "READ")
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"
    eventually(lambda: not gateway.parts.feed._listeners)


def test_the_end_of_the_gateway_ends_it(mongodb_uri: str, database: Database[Any]) -> None:
    began = time.monotonic()
    with serving(settings(mongodb_uri, database.name)) as gateway:
        headers = {"Authorization": f"Bearer {TOKENS['READ']}"}
        client = httpx.Client(base_url=gateway.url, headers=headers, timeout=60, trust_env=False)
        stream = client.stream("GET", "/changes")
        lines = stream.__enter__().iter_lines()
        next(lines)
    rest = "\n".join(lines)
    assert "event: end" in rest
    stream.__exit__(None, None, None)
    client.close()
    assert time.monotonic() - began < 20  # it did not wait for the drain to be over


def test_a_database_that_is_away_ends_nothing(
    gateway: Gateway, job: StoredJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(gateway) as heard:
        look = gateway.parts.store.changes.since
        failed = threading.Event()

        def away(*_: object) -> Any:
            failed.set()
            raise Unavailable

        monkeypatch.setattr(gateway.parts.store.changes, "since", away)
        assert failed.wait(20)
        gateway.post(job.event("run"))
        monkeypatch.setattr(gateway.parts.store.changes, "since", look)
        assert heard.event()[1]["uuid"] == job.uuid
