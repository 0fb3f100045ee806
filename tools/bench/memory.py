"""The memory of a gateway, before and after many events."""

from collections.abc import Iterator
from pathlib import Path

from tools.bench import jobs, wrk
from tools.bench.deployment import Deployment
from tools.bench.figure import Figure, at_most
from tools.bench.size import Size
from tools.chaos.gateways import Gateway

_FIRST = 1_000


def figures(deployment: Deployment, size: Size) -> Iterator[Figure]:
    """The memory after the first and after all events."""
    with deployment.database("bench_memory") as database, deployment.gateway(database.name) as gateway:
        done, held = 0, dict[int, int]()
        while done < size.lifetime:
            seconds = 1 if done < _FIRST else size.seconds
            made = jobs.make(database, seconds * 2_000)
            done += wrk.send(gateway, database, made, in_flight=16, seconds=seconds).events
            held[done] = _kibibytes(gateway)
            print(f"  after {done:,} events {held[done] / 1024:.1f} MiB", flush=True)
    first = next(events for events in held if events >= _FIRST)
    growth = held[done] / held[first]
    yield Figure(f"memory of the gateway after {done:,} events", f"after {first:,}", [growth], at_most(1.1))


def _kibibytes(gateway: Gateway) -> int:
    """The resident memory of all processes of a gateway."""
    pid = gateway.process.pid
    further = Path(f"/proc/{pid}/task").glob("*/children")
    pids = [pid, *(int(child) for children in further for child in children.read_text().split())]
    rows = [row for one in pids for row in Path(f"/proc/{one}/status").read_text().splitlines()]
    return sum(int(row.split()[1]) for row in rows if row.startswith("VmRSS:"))
