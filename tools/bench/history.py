"""What an event costs on jobs to which much has happened already.

It is measured as its sender meets it, through a gateway; and in the manager alone, with an id of the sender's own, for
which older history has to be asked whether it has it already.
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
"""Events that a job keeps when it has moved the others out."""
_BETWEEN: Final = _EMBEDDED - 1 - _KEPT - 1
"""Events between two moves."""
_SHORT: Final = 10
"""Events in a row on a job with a short history, which must stay short."""
_TOGETHER: Final = 5_000


_Timed = Callable[[Job], float]
"""Has an event happen to a job, and says how many seconds it took."""


def figures(deployment: Deployment, size: Size) -> Iterator[Figure]:
    """The longer ones against the shortest, event by event in turn."""
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
        timed(job)  # the first ones pay for connections
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
    """A job with so many events, the older of them moved out as `store.history` does it."""
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
    """Whether the product finds its history in order, the part that was made here included."""
    read = snapshot.take_snapshot(manager.store, job.uuid)
    if read is None:
        raise Broken(f"job {job.uuid} is lost")
    if read.problems:
        raise Broken(f"job {job.uuid}: {read.problems[0]}")
    if not manager.store.history.moved_entries([(read.job, read.history[1].uuid)]):
        raise Broken(f"job {job.uuid}: its oldest event is not where the product looks for it")
