"""Asks job systems about jobs that may have lost a report, and applies the answers as reports.

An answer with a status is a report like any other: it is judged, written and told to the Indexer by the same rules, and
the callback that comes after all is `duplicate` or `stale`. Anything else - silence, errors, a job system that does not
know the job - never changes a job.
"""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import Final, NamedTuple
from uuid import uuid4

from pipelinejobs.core.job import Job
from pipelinejobs.core.outcome import Outcome
from pipelinejobs.core.verdict import Verdict
from pipelinejobs.job_systems import Answer, Found, JobSystems
from pipelinejobs.messages import asked
from pipelinejobs.messages.external import External
from pipelinejobs.service.external_job import external_job
from pipelinejobs.service.manager import Manager
from pipelinejobs.store import Store
from pipelinejobs.store.quiet_jobs import QuietJob
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.errors import PipelineJobsError, Unavailable
from pipelinejobs.util.log import logger

QUESTION_SECONDS: Final = 15.0
"""The most seconds for one question, with its retries and the wait for its turn."""

_NOT_TOLD: Final = (
    "no report of this attempt has named the external job; its submitter can: create --external, or a resource event"
)


class Result(StrEnum):
    """What became of asking about a job: each job gets exactly one of these. The values are stored."""

    KNOWN = "known"
    """The job system says nothing that would change the job."""
    MISSED = "missed"
    """The job system's status was not known here: its report was lost, and is applied now."""
    UNKNOWN = "unknown"
    """The job system does not know the job, or does not show it to this credential. Nothing changes."""
    UNANSWERED = "unanswered"
    """The job system did not answer, or not with a status. Nothing changes."""
    NOT_KNOWN_WHERE = "not known where"
    """It is not known which external job this is, its id cannot be one, or no server of its system is configured."""


class Reconciled(NamedTuple):
    """What became of asking about one job.

    Attributes:
        job: the job's uuid.
        result: the result.
        system, external: the job system, and the external job's id there; None if they are not known.
        state: the job's state afterwards.
        status: the status that the job system named; None if it did not.
        reason: why, in words for a person.
        outcome: the outcome of the report that was applied; None if none was.
    """

    job: str
    result: Result
    system: str | None
    external: str | None
    state: str
    status: str | None
    reason: str
    outcome: Outcome | None = None


