"""20 000 events of one job, with a process that dies in the middle of moving its history again and again."""

import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from pymongo.database import Database

from pipelinejobs.diagnose.snapshot import take_snapshot
from pipelinejobs.store import Store
from support.process import StoredJob, insert_job

pytestmark = [
    pytest.mark.slow,
    pytest.mark.promise("S20"),
    pytest.mark.promise("P1"),
    pytest.mark.promise("P8"),
    pytest.mark.promise("P5"),
]

EVENTS: Final = 20_000
FEEDER: Final = Path(__file__).resolve().parents[2] / "support" / "feeder.py"
LATER: Final = range(4)
"""Where a move is broken off: as its copies are sent, when they are there, as the originals are removed, after that."""
LARGEST: Final = 5 * 1024 * 1024
"""Bytes: history.embedded_bytes, and some room for the rest of a document."""
REPEATED: Final = 20


class Feeding:
    """Feeds a job until all entries are in it, although the feeding processes die."""

    def __init__(self, uri: str, database: str, job: StoredJob, directory: Path) -> None:
        self._arguments = (uri, database, job.uuid)
        self._job = job
        self._directory = directory
        self.acknowledged: list[int] = []
        self.repeated = 0
        self.killed = 0

    def run(self, point: str, end: int) -> None:
        """One feeder, which goes on where the last one died."""
        first = self.acknowledged[-1] + 1 if self.acknowledged else 0
        file = self._directory / "points"
        file.unlink(missing_ok=True)
        done = subprocess.run(
            [sys.executable, str(FEEDER), str(file), point, *self._arguments, str(first), str(end)],
            input=self._job.token,
            capture_output=True,
            text=True,
            timeout=300,
        )
        for line in done.stdout.splitlines():
            number, verdict = line.split()
            # What was written by a feeder that died before it could say so is known by its id.
            assert verdict == "applied" or (verdict == "duplicate" and int(number) == first), line
            self.repeated += verdict == "duplicate"
            self.acknowledged.append(int(number))
        self.killed += done.returncode == -9
        assert done.returncode in (0, -9), done.stderr


def test_nothing_is_lost(mongodb_uri: str, database: Database[Any], jobs: Any, store: Store, tmp_path: Path) -> None:
    job = insert_job(jobs)
    store.ensure_indexes()
    feeding = Feeding(mongodb_uri, database.name, job, tmp_path)
    rounds = idle = 0
    sizes = []
    while not feeding.acknowledged or feeding.acknowledged[-1] < EVENTS - 1:
        # A move happens once in four hundred events; each feeder dies in its second one or so.
        before = len(feeding.acknowledged)
        feeding.run(f"before insert jobs_history {1 + rounds % 3} +{LATER[rounds % 4]}", EVENTS)
        rounds += 1
        idle = idle + 1 if len(feeding.acknowledged) == before else 0
        assert idle < len(LATER), "each feeder dies at the same event: an interrupted move cannot be continued"
        (size,) = jobs.aggregate([{"$match": {"uuid": job.uuid}}, {"$project": {"size": {"$bsonSize": "$$ROOT"}}}])
        sizes.append(size["size"])
    assert feeding.killed >= 20
    assert max(sizes) <= LARGEST
    assert feeding.acknowledged == list(range(EVENTS))

    entries = store.history.entries(job.uuid)
    assert next(entries).name == "create"
    assert [entry.data["number"] for entry in entries if entry.data is not None] == list(range(EVENTS))
    assert len(job.stored()["history"]) <= 500
    read = take_snapshot(store, job.uuid)
    assert read is not None
    assert not read.problems
    assert read[0].revision == EVENTS
    pages_are_the_same(store.history.page, job.uuid)
    old_events_are_known(feeding, job, store)


def pages_are_the_same(page: Callable[[str, int, int], Any], job: str) -> None:
    """Read in pieces, wherever these begin and end."""
    for offset in (0, 1, 499, 9_999, EVENTS - 700, EVENTS - 1, EVENTS):
        given = page(job, offset, 1200).entries
        numbers = [entry.data["number"] for entry in given if entry.name == "update"]
        assert numbers == list(range(max(offset - 1, 0), min(offset + 1199, EVENTS)))


def old_events_are_known(feeding: Feeding, job: StoredJob, store: Store) -> None:
    """Sent again, wherever they are kept by now, they change nothing."""
    before = job.stored()
    chosen = sorted(random.Random(20_000).sample(range(EVENTS), REPEATED))
    for number in chosen:
        feeding.acknowledged = [number - 1] if number else []
        feeding.run("none", number + 1)
    assert feeding.repeated >= REPEATED
    assert job.stored() == before
