"""`GET /jobs/{uuid}` with `until`, `wait` and `revision`: the request waits for the job."""

import asyncio
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final

import httpx
import pytest
from pymongo import monitoring
from pymongo.database import Database
from pymongo.errors import AutoReconnect

from pipelinejobs.core.views import plain, public_job
from pipelinejobs.gateway.http import descriptors
from pipelinejobs.gateway.tasks.change_feed import ChangeFeed
from support import datacatalog
from support.gateway import TOKENS, Gateway, eventually, serving, settings
from support.process import Documents, StoredJob, callback

pytestmark = pytest.mark.promise("P10")

UNKNOWN: Final = "107b93f3-1eae-5e79-8a18-ffffffffffff"
LONG: Final = 50
"""Seconds that are never over in these tests: an answer comes sooner, or the client's own limit of 30 s fails."""


def ask(gateway: Gateway, job: StoredJob | str, status: int = 200, **parameters: Any) -> Any:
    path = f"/jobs/{job if isinstance(job, str) else job.uuid}"
    answer = gateway.ask("GET", path, "READ", params=parameters)
    assert answer.status_code == status, answer.text
    return answer.json()["result"] if status == 200 else answer.json()["message"]


def waiters(gateway: Gateway) -> int:
    return gateway.parts.feed.waiters.count


def listening(gateway: Gateway) -> int:
    """How many waiters have read their jobs, and now hear of changes from the feed alone."""
    of_jobs = list(gateway.parts.feed.waiters._by_job.values())
    return sum(bool(waiter._woken._waiters) for of_job in of_jobs for waiter in list(of_job))


@contextmanager
def waiting(gateway: Gateway, job: StoredJob, status: int = 200, **parameters: Any) -> Iterator["Future[Any]"]:
    """A request that waits, and has read the job once when the context begins; the result is the answer's."""
    before = listening(gateway)
    with ThreadPoolExecutor(1) as thread:
        asked = thread.submit(ask, gateway, job, status, **{"wait": LONG, **parameters})
        eventually(lambda: listening(gateway) > before or asked.done())
        yield asked
        asked.result(40)


