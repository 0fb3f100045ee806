"""The baseline for throughput: the raw driver makes the same reads and guarded writes as the store, and nothing else.

Runs in a process of its own, `python -m tools.bench.raw URI DATABASE THREADS SECONDS READS`. It reads uuids from stdin,
one in each line, and writes one event to each job until the time is over. The last line on stdout is the result, as
JSON.
"""

import json
import math
import sys
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from pymongo.collection import Collection

from pipelinejobs.core.decide import decide
from pipelinejobs.core.tokens import Authority
from pipelinejobs.messages.event import Event, Kind
from pipelinejobs.store import job_document, job_update
from pipelinejobs.store.connection import connect
from pipelinejobs.util.secret import Secret
from tools.bench.jobs import Document, Job

Write = tuple[str, Document, Document]
"""The uuid of a job, the filter that is the guard, and the update."""


def prepared(jobs: Collection[Document], uuids: Sequence[str]) -> list[Write]:
    """The writes that the store would make, prepared before the measurement starts."""
    now = datetime.now(UTC)
    stored = {one["uuid"]: one for one in jobs.find({"uuid": {"$in": list(uuids)}}, job_document.HEAD)}
    writes = []
    for number, uuid in enumerate(uuids):
        job = job_document.to_job(stored[uuid])
        data = Job(uuid, "").event()["data"]
        shown = (Secret(uuid),)
        event = Event(job=uuid, name="update", kind=Kind.COMMAND, id=f"sender:{number}", data=data, tokens=shown)
        change = decide(job, event, Authority.JOB, now).change
        assert change is not None
        writes.append((uuid, job_update.guard(job, change), job_update.update(job, change, [], "raw")))
    return writes


class Writer(threading.Thread):
    """Makes its share of the writes one after another, and measures each."""

    def __init__(self, jobs: Collection[Document], writes: Sequence[Write], until: float, reads: bool) -> None:
        super().__init__()
        self._jobs, self._writes, self._until, self._reads = jobs, writes, until, reads
        self.seconds: list[float] = []

    def run(self) -> None:
        """Writes until the time is over or all writes are made."""
        for uuid, guard, update in self._writes:
            began = time.perf_counter()
            if began > self._until:
                return
            if self._reads:
                self._jobs.find_one({"uuid": {"$eq": uuid}}, job_document.HEAD)
            if self._jobs.update_one(guard, update).matched_count != 1:
                raise ValueError(f"the guard of {uuid} did not match")
            self.seconds.append(time.perf_counter() - began)


def p99(seconds: Sequence[float]) -> float:
    """The 99th percentile, computed as wrk does.

    While a sender waits long for one answer, it would have sent more events, which would have waited too. wrk adds
    these, at intervals of the average response time.
    """
    average = sum(seconds) / len(seconds)
    with_others = sorted(
        second - average * number for second in seconds for number in range(max(1, math.ceil(second / average) - 1))
    )
    return with_others[int(len(with_others) * 0.99)]


def main(uri: str, database: str, threads: str, seconds: str, reads: str) -> None:
    """Runs the writers, and prints the result."""
    jobs = connect(Secret(uri), database, timeout=10)["jobs"]
    number = int(threads)
    writes = prepared(jobs, sys.stdin.read().split())
    began = time.perf_counter()
    writers = [Writer(jobs, writes[at::number], began + float(seconds), reads == "yes") for at in range(number)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    took = time.perf_counter() - began
    each = [second for writer in writers for second in writer.seconds]
    print(json.dumps({"events": len(each), "seconds": took, "p99": p99(each)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
