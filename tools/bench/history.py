"""The cost of an event for a job with a long history.

Measured through a gateway, as a sender sees it; and in the manager alone, with an id from the sender, for which the
older history has to be searched.
"""

import statistics
from collections.abc import Callable, Iterator
from typing import Final

from pymongo.database import Database

from pipelinejobs.diagnose import snapshot
from pipelinejobs.store.history import KEPT_SHARE, HistoryLimits
from tools.bench import jobs
from tools.bench.deployment import Broken, Deployment
from tools.bench.figure import Figure, Goal, at_most
from tools.bench.handling import Handling, handling
from tools.bench.jobs import Document, Job
from tools.bench.sending import sending
from tools.bench.size import Size

_EMBEDDED: Final = HistoryLimits().entries
_KEPT: Final = int(_EMBEDDED * KEPT_SHARE) - 1
"""Events that stay in the job when older ones are moved out."""
_BETWEEN: Final = _EMBEDDED - 1 - _KEPT - 1
"""Events between two moves."""
_SHORT: Final = 10
"""Events that a job with a short history gets before it is replaced, so that its history stays short."""
_TOGETHER: Final = 5_000


_Timed = Callable[[Job], float]
"""Sends one event for a job, and returns the seconds that it took."""


def figures(deployment: Deployment, size: Size) -> Iterator[Figure]:
    """The longer histories against the shortest, one event each in turn."""
    with (
        deployment.database("bench_history") as database,
        deployment.gateway(database.name) as gateway,
        handling(deployment, database.name) as manager,
        sending(gateway) as sender,
    ):
        long = {length: _long(database, length) for length in size.lengths if length > _KEPT}
        yield from _compared(database, "", sender.seconds, size, long, at_most(1.2))
        yield from _compared(database, ", in the manager alone, with an id of its own", manager.seconds, size, long)
        for job in long.values():
            _check(manager, job)


def _compared(
    database: Database[Document], how: str, timed: _Timed, size: Size, long: dict[int, Job], goal: Goal | None = None
) -> Iterator[Figure]:
    means: dict[int, list[float]] = {length: [] for length in size.lengths}
    for job in jobs.make(database, 50):
        timed(job)  # not measured: the first events also pay for connections
    for _ in range(size.rounds):
        seconds = _round(database, timed, size, long)
        for length, of_length in seconds.items():
            means[length].append(statistics.mean(of_length))
        print("  " + ", ".join(f"{length}: {of[-1] * 1000:.2f} ms" for length, of in means.items()) + how, flush=True)
    first, *longer = size.lengths
    for length in longer:
        ratios = [one / short for one, short in zip(means[length], means[first], strict=True)]
        yield Figure(f"an event after {length:,} others{how}", f"after {first}", ratios, goal)


def _round(database: Database[Document], timed: _Timed, size: Size, long: dict[int, Job]) -> dict[int, list[float]]:
    seconds: dict[int, list[float]] = {length: [] for length in size.lengths}
    for number in range(size.moves * _BETWEEN):
        if number % _SHORT == 0:
            short = {
                length: jobs.make(database, 1, entries=max(0, length - _SHORT // 2))[0]
                for length in size.lengths
                if length not in long
            }
        for length, of_length in seconds.items():
            of_length.append(timed(long.get(length) or short[length]))
    return seconds


def _long(database: Database[Document], events: int) -> Job:
    """A job with so many events, of which the older ones are moved out, as `store.history` does."""
    made = jobs.document(_KEPT)
    moment, life = made["updated"], made["history"][0]["uuid"]
    moved = events - _KEPT
    made |= {"_moved": moved, "_life": life, "_attempt": life}
    made["_properties"]["revision"] = events
    for first in range(0, moved, _TOGETHER):
        rows = []
        for place in range(first, min(first + _TOGETHER, moved)):
            entry = jobs.entry(moment)
            key = {"_id": f"{life}:{entry['uuid']}", "job": made["uuid"], "life": life, "seq": place}
            rows.append(key | {"uuid": entry["uuid"], "entry": entry})
        database["jobs_history"].insert_many(rows)
    database["jobs"].insert_one(made)
    return jobs.known(made)


def _check(manager: Handling, job: Job) -> None:
    """Raises Broken unless the product finds the history complete, including the part that was created here."""
    read = snapshot.take_snapshot(manager.store, job.uuid)
    if read is None:
        raise Broken(f"job {job.uuid} is lost")
    if read.problems:
        raise Broken(f"job {job.uuid}: {read.problems[0]}")
    if not manager.store.history.moved_entries([(read.job, read.history[1].uuid)]):
        raise Broken(f"job {job.uuid}: its oldest event is not where the product looks for it")
