"""Several processes serve at one port: they count together, one that dies is replaced, and they end together."""

import os
import re
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from pymongo.database import Database

from support.gateway import TOKENS, eventually
from support.process import NewJob, StoredJob
from support.served import Served, gateway_environment, served

PROCESSES: Final = 3
SECONDS: Final = 60.0


@pytest.fixture
def variables(mongodb_uri: str, database: Database[Any]) -> dict[str, str]:
    return gateway_environment(
        mongodb_uri,
        database.name,
        _REACTOR_GATEWAY_PROCESSES=str(PROCESSES),
    )


@pytest.fixture
def gateway(variables: dict[str, str], tmp_path: Path) -> Iterator[Served]:
    with served(variables, tmp_path) as running:
        eventually(lambda: len(started(running)) == PROCESSES - 1, SECONDS)
        yield running


def started(gateway: Served) -> list[int]:
    """The processes that the gateway's first one has started."""
    return children(gateway.process.pid)


def children(parent: int) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = entry.read_text().rpartition(")")[2].split()
            if int(fields[1]) == parent and fields[0] != "Z":
                found.append(int(entry.parent.name))
    return found


def is_alive(process: int) -> bool:
    with suppress(OSError):
        return (Path("/proc") / str(process) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def posted(gateway: Served, job: StoredJob, number: int) -> int:
    """Sends events, each over its own connection, until each process has handled some."""
    return sum(gateway.post(job.event("update")).status_code == 200 for _ in range(number))


def workers(gateway: Served, database: Database[Any]) -> set[str]:
    """The processes that have handled something, by the executions that they kept."""
    return {row["gateway"] for row in database["gateway_executions"].find({}, {"gateway": 1})}


def until_all_have_worked(gateway: Served, job: StoredJob, database: Database[Any]) -> int:
    """Sends events until every process has had one. Returns how many."""
    sent, until = 0, time.monotonic() + SECONDS
    while len(workers(gateway, database)) < PROCESSES:
        assert time.monotonic() < until
        sent += posted(gateway, job, 20)
    return sent


def applied(gateway: Served) -> float:
    text = httpx.get(f"{gateway.url}/metrics", trust_env=False).text
    found = re.findall(r'^pipelinejobs_verdicts_total\{kind="command",verdict="applied"\} (\S+)$', text, re.MULTILINE)
    return sum(map(float, found))


@pytest.mark.promise("P2")
def test_they_share_the_work_and_count_together(gateway: Served, new_job: NewJob, database: Database[Any]) -> None:
    job = new_job()
    sent = until_all_have_worked(gateway, job, database)
    assert job.names.count("update") == sent
    assert [applied(gateway) for _ in range(6)] == [sent] * 6
    for _ in range(10):  # any process may have handled the message, and any may answer
        answer = gateway.post(job.event("update")).json()["result"]
        execution = httpx.get(
            answer["_links"]["self"],
            headers={"Authorization": f"Bearer {TOKENS['EXECUTE']}"},
            trust_env=False,
        )
        assert execution.status_code == 200
    assert gateway.end() == 0


@pytest.mark.promise("F15")
def test_one_that_dies_is_replaced_and_what_it_has_counted_stays(gateway: Served, new_job: NewJob) -> None:
    job = new_job()
    sent = posted(gateway, job, 40)
    before = started(gateway)
    os.kill(before[0], signal.SIGKILL)
    eventually(lambda: len(started(gateway)) == PROCESSES - 1 and before[0] not in started(gateway), SECONDS)
    sent += posted(gateway, job, 40)
    assert applied(gateway) == sent == job.names.count("update")
    assert "starting another" in gateway.log.read_text()
    assert gateway.end() == 0


@pytest.mark.promise("F15")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_they_end_together(gateway: Served, number: int) -> None:
    all_of_them = started(gateway)
    assert gateway.end(number) == 0
    assert not [process for process in all_of_them if is_alive(process)]


@pytest.mark.promise("P8")
def test_when_the_first_is_killed_the_others_end_by_themselves(
    gateway: Served, new_job: NewJob, database: Database[Any]
) -> None:
    until_all_have_worked(gateway, new_job(), database)
    all_of_them = started(gateway)
    (counters,) = {
        re.findall(rb"PROMETHEUS_MULTIPROC_DIR=([^\0]+)", (Path("/proc") / str(process) / "environ").read_bytes())[0]
        for process in all_of_them
    }
    gateway.process.kill()
    gateway.process.wait()
    eventually(lambda: not [process for process in all_of_them if is_alive(process)], SECONDS)
    assert not Path(counters.decode()).exists()


def test_with_a_mongod_of_their_own(variables: dict[str, str], tmp_path: Path, nothing_left: None) -> None:
    own = {name: text for name, text in variables.items() if "MONGODB" not in name}
    with served({**own, "_REACTOR_MONGODB_EMBEDDED_DIRECTORY": str(tmp_path / "mongodb")}, tmp_path) as running:
        eventually(lambda: len(started(running)) >= PROCESSES - 1, SECONDS)
        assert httpx.get(f"{running.url}/readyz", trust_env=False).status_code == 200
        assert running.end() == 0


def test_the_waiting_requests_of_other_processes_are_counted(gateway: Served, job: StoredJob) -> None:
    """One process is asked for the metrics while the others, and they alone, have requests that wait."""
    headers = {"Authorization": f"Bearer {TOKENS['READ']}"}
    others = started(gateway)

    def ask() -> int:
        query: dict[str, Any] = {"until": "RUNNING", "wait": 50}
        url = f"{gateway.url}/jobs/{job.uuid}"
        return httpx.get(url, params=query, headers=headers, timeout=90, trust_env=False).status_code

    def are_counted() -> bool:
        return "\npipelinejobs_waiters 12.0\n" in scraper.get(f"{gateway.url}/metrics").text

    def opened() -> int:
        return sum(len(list((Path("/proc") / str(process) / "fd").iterdir())) for process in others)

    with httpx.Client(trust_env=False, timeout=SECONDS) as scraper, ThreadPoolExecutor(12) as threads:
        for process in others:
            os.kill(process, signal.SIGSTOP)
        assert not are_counted(), "the connection stays with the first process"
        for process in others:
            os.kill(process, signal.SIGCONT)
        before = opened()
        gateway.process.send_signal(signal.SIGSTOP)
        asked = [threads.submit(ask) for _ in range(12)]
        eventually(lambda: opened() >= before + 12, SECONDS)
        gateway.process.send_signal(signal.SIGCONT)
        eventually(are_counted, 40)
        gateway.post(job.event("run"))
        assert [one.result(SECONDS) for one in asked] == [200] * 12
