"""Remembers the first token of each new job before another program changes the job's salt.

python-datacatalog's `setup()` makes a job and puts its token into the callback URLs. Seconds later its `run()` changes
the salt, after which the token can no longer be computed. So the gateway looks for new jobs all the time and stores the
hashes of their tokens. A look is one find by an index that contains only jobs without events. Any number of gateways
may look at the same time.
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
"""Seconds after which the token is stored again if it is gone: another program may have replaced the whole document."""


class NewJobTokens:
    """Looks for new jobs and stores the hashes of their tokens."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._later: tuple[deque[tuple[float, Job, str]], ...] = tuple(deque() for _ in _AGAIN_SECONDS)

    def look(self) -> int:
        """Stores the token hashes of new jobs, and of jobs that have lost theirs since.

        Returns:
            The number of jobs that got one.

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
    """Replaces the old salts that a former version stored in jobs by hashes of the tokens. Reads all jobs.

    Returns:
        The number of changed jobs. Damaged jobs, and jobs that get an event meanwhile, are left as they are.

    Raises:
        Unavailable: the database cannot be asked; running this again does the rest.
    """
    jobs, count = store.new_jobs.outdated(), 0
    while batch := list(islice(jobs, _MOST)):
        count += store.new_jobs.renew(batch)
    return count
