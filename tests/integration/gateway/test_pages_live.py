"""`/pages/changes`: the change feed of open pages."""

import json
from typing import Any

import httpx
import pytest

from pipelinejobs.gateway.routes import changes
from pipelinejobs.gateway.tasks.change_feed import ChangeFeed
from pipelinejobs.util.errors import Unavailable
from support.gateway import TOKENS, Gateway
from support.pages import Visitor, visitor
from support.process import StoredJob


def lines(visiting: Visitor) -> Any:
    return visiting.client.stream("GET", "/pages/changes")


def test_changes_are_streamed(gateway: Gateway, job: StoredJob) -> None:
    with visitor(gateway) as visiting, lines(visiting) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        told = answer.iter_lines()
        assert next(told).startswith(": ")
        gateway.post(job.event("run"))
        line = next(line for line in told if line.startswith("data: "))
        assert json.loads(line.removeprefix("data: "))["uuid"] == job.uuid


def test_without_a_session_there_is_nothing(gateway: Gateway) -> None:
    headers = {"Authorization": f"Bearer {TOKENS['READ']}", "Sec-Fetch-Mode": "cors"}
    assert gateway.client.get("/pages/changes", headers=headers).status_code == 401


@pytest.mark.parametrize("how", ["signed out", "database away"])
def test_it_ends_with_its_session(gateway: Gateway, job: StoredJob, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    monkeypatch.setattr(changes, "_CHECK_SECONDS", 0.0)
    with visitor(gateway) as visiting:
        form = visiting.form
        with lines(visiting) as answer:
            told = answer.iter_lines()
            assert next(told).startswith(": ")
            if how == "signed out":
                with httpx.Client(base_url=gateway.url, cookies=visiting.client.cookies, trust_env=False) as other:
                    assert Visitor(other).post("/pages/sign-out", {"form": form}).status_code == 303
            else:
                monkeypatch.setattr(gateway.parts.store.sessions, "find", _away)
            gateway.post(job.event("run"))
            rest = []
            for line in told:
                assert job.uuid not in line
                rest.append(line)
            assert "event: end" in rest


def test_as_many_listen_as_may(gateway: Gateway) -> None:
    gateway.parts.feed = ChangeFeed(gateway.parts.store, most=0)
    with visitor(gateway) as visiting:
        answer = visiting.client.get("/pages/changes")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


def _away(*_: object) -> None:
    raise Unavailable
