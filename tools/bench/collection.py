"""The cost of an event in a collection with very many jobs."""

import random
from collections.abc import Iterator
from statistics import mean

from pymongo.database import Database

from tools.bench import jobs
from tools.bench.deployment import Deployment
from tools.bench.figure import Figure, at_most
from tools.bench.handling import handling
from tools.bench.jobs import Document, Job
from tools.bench.size import Size

_TOGETHER = 10_000


def figures(deployment: Deployment, size: Size) -> Iterator[Figure]:
    """A large collection against a small one, one event each in turn."""
    with deployment.database("bench_small") as small, deployment.database("bench_large") as large:
        few = jobs.make(small, size.small)
        some = _sample(large, size.jobs, size.rounds * size.events)
        deployment.client.admin.command("fsync")  # so that the new jobs are not written to disk later
        ratios = []
        with handling(deployment, small.name) as in_small, handling(deployment, large.name) as in_large:
            for one in range(size.small // 10):
                in_small.seconds(few[one])
                in_large.seconds(some[one])
            for number in range(size.rounds):
                seconds: tuple[list[float], list[float]] = ([], [])
                for job in some[number * size.events : (number + 1) * size.events]:
                    seconds[0].append(in_small.seconds(random.choice(few)))  # noqa: S311 - any will do
                    seconds[1].append(in_large.seconds(job))
                cheap, dear = map(mean, seconds)
                ratios.append(dear / cheap)
                print(f"  {len(few):,} jobs: {cheap * 1000:.2f} ms, {size.jobs:,}: {dear * 1000:.2f} ms", flush=True)
    yield Figure(f"an event among {size.jobs:,} jobs", f"among {size.small:,}", ratios, at_most(1.2))


def _sample(database: Database[Document], number: int, wanted: int) -> list[Job]:
    """Stores `number` jobs, and returns a random sample of at least `wanted`."""
    parts = -(-number // _TOGETHER)
    sample: list[Job] = []
    for _ in range(parts):
        sample += random.sample(jobs.make(database, number // parts), -(-wanted // parts))
    random.shuffle(sample)
    return sample
