"""The cost of the journal: events for jobs that another program writes too, against the manager's own jobs."""

from collections.abc import Iterator

from tools.bench import jobs, wrk
from tools.bench.deployment import Deployment
from tools.bench.figure import Figure, at_least
from tools.bench.size import Size

_JOBS = 4_000
"""Jobs for each second of load."""


def figures(deployment: Deployment, size: Size) -> Iterator[Figure]:
    """At sixteen in flight and at one, in turns. Two databases, because once another program is known to write to a
    database, the journal is used for all its jobs."""
    ratios: dict[int, list[float]] = {16: [], 1: []}
    with (
        deployment.database("bench_own") as own,
        deployment.gateway(own.name) as of_own,
        deployment.database("bench_others") as others,
        deployment.gateway(others.name) as of_others,
    ):
        sides = [(own, of_own, True), (others, of_others, False)]
        for database, gateway, are_own in sides:  # not measured: the first events also pay for connections
            wrk.send(gateway, database, jobs.make(database, 1_000, own=are_own), in_flight=16, seconds=1)
        for _ in range(size.rounds):
            for in_flight, found in ratios.items():
                rates = []
                for database, gateway, are_own in sides:
                    made = jobs.make(database, size.seconds * _JOBS, own=are_own)
                    rates.append(wrk.send(gateway, database, made, in_flight=in_flight, seconds=size.seconds).rate)
                found.append(rates[1] / rates[0])
                print(f"  {in_flight}: own jobs {rates[0]:.0f} events/s, others' {rates[1]:.0f}", flush=True)
    yield Figure("others' jobs: 16 in flight, events/s", "own jobs", ratios[16], at_least(0.5))
    yield Figure("others' jobs: one sender, events/s", "own jobs", ratios[1], at_least(0.5))
