"""Many senders that send events for the same job."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from pipelinejobs.core import identity
from pipelinejobs.messages.event import Event, Kind
from pipelinejobs.store import Store
from tools.bench import jobs, wrk
from tools.bench.deployment import Broken, Deployment
from tools.bench.figure import Figure, at_least
from tools.bench.jobs import Job
from tools.bench.size import Size


def figures(deployment: Deployment, size: Size) -> Iterator[Figure]:
    """Sixteen senders against one, each time with a new job."""
    services = deployment.services("bench_contended")
    ratios = []
    with deployment.database("bench_contended") as database, deployment.gateway(database.name) as gateway:
        wrk.send(gateway, database, jobs.make(database, 1_000), in_flight=16, seconds=1)  # not measured
        for _ in range(size.rounds):
            rates = {}
            for in_flight in (1, 16):
                (job,) = jobs.make(database, 1)
                acknowledged = deployment.directory / "acknowledged"
                answers = wrk.send(
                    gateway, database, [job], in_flight=in_flight, seconds=size.seconds, acknowledged=acknowledged
                )
                _check(services.store, job, acknowledged, answers.events)
                rates[in_flight] = answers.rate
            ratios.append(rates[16] / rates[1])
            print(f"  one sender {rates[1]:.0f} events/s, sixteen {rates[16]:.0f}; no event lost", flush=True)
    services.store.close()
    yield Figure("one job, 16 senders, none lost", "one sender", ratios, at_least(0.5))


def _check(store: Store, job: Job, acknowledged: Path, events: int) -> None:
    """Raises Broken unless each acknowledged event is in the job's history exactly once."""
    executions = acknowledged.read_text().split()
    if len(executions) < events:
        raise Broken(f"of {events} acknowledged events only {len(executions)} are known")
    stored = store.jobs.load(job.uuid)
    if stored is None:
        raise Broken(f"job {job.uuid} is lost")
    times = Counter(entry.uuid for entry in store.history.entries(job.uuid, with_data=False))
    for execution in executions:
        event = Event(job=job.uuid, name="update", kind=Kind.COMMAND, id=f"execution:{execution}")
        found = times[identity.entry_uuid(stored, event)]
        if found != 1:
            raise Broken(f"an acknowledged event is {found} times in the history of job {job.uuid}")