class TestAtOnce:
    def test_in_the_state(self, gateway: Gateway, job: StoredJob) -> None:
        gateway.post(job.event("run"))
        for until in ("RUNNING", "FINISHED,RUNNING", "running"):
            found = ask(gateway, job, until=until, wait=LONG)
            assert (found["reached"], found["state"], found["revision"]) == (True, "RUNNING", 1)

    def test_without_wait_as_it_is(self, gateway: Gateway, job: StoredJob) -> None:
        assert ask(gateway, job, until="FINISHED")["reached"] is False
        assert ask(gateway, job, until="FINISHED", wait=0)["reached"] is False
        assert waiters(gateway) == 0

    @pytest.mark.parametrize(("event", "until"), [("fail", "FINISHED"), ("run", "CREATED,RESET")])
    def test_never(self, gateway: Gateway, job: StoredJob, event: str, until: str) -> None:
        gateway.post(job.event(event))
        assert ask(gateway, job, until=until, wait=LONG)["reached"] == "never"

    def test_the_rest_is_the_same_as_without_waiting(self, gateway: Gateway, job: StoredJob) -> None:
        gateway.post(job.event("run"))
        bare = ask(gateway, job)
        assert bare == plain(public_job(job.stored())) | {"revision": 1}
        assert bare["_properties"]["revision"] == bare["revision"]
        assert ask(gateway, job, until="RUNNING", wait=LONG) == bare | {"reached": True}

    @pytest.mark.parametrize("history", [None, "text", [1, [2], {"data": 3}], {"data": 4}])
    def test_whatever_another_program_stored_as_history(self, gateway: Gateway, job: StoredJob, history: Any) -> None:
        before = ask(gateway, job, until="RUNNING")
        job.jobs.update_one({"uuid": job.uuid}, {"$set": {"history": history}})
        assert ask(gateway, job, until="RUNNING") == before

    def test_another_revision(self, gateway: Gateway, job: StoredJob) -> None:
        gateway.post(job.event("run"))
        assert "reached" not in ask(gateway, job, revision=0, wait=LONG)
        assert ask(gateway, job, revision=0, until="FINISHED", wait=LONG)["reached"] is False
        assert ask(gateway, job, revision=7, until="RUNNING", wait=LONG)["reached"] is True
        assert ask(gateway, job, revision=1, wait=0)["revision"] == 1

    def test_a_state_that_was_passed_since_the_revision(self, gateway: Gateway, job: StoredJob) -> None:
        """A reader whose question was lost, with the gateway that it asked, misses nothing."""
        gateway.post(job.event("update"))
        assert gateway.post(callback("agave", "FINISHED"), job.url()).status_code == 200
        assert ask(gateway, job, until="RUNNING", revision=1, wait=LONG)["reached"] is True
        assert ask(gateway, job, until="RUNNING", wait=LONG)["reached"] == "never"
        assert ask(gateway, job, until="RUNNING", revision=3, wait=LONG)["reached"] == "never"

    @pytest.mark.parametrize("more", [{}, {"wait": LONG}, {"wait": LONG, "until": "FINISHED"}, {"revision": 0}])
    def test_an_unknown_job(self, gateway: Gateway, more: dict[str, Any]) -> None:
        assert ask(gateway, UNKNOWN, 404, **more) == "not found: no such job"
        assert waiters(gateway) == 0

    def test_without_a_credential(self, gateway: Gateway, job: StoredJob) -> None:
        answer = gateway.ask("GET", f"/jobs/{job.uuid}", None, params={"wait": LONG, "until": "FINISHED"})
        assert answer.status_code == 401

    @pytest.mark.parametrize(
        ("parameters", "reason"),
        [
            ({"until": "FINSHED"}, 'parameter until: "FINSHED" is not a state; did you mean FINISHED?'),
            ({"until": "FINISHED,DONE"}, 'parameter until: "DONE" is not a state; the states are CREATED, RUNNING'),
            ({"until": ""}, "parameter until: must name states"),
            ({"until": ["FINISHED", "no"]}, 'parameter until: "no" is not a state'),
            ({"wait": "-1"}, "parameter wait: "),
            ({"wait": "nan"}, "parameter wait: "),
            ({"wait": "inf"}, "parameter wait: "),
            ({"wait": "25s"}, "parameter wait: "),
            ({"revision": "x"}, "parameter revision: "),
            ({"revision": "-1"}, "parameter revision: "),
            ({"revision": "1e99"}, "parameter revision: "),
            ({"revision": ""}, "parameter revision: "),
            ({"untill": "FINISHED"}, "parameter 'untill': is not known; did you mean until?"),
            ({"Wait": "5"}, "parameter 'Wait': is not known; did you mean wait?"),
        ],
    )
    def test_a_bad_value_is_named(
        self, gateway: Gateway, job: StoredJob, parameters: dict[str, Any], reason: str
    ) -> None:
        assert ask(gateway, job, 400, **{"wait": LONG, "until": "FINISHED", **parameters}).startswith(reason)


