"""Asks job systems about quiet jobs, in rounds, in the background.

Each job system has rounds of its own, in a thread of its own, so that one that hangs holds up no other. Of several
gateways, and of the processes of one, only that which has the lease on a job system's rounds asks there
(`store.asked`).
"""

import os
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from itertools import chain, takewhile
from time import monotonic
from typing import Final
from uuid import uuid4

from pipelinejobs.gateway.tasks.periodic import Periodic
from pipelinejobs.service.reconcile import QUESTION_SECONDS, Reconciled, Reconciler
from pipelinejobs.store.asked import AskedJobs, Round
from pipelinejobs.store.connection import LONG_AGO
from pipelinejobs.store.quiet_jobs import Place, QuietJob, QuietJobs, moment
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.log import logger

LEASE_SECONDS: Final = 30.0
"""How long a lease lasts. It is renewed after a third of that; the rest is longer than a question."""
_LOOK_SECONDS: Final = 5.0
"""The longest pause between two looks whether a round is due, or the lease of a dead gateway has ended."""
_WAIT_SECONDS: Final = 1.0
"""The pause between two looks whether a job system can be asked again."""


class JobAsker:
    """Asks about jobs that are quiet for longer than some time, every so many seconds."""

    def __init__(
        self,
        reconciler: Reconciler,
        asked: AskedJobs,
        quiet: QuietJobs,
        *,
        every: float,
        after: float,
        tell: Callable[[Reconciled], None],
        lease: float = LEASE_SECONDS,
    ) -> None:
        """
        Args:
            reconciler: asks about jobs.
            asked: which rounds there were.
            quiet: which jobs are quiet.
            every: seconds from the beginning of a round to that of the next.
            after: seconds for which a job has to be quiet.
            tell: called with what became of each job, in any thread.
            lease: seconds for which a lease lasts.
        """
        self._reconciler = reconciler
        self._asked, self._quiet = asked, quiet
        self._every, self._after, self._lease = every, after, lease
        self._tell = tell
        self._closing = threading.Event()
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
        self._obstacles: dict[str, str | None] = {}
        pause = min(every, _LOOK_SECONDS)
        self._rounds = [
            Periodic(f"asking {system} about quiet jobs", partial(self._look, system), pause)
            for system in reconciler.servers
        ]

    def start(self) -> None:
        """Starts the threads."""
        for each in self._rounds:
            each.start()

    def stop(self) -> None:
        """Asks no further question. Does not wait."""
        self._closing.set()

    def close(self, seconds: float) -> None:
        """Asks no further question, waits at most `seconds` for those in flight, and ends."""
        self.stop()
        deadline = Deadline(seconds)
        for each in self._rounds:
            each.close(min(deadline.remaining(), QUESTION_SECONDS))

    def _look(self, system: str) -> None:
        if self._closing.is_set() or self._is_obstructed(system):
            return
        begun = self._asked.begin(system, self._holder, self._lease)
        if begun is not None:
            self._round(begun)

    def _round(self, begun: Round) -> None:
        """One round. If the database fails, the lease ends by itself, and the round is begun again."""
        system = begun.system
        since = self._quiet.cutoff(self._after)
        course = _Course(self._asked, begun, self._holder, self._lease, self._closing)
        next_round = monotonic() + self._every

        def goes_on(job: QuietJob) -> bool:
            return course.goes_on(job, is_cut=not self._can_ask(system, course, next_round))

        counts: Counter[str] = Counter()
        for reconciled in self._reconciler.in_turn(system, course.jobs(self._quiet, since), go_on=goes_on):
            counts[reconciled.result.value] += 1
            self._tell(reconciled)
        if course.is_lost:
            return
        due = LONG_AGO if self._closing.is_set() else begun.began + timedelta(seconds=self._every)
        told = None if self._closing.is_set() else counts
        self._asked.end(system, self._holder, due=due, counts=told, behind=course.behind)

    def _can_ask(self, system: str, course: "_Course", next_round: float) -> bool:
        """Waits while asking is useless, so that a pause costs a round no more than its length. Keeps the lease.

        Returns False if the next round is due before asking is of use again; the other gateways may then try.
        """
        while self._is_obstructed(system):
            left = next_round - monotonic()
            if left <= 0 or not course.keeps_lease() or self._closing.wait(min(left, _WAIT_SECONDS)):
                return False
        return True

    def _is_obstructed(self, system: str) -> bool:
        """Whether asking is useless at present. The log says so once, and once when it is over."""
        obstacle = self._reconciler.obstacle(system)
        before = self._obstacles.get(system)
        self._obstacles[system] = obstacle
        if obstacle is not None and before is None:
            fields = {"system": system, "why": obstacle}
            logger.warning("a job system is not asked at present", extra={"fields": fields})
        elif obstacle is None and before is not None:
            logger.info("a job system is asked again", extra={"fields": {"system": system}})
        return obstacle is not None


class _Course:
    """The course of one round: which jobs come when, and whether to go on.

    Attributes:
        behind: the job after which the next round has to begin; None once all jobs had their turn.
        is_lost: whether the lease was lost, so that another gateway asks now.
    """

    def __init__(self, asked: AskedJobs, begun: Round, holder: str, lease: float, closing: threading.Event) -> None:
        self._asked, self._begun, self._holder, self._lease = asked, begun, holder, lease
        self._closing = closing
        self._renewed = monotonic()
        self._last = begun.behind
        self.behind: Place | None = None
        self.is_lost = False

    def jobs(self, quiet: QuietJobs, since: datetime) -> Iterator[QuietJob]:
        """The quiet jobs, from where the round before was cut short to the end, and then from the beginning."""
        start = self._begun.behind
        if start is None:
            return quiet.all(since)
        earlier = takewhile(lambda job: moment(job.place) <= moment(start), quiet.all(since))
        return chain(quiet.all(since, start), earlier)

    def goes_on(self, job: QuietJob, *, is_cut: bool) -> bool:
        """Whether this job has its turn now; with `is_cut`, it is the first one of the next round."""
        if is_cut or self._closing.is_set():
            self.behind = self._last
            return False
        self._last = job.place
        return self.keeps_lease()

    def keeps_lease(self) -> bool:
        """Renews the lease in time. Returns whether this gateway still has it."""
        if monotonic() - self._renewed > self._lease / 3:
            self._renewed = monotonic()
            self.is_lost = not self._asked.renew(self._begun.system, self._holder, self._lease)
        return not self.is_lost
