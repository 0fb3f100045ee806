"""Events through the gateway, against the raw driver with the same guarded writes."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from pymongo.database import Database

from tools.bench import jobs, wrk
from tools.bench.deployment import Broken, Deployment
from tools.bench.figure import Figure, at_least, at_most
from tools.bench.jobs import Document, Job
from tools.bench.size import Size
from tools.bench.wrk import Answers
from tools.chaos.gateways import Gateway

_FEW_JOBS, _MANY_JOBS = 1_500, 4_000
"""Jobs for each second of load, for one sender and for many. If they are used up, the raw driver ends early, and
senders start again with the first."""


@dataclass(frozen=True, slots=True)
class _Load:
    """Runs the load on the gateway and on the raw driver, each time with new jobs."""

    deployment: Deployment
    database: Database[Document]
    through: Gateway
    seconds: int

    def gateway(self, senders: int) -> Answers:
        """Runs the load on the gateway."""
        return wrk.send(self.through, self.database, self._jobs(senders), in_flight=senders, seconds=self.seconds)

    def raw(self, threads: int, *, reads: bool) -> Answers:
        """Runs the load on the raw driver; see `tools.bench.raw`.

        Raises:
            Broken: the raw driver failed.
        """
        asked = (self.deployment.uri, self.database.name, str(threads), str(self.seconds), "yes" if reads else "no")
        done = subprocess.run(  # noqa: S603 - words of ours
            [sys.executable, "-m", "tools.bench.raw", *asked],
            input="\n".join(job.uuid for job in self._jobs(threads)),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode or done.stderr:
            raise Broken(f"the raw driver failed: {done.stderr[-500:]}")
        return Answers(**json.loads(done.stdout.splitlines()[-1]))

    def _jobs(self, senders: int) -> list[Job]:
        return jobs.make(self.database, self.seconds * (_FEW_JOBS if senders == 1 else _MANY_JOBS))


def figures(deployment: Deployment, size: Size) -> Iterator[Figure]:
    """With one, sixteen and sixty-four events in flight."""
    of_16, of_64, of_one, p99 = [], [], [], []
    with deployment.database("bench_throughput") as database, deployment.gateway(database.name) as gateway:
        load = _Load(deployment, database, gateway, size.seconds)
        load.gateway(16)  # not measured: the first events also pay for connections
        for _ in range(size.rounds):
            raw, few, many = load.raw(16, reads=False), load.gateway(16), load.gateway(64)
            raw_one, one = load.raw(1, reads=True), load.gateway(1)
            of_16.append(few.rate / raw.rate)
            of_64.append(many.rate / raw.rate)
            of_one.append(one.rate / raw_one.rate)
            p99.append(few.p99 / raw.p99)
            print(
                f"  16: raw {_told(raw)}, gateway {_told(few)}; 64: gateway {_told(many)}; "
                f"1: raw {_told(raw_one)}, gateway {_told(one)}",
                flush=True,
            )
    yield Figure("gateway: 16 in flight, events/s", "raw driver, 16 threads", of_16, at_least(0.9))
    yield Figure("gateway: 64 in flight, events/s", "raw driver, 16 threads", of_64, at_least(1.3))
    yield Figure("gateway: one sender, events/s", "raw driver, one thread", of_one, at_least(0.8))
    yield Figure("gateway: 16 in flight, p99", "raw driver, 16 threads", p99, at_most(1.0))


def _told(answers: Answers) -> str:
    return f"{answers.rate:.0f}/s (p99 {answers.p99 * 1000:.1f} ms)"
