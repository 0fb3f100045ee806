"""The one-shot run is killed before and after each of its effects; afterwards everything is as it should be.

What each kind of run does to the world is written down here, in order: a new effect has to be added, and is then
crashed at. Nothing is repaired by hand afterwards: the sender sends again, and others send messages of their own.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from pipelinejobs.diagnose.snapshot import take_snapshot
from pipelinejobs.store import Store
from support.dump import dump
from support.process import CheckedAbaco, NewJob, StoredJob, callback
from tools.demo.abaco import finished
from tools.demo.indexer import Indexer

pytestmark = [
    pytest.mark.promise("P8"),
    pytest.mark.promise("P1"),
    pytest.mark.promise("F6"),
    pytest.mark.promise("F7"),
]

LAUNCHER = Path(__file__).resolve().parents[1] / "support" / "crash.py"
SETTINGS = {
    "_REACTOR_LIMITS_INDEXER": "1",
    "_REACTOR_OUTBOX_FIRST_DELAY": "2",
    "_REACTOR_HISTORY_EMBEDDED": "6",
    "_REACTOR_REFUSED_PER_JOB": "1",
}
BOUND = 30.0


@dataclass
class World:
    """What a run works on."""

    abaco: CheckedAbaco
    job: StoredJob
    indexer: Indexer

    def send(self, body: Any = None, parameters: dict[str, str] | None = None) -> str:
        verdict: str = self.abaco.send(body, parameters or {}).verdict["verdict"]
        return verdict


def created(world: World) -> None:
    """A new job."""


def dead_indexer(world: World) -> None:
    """A new job, while the Indexer answers nothing but 500."""
    world.indexer.status = 500


def long_history(world: World) -> None:
    """A job with the longest history that the document holds; older entries were moved before."""
    for number in range(7):
        assert world.send(world.job.event("update", {"number": number})) == "applied"


def refused_before(world: World) -> None:
    """A job for which as many refusals are kept as may be."""
    assert world.send(world.job.event("retire")) == "illegal"


def made_again(world: World) -> None:
    """A job that was made again in place after its former life had ended."""
    assert world.send(world.job.event("run")) == "applied"
    stored = world.job.stored()
    first = stored["history"][0] | {"uuid": "108e1d5c-0000-5000-8000-000000000001"}
    again = {"state": "CREATED", "last_event": "create", "history": [first], "_properties.revision": 0}
    world.job.jobs.update_one({"_id": stored["_id"]}, {"$set": again})


@dataclass(frozen=True)
class Kind:
    """One kind of run: the world before, the message, and every effect of the run in order."""

    begin: Callable[[World], None]
    message: Callable[[StoredJob], tuple[Any, dict[str, str]]]
    effects: tuple[str, ...]
    entries: tuple[str, ...]

    def before(self, world: World) -> None:
        """Makes the world before. How long that took must not matter: no run finds old rows in the journal."""
        self.begin(world)
        world.job.jobs.database["jobs_journal"].delete_many({})


def finish(job: StoredJob) -> tuple[Any, dict[str, str]]:
    return callback("agave", "FINISHED"), job.url()


def update(job: StoredJob) -> tuple[Any, dict[str, str]]:
    return job.event("update", {"number": "last"}), {"x_event_id": "last"}


SENT = ("update jobs 1", "update jobs_journal 1", "answer 1", "findAndModify jobs 1", "send 1", "update jobs 2")
KINDS = {
    "finish": Kind(created, finish, SENT, ("create", "run", "finish")),
    "finish, and a dead Indexer": Kind(dead_indexer, finish, SENT, ("create", "run", "finish")),
    "update that makes history move": Kind(
        long_history,
        update,
        ("insert jobs_history 1", "update jobs 1", "update jobs 2", "update jobs_journal 1", "answer 1"),
        ("create", *["update"] * 8),
    ),
    "refusal": Kind(
        refused_before,
        lambda job: (job.event("retire"), {"x_event_id": "last"}),
        ("answer 1", "update jobs_refused 1", "delete jobs_refused 1"),
        ("create",),
    ),
    "event in another life": Kind(
        made_again,
        update,
        ("update jobs 1", "update jobs 2", "update jobs_journal 1", "answer 1"),
        ("create", "update"),
    ),
}
POINTS = [
    (kind, f"{when} {effect}") for kind in KINDS for effect in KINDS[kind].effects for when in ("before", "after")
]


@pytest.fixture
def world(abaco: CheckedAbaco, job: StoredJob, indexer: Indexer) -> World:
    return World(abaco.configured(**SETTINGS), job, indexer)


def run(world: World, kind: Kind, file: Path, point: str) -> subprocess.Popen[str]:
    """Runs the actor with the kind's message, to be killed at this point."""
    body, parameters = kind.message(world.job)
    return subprocess.Popen(
        [sys.executable, "-Es", str(LAUNCHER), str(file), point, "reactor.py"],
        env=world.abaco.variables(body, parameters),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("name", KINDS)
def test_these_are_all_the_effects(world: World, name: str, tmp_path: Path) -> None:
    kind = KINDS[name]
    kind.before(world)
    finished(run(world, kind, tmp_path / "points", "none"))
    points = (tmp_path / "points").read_text().splitlines()
    assert points == [f"{when} {effect}" for effect in kind.effects for when in ("before", "after")]


@pytest.mark.parametrize(("name", "point"), POINTS, ids=[f"{name}, {point}" for name, point in POINTS])
def test_killed(
    world: World, new_job: NewJob, store: Store, database: Database[Any], tmp_path: Path, name: str, point: str
) -> None:
    kind = KINDS[name]
    kind.before(world)
    process = run(world, kind, tmp_path / "points", point)
    stdout, _ = process.communicate(timeout=BOUND)
    assert process.returncode == -9, "it was not killed"
    told = json.loads(stdout)["verdict"] if stdout else None
    sound(store, world.job)
    entries = [entry.name for entry in store.history.entries(world.job.uuid)]
    if told == "applied":
        assert tuple(entries) == kind.entries
    world.indexer.status = 200

    assert world.send(*kind.message(world.job)) in ("applied", "duplicate", "illegal")
    assert tuple(entry.name for entry in store.history.entries(world.job.uuid)) == kind.entries
    others_bring_in_what_is_owed(world, new_job())
    sound(store, world.job)
    keys = {request.headers["Idempotency-Key"] for request in world.indexer.received}
    assert len(keys) == ("finish" in kind.entries)
    assert len(list(store.refused.of(world.job.uuid))) == (name == "refusal")
    assert world.job.token not in dump(database)


def sound(store: Store, job: StoredJob) -> None:
    """The state is what the history leads to, and all counts agree."""
    read = take_snapshot(store, job.uuid)
    assert read is not None
    assert not read.problems


def others_bring_in_what_is_owed(world: World, other: StoredJob) -> None:
    """Messages about another job, until the job owes nothing; between them the time that a lease or a pause lasts."""
    until = time.monotonic() + BOUND
    while rows := world.job.stored().get("_outbox"):
        assert time.monotonic() < until, rows
        assert [row["status"] for row in rows] == ["pending"]
        time.sleep(max(0.0, rows[0]["next"].timestamp() - time.time()) + 0.05)
        assert world.send(other.event("update")) == "applied"