class Reconciler:
    """Asks about jobs."""

    def __init__(
        self,
        store: Store,
        manager: Manager,
        systems: JobSystems,
        *,
        database_seconds: float = 10.0,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """
        Args:
            store: the jobs.
            manager: judges reports.
            systems: the job systems with a configured server; at least one.
            database_seconds: the most seconds for judging one report.
            clock: the present time, UTC, for `asked_at` in the data of reports.
        """
        self._store = store
        self._manager = manager
        self._systems = systems
        self._database_seconds = database_seconds
        self._clock = clock

    @property
    def names(self) -> frozenset[str]:
        """The names of the job systems that can be asked."""
        return self._systems.names

    @property
    def servers(self) -> tuple[str, ...]:
        """The servers that can be asked, each by the name of its first job system."""
        return self._systems.servers

    def obstacle(self, server: str) -> str | None:
        """Why asking this server is useless at present, in words; None if it is not."""
        return self._systems.obstacle(server)

    def in_turn(
        self,
        server: str,
        jobs: Iterable[QuietJob],
        *,
        go_on: Callable[[QuietJob], bool],
        dry_run: bool = False,
    ) -> Iterator[Reconciled]:
        """Asks about those of these jobs that belong to one server, one after the other.

        Each job belongs to exactly one, also if it is not known where the job runs. A job that is gone is left out.

        Args:
            server: one of `servers`.
            jobs: the jobs.
            go_on: called before each job; False ends this.
            dry_run: whether to write nothing.

        Raises:
            Unavailable: the database cannot be asked. The job is asked about again the next time; nothing is lost.
        """
        for listed in jobs:
            if not go_on(listed):
                return
            try:
                reconciled = self._of_job(server, listed, dry_run=dry_run)
            except PipelineJobsError:
                raise
            except Exception as error:  # of one job, which must not keep the others from being asked about
                fields = {"job": listed.uuid, "why": type(error).__name__}
                logger.error("a job could not be reconciled; this is a defect", extra={"fields": fields})
                continue
            if reconciled is not None:
                yield reconciled

    def all_at_once(self, jobs: Callable[[], Iterable[QuietJob]], *, dry_run: bool = False) -> Iterator[Reconciled]:
        """Asks about these jobs, the servers side by side, so that a slow one does not hold up the other.

        Args:
            jobs: lists the jobs; called once for each server.
            dry_run: whether to write nothing.

        Raises:
            Unavailable: the database cannot be asked.
        """
        over = threading.Event()
        done: queue.SimpleQueue[Reconciled | Exception | None] = queue.SimpleQueue()

        def run(server: str) -> None:
            try:
                for one in self.in_turn(server, jobs(), go_on=lambda _: not over.is_set(), dry_run=dry_run):
                    done.put(one)
            except Exception as error:
                done.put(error)
            done.put(None)

        running = [threading.Thread(target=run, args=(server,), name=server, daemon=True) for server in self.servers]
        try:
            for thread in running:
                thread.start()
            left = len(running)
            while left:
                one = done.get()
                if isinstance(one, Exception):
                    raise one
                if one is None:
                    left -= 1
                else:
                    yield one
        finally:
            over.set()

    def reconcile(self, job: Job, external: External | None, *, dry_run: bool = False) -> Reconciled:
        """Asks about one job, and applies a report that was missed.

        Args:
            job: the job as it was read.
            external: its external job; None if that is not known.
            dry_run: whether to write nothing; the result is `missed` if a report would be applied.

        Raises:
            Unavailable: the database could not be asked, so that the result is not known.
        """
        if external is None:
            return Reconciled(job.uuid, Result.NOT_KNOWN_WHERE, None, None, job.state, None, _NOT_TOLD)
        why = self._systems.unaskable(*external)
        if why is not None:
            return Reconciled(job.uuid, Result.NOT_KNOWN_WHERE, *external, job.state, None, why)
        answer = self._systems.ask(external.system, external.id, Deadline(QUESTION_SECONDS))
        if answer.found is Found.STATUS:
            reconciled = self._reported(job, external, answer, dry_run=dry_run)
        else:
            result = Result.UNKNOWN if answer.found is Found.UNKNOWN else Result.UNANSWERED
            reconciled = Reconciled(job.uuid, result, *external, job.state, None, answer.why)
        if not dry_run:
            self._note(job, external, reconciled)
        return reconciled

    def _of_job(self, server: str, listed: QuietJob, *, dry_run: bool) -> Reconciled | None:
        # What the job document says decides. Of a job that a former version wrote, it says nothing until the job is
        # first asked about; such jobs, and those that cannot be asked about, belong to the first server.
        own = None if listed.system is None else self._systems.server_of(listed.system)
        if (own or self.servers[0]) != server:
            return None
        job = self._store.jobs.load(listed.uuid)
        if job is None:
            return None
        return self.reconcile(job, external_job(self._store, job, remember=not dry_run), dry_run=dry_run)

    def _reported(self, job: Job, external: External, answer: Answer, *, dry_run: bool) -> Reconciled:
        assert answer.status is not None
        event = asked.report(job.uuid, external, answer.status, answer.body, self._clock())
        judge = partial(self._manager.would, asked=True) if dry_run else self._manager.asked
        outcome = judge(event, uuid4().hex, self._database_seconds)
        if outcome.verdict is Verdict.UNAVAILABLE:
            raise Unavailable(outcome.reason)
        applied = outcome.verdict is Verdict.APPLIED
        return Reconciled(
            job.uuid,
            Result.MISSED if applied else Result.KNOWN,
            *external,
            outcome.state or job.state,
            answer.status,
            f"would be applied: {outcome.reason}" if applied and dry_run else outcome.reason,
            outcome if applied and not dry_run else None,
        )

    def _note(self, job: Job, external: External, one: Reconciled) -> None:
        """Stores the result for `explain`. If that fails, the result is no other."""
        is_answered = one.result is not Result.UNANSWERED
        try:
            self._store.asked.note(job, external, one.result.value, one.status, one.reason, is_answered=is_answered)
        except PipelineJobsError as error:
            fields = {"job": job.uuid, "why": error.reason}
            logger.warning("what became of a question to a job system was not stored", extra={"fields": fields})
