"""The first token of each new job is remembered before another program can change the salt.

python-datacatalog's `setup()` makes a job, and puts its token into the callback URLs for good. Seconds later its
`run()` changes the salt, and after that the token can no longer be computed. So the gateway looks for new jobs all the
time. A look costs a find by an index that holds nothing but jobs to which nothing has happened yet, on a replica set
and on a standalone server alike; any number of gateways may look.
"""

from collections import deque
from itertools import islice, takewhile
from time import monotonic
from typing import Final

from pipelinejobs.core.job import Job
from pipelinejobs.core.tokens import salt_hash
from pipelinejobs.store import Store, within

_MOST: Final = 500
_LOOK_SECONDS: Final = 5.0
_AGAIN_SECONDS: Final = (2.0, 8.0)
"""When it is made sure that the token is still there: a program that had read the job before may have replaced all."""


class NewJobTokens:
    """Looks for new jobs and remembers their tokens."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._later: tuple[deque[tuple[float, Job, str]], ...] = tuple(deque() for _ in _AGAIN_SECONDS)

    def look(self) -> int:
        """Remembers the tokens of the jobs that are new, and of those that have lost theirs again.

        Returns:
            How many.

        Raises:
            Unavailable: the database cannot be asked; the next look finds the same jobs.
        """
        with within(_LOOK_SECONDS):
            new = [
                (job, salt_hash(job, job.salt))
                for job in self._store.new_jobs.unseen(_MOST)
                if job.salt is not None and job.uuid
            ]
            count = self._store.new_jobs.remember(new) if new else 0
            count += self._look_again()
            self._look_later(0, new)
            return count

    def _look_later(self, number: int, rows: list[tuple[Job, str]]) -> None:
        if number < len(_AGAIN_SECONDS):
            due = monotonic() + _AGAIN_SECONDS[number]
            self._later[number].extend((due, *row) for row in rows)

    def _look_again(self) -> int:
        count, now = 0, monotonic()
        for number, line in reversed(list(enumerate(self._later))):
            due = [row[1:] for row in takewhile(lambda row: row[0] <= now, islice(line, _MOST))]
            if due:
                count += self._store.new_jobs.remember(due)
                self._look_later(number + 1, due)
                for _ in due:
                    line.popleft()
        return count


def replace_salts(store: Store) -> int:
    """Replaces the salts that a former version has stored in jobs by hashes. All jobs are looked through.

    Returns:
        In how many jobs. Damaged ones, which cannot be written to, are left as they are.

    Raises:
        Unavailable: the database cannot be asked; what is not done yet stays readable and may be done later.
    """
    jobs, count = store.new_jobs.outdated(), 0
    while batch := list(islice(jobs, _MOST)):
        count += store.new_jobs.renew(batch)
    return count