class TestWaiting:
    def test_until_an_event_of_this_gateway(self, gateway: Gateway, job: StoredJob) -> None:
        with waiting(gateway, job, until="FINISHED,FAILED") as asked:
            gateway.post(job.event("run"))
            gateway.post(job.event("update", {"n": 1}))
            gateway.post(job.event("finish"))
        assert (asked.result()["reached"], asked.result()["state"]) == (True, "FINISHED")
        assert waiters(gateway) == 0

    def test_until_it_is_never(self, gateway: Gateway, job: StoredJob) -> None:
        with waiting(gateway, job, until="FINISHED") as asked:
            gateway.post(job.event("fail"))
        assert (asked.result()["reached"], asked.result()["state"]) == ("never", "FAILED")

    @pytest.mark.parametrize("sender", ["python-datacatalog", "another gateway"])
    def test_until_another_writer_has_written(
        self, mongodb_uri: str, database: Database[Any], gateway: Gateway, job: StoredJob, sender: str
    ) -> None:
        with waiting(gateway, job, until="RUNNING") as asked:
            if sender == "python-datacatalog":
                datacatalog.writes(job, "run")
            else:
                with serving(settings(mongodb_uri, database.name)) as other:
                    assert other.post(job.event("run")).status_code == 200
        assert asked.result()["reached"] is True

    def test_a_state_that_is_left_within_the_same_write_was_reached(self, gateway: Gateway, job: StoredJob) -> None:
        """A report that a job has ended implies the missing `run`, and both are written at once."""
        with waiting(gateway, job, until="RUNNING") as asked:
            assert gateway.post(callback("agave", "FINISHED"), job.url()).status_code == 200
        assert (asked.result()["reached"], asked.result()["state"]) == (True, "FINISHED")

    def test_a_state_from_which_the_job_came_back_before_the_next_look(
        self, gateway: Gateway, job: StoredJob, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        gateway.post(job.event("run"))
        gateway.post(job.event("finish"))
        look = gateway.parts.feed._look
        done = threading.Event()

        async def later() -> Any:
            await asyncio.to_thread(done.wait, 30)
            return await look()

        monkeypatch.setattr(gateway.parts.feed, "_look", later)
        done.set()
        with waiting(gateway, job, until="INDEXING") as asked:
            done.clear()
            for event in ("index", "indexed"):
                datacatalog.writes(job, event)
            done.set()
        assert (asked.result()["reached"], asked.result()["state"]) == (True, "FINISHED")

    def test_a_change_of_the_state_that_the_feed_missed_is_in_the_last_answer(
        self, gateway: Gateway, job: StoredJob
    ) -> None:
        """Another program may write a state and leave the date: the feed cannot see that."""
        with waiting(gateway, job, until="FINISHED", wait=0.5) as asked:
            job.jobs.update_one({"uuid": job.uuid}, {"$set": {"state": "FINISHED"}})
        assert asked.result()["reached"] is True

    def test_in_vain(self, gateway: Gateway, job: StoredJob) -> None:
        with waiting(gateway, job, until="FINISHED", wait=1.5) as asked:
            gateway.post(job.event("run"))
        assert (asked.result()["reached"], asked.result()["state"]) == (False, "RUNNING")

    def test_no_longer_than_the_limit(self, mongodb_uri: str, database: Database[Any], job: StoredJob) -> None:
        with serving(settings(mongodb_uri, database.name, limits__wait="0.2")) as gateway:
            assert ask(gateway, job, until="FINISHED", wait=100_000)["reached"] is False

    def test_as_the_header_prefer_says(self, mongodb_uri: str, database: Database[Any], job: StoredJob) -> None:
        with serving(settings(mongodb_uri, database.name)) as gateway, ThreadPoolExecutor(1) as thread:
            headers = {"Prefer": f"wait={LONG}"}
            query = {"until": "RUNNING"}
            asked = thread.submit(gateway.ask, "GET", f"/jobs/{job.uuid}", "READ", params=query, headers=headers)
            eventually(lambda: waiters(gateway) == 1)
            gateway.post(job.event("run"))
            assert asked.result(40).json()["result"]["reached"] is True

    @pytest.mark.parametrize("more", [{}, {"revision": 0}, {"revision": 0, "until": "FINISHED"}])
    def test_for_any_change(self, gateway: Gateway, job: StoredJob, more: dict[str, Any]) -> None:
        with waiting(gateway, job, **more) as asked:
            gateway.post(job.event("update", {"n": 1}))
        found = asked.result()
        assert (found["revision"], found["state"]) == (1, "CREATED")
        assert found.get("reached") is (False if "until" in more else None)

    def test_another_job_is_no_change(self, gateway: Gateway, job: StoredJob, new_job: Callable[[], StoredJob]) -> None:
        other = new_job()
        with waiting(gateway, job) as asked, waiting(gateway, other) as of_other:
            gateway.post(other.event("run"))
            assert of_other.result(40)["uuid"] == other.uuid
            assert not asked.done()
            gateway.post(job.event("run"))
        assert asked.result()["uuid"] == job.uuid

    def test_a_job_that_is_deleted(self, gateway: Gateway, job: StoredJob) -> None:
        with waiting(gateway, job, 404, until="FINISHED", wait=0.5) as asked:
            job.jobs.delete_one({"uuid": job.uuid})
        assert asked.result() == "not found: no such job"

    def test_a_database_that_is_away(self, gateway: Gateway, job: StoredJob, monkeypatch: pytest.MonkeyPatch) -> None:
        class Away:
            def find_one(self, *_: object) -> Any:
                raise AutoReconnect

        with waiting(gateway, job, 503, until="FINISHED", wait=0.5) as asked:
            monkeypatch.setattr(gateway.parts.store.jobs, "_jobs", Away())
        assert asked.result() == "MongoDB could not be asked (AutoReconnect); nothing was changed"


def in_between(gateway: Gateway, monkeypatch: pytest.MonkeyPatch, happens: Callable[[], Any]) -> None:
    """Has this happen right after the first read of a job."""
    outline = gateway.parts.store.jobs.outline
    reads: list[str] = []

    def read(uuid: str) -> Any:
        found = outline(uuid)
        reads.append(uuid)
        if len(reads) == 1:
            happens()
        return found

    monkeypatch.setattr(gateway.parts.store.jobs, "outline", read)


def test_a_change_right_after_the_first_read_is_not_missed(
    gateway: Gateway, job: StoredJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_between(gateway, monkeypatch, lambda: datacatalog.writes(job, "run"))
    assert ask(gateway, job, until="RUNNING", wait=LONG)["reached"] is True


class TestPlaces:
    def test_they_are_bounded_and_not_those_of_listeners(self, gateway: Gateway, job: StoredJob) -> None:
        gateway.parts.feed = ChangeFeed(gateway.parts.store, most=1, most_waiters=1)
        headers = {"Authorization": f"Bearer {TOKENS['READ']}"}
        with (
            waiting(gateway, job, until="RUNNING") as asked,
            httpx.stream("GET", f"{gateway.url}/changes", headers=headers, trust_env=False) as changes,
        ):
            assert changes.status_code == 200
            answer = gateway.ask("GET", f"/jobs/{job.uuid}", "READ", params={"until": "RUNNING", "wait": LONG})
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
            assert "too many" in answer.json()["message"].lower()
            assert ask(gateway, job, until="RUNNING")["reached"] is False, "a request that does not wait needs no place"
            gateway.post(job.event("run"))
        assert asked.result()["reached"] is True
        assert waiters(gateway) == 0

    def test_a_quarter_of_the_connections_is_left_to_senders(self, mongodb_uri: str, database: Database[Any]) -> None:
        with serving(settings(mongodb_uri, database.name, gateway__connections="8")) as gateway:
            assert gateway.parts.feed.waiters._most == 6

    @pytest.mark.parametrize("how", ["closed", "reset"])
    def test_a_client_that_goes_away_frees_its_place_at_once(self, gateway: Gateway, job: StoredJob, how: str) -> None:
        connection = socket.create_connection(("127.0.0.1", gateway.port), timeout=20)
        connection.sendall(_request(job, until="FINISHED", wait=LONG))
        eventually(lambda: waiters(gateway) == 1)
        if how == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
        eventually(lambda: waiters(gateway) == 0)

    def test_a_client_that_closes_its_own_direction_is_answered_at_once(self, gateway: Gateway, job: StoredJob) -> None:
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as connection:
            connection.sendall(_request(job, until="FINISHED", wait=LONG))
            eventually(lambda: waiters(gateway) == 1)
            connection.shutdown(socket.SHUT_WR)
            received = b"".join(iter(lambda: connection.recv(65536), b""))
        assert received.startswith(b"HTTP/1.1 200 ")
        assert json.loads(received.partition(b"\r\n\r\n")[2])["result"]["reached"] is False


def _request(job: StoredJob, **parameters: Any) -> bytes:
    query = "&".join(f"{name}={value}" for name, value in parameters.items())
    first = f"GET /jobs/{job.uuid}?{query} HTTP/1.1\r\nHost: localhost\r\n"
    return f"{first}Authorization: Bearer {TOKENS['READ']}\r\n\r\n".encode()


def test_the_end_of_the_gateway_answers_all(mongodb_uri: str, database: Database[Any], job: StoredJob) -> None:
    """The answers come although the drain could last far longer, and say how things are."""
    threads = ThreadPoolExecutor(5)
    with serving(settings(mongodb_uri, database.name, limits__drain="600")) as gateway:
        headers = {"Authorization": f"Bearer {TOKENS['READ']}"}
        url = f"{gateway.url}/jobs/{job.uuid}?until=FINISHED&wait={LONG}"
        asked = [threads.submit(httpx.get, url, headers=headers, timeout=40, trust_env=False) for _ in range(5)]
        eventually(lambda: waiters(gateway) == 5)
    with threads:
        answers = [one.result(1) for one in asked]
    assert [(answer.status_code, answer.json()["result"]["reached"]) for answer in answers] == [(200, False)] * 5


class Finds(monitoring.CommandListener):
    """Counts the looks of the feed, and the reads of single jobs."""

    def __init__(self) -> None:
        self.looks = 0
        self.reads = 0

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name == "find" and event.command["find"] == "jobs":
            self.looks += "updated" in event.command["filter"]
            self.reads += "uuid" in event.command["filter"]

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        pass

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        pass


@pytest.fixture
def finds() -> Iterator[Finds]:
    counted = Finds()
    monitoring.register(counted)
    yield counted
    monitoring._LISTENERS.command_listeners.remove(counted)


THOUSAND: Final = 1000


def test_a_thousand_waiters_cost_one_look(
    mongodb_uri: str, database: Database[Any], jobs: Documents, new_job: Callable[[], StoredJob], finds: Finds
) -> None:
    descriptors.allow(THOUSAND * 2)
    waited = [new_job() for _ in range(10)]
    with serving(settings(mongodb_uri, database.name)) as gateway:
        feed = gateway.parts.feed

        async def clients() -> list[Any]:
            opened = await asyncio.gather(*[one(waited[number % len(waited)]) for number in range(THOUSAND)])
            while listening(gateway) < THOUSAND:
                await asyncio.sleep(0.05)
            looks, reads, threads = finds.looks, finds.reads, threading.active_count()
            while finds.looks < looks + 3:
                await asyncio.sleep(0.05)
            assert finds.reads == reads, "a waiter asks the database nothing while it waits"
            assert threading.active_count() <= threads
            assert feed.waiters.count == THOUSAND
            for job in waited:
                await asyncio.to_thread(gateway.post, job.event("run"))
            answered = await asyncio.gather(*[_answer(reader) for reader, _ in opened])
            for _, writer in opened:
                writer.close()
            assert finds.reads - reads <= THOUSAND + 10 * len(waited)
            return answered

        async def one(job: StoredJob) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
            writer.write(_request(job, until="RUNNING", wait=LONG))
            return reader, writer

        answered = asyncio.run(asyncio.wait_for(clients(), 120))
        assert [answer["reached"] for answer in answered] == [True] * THOUSAND
        eventually(lambda: feed.waiters.count == 0 and feed._task is None)


async def _answer(reader: asyncio.StreamReader) -> Any:
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), head
    length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    return json.loads(await reader.readexactly(length))["result"]
