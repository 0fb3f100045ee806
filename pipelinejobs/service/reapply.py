"""Applied stays applied, also beside a program that replaces whole documents.

python-datacatalog reads a job, changes it in memory and replaces it by its uuid alone, so that an event of ours that is
written in between is gone, and nothing in the job tells so. Its agents and its Indexer go on doing so for good. So an
applied event is kept in a journal (`store.journal`) until it has been seen in the job after the longest time that such
a program may take. What is missing then is decided again, on the job as it is by now, under the same uuid of its
entry. What is no longer possible becomes a refusal that is kept, an ERROR in the log, and a count.

The gateway looks once a second, and a one-shot run after its answer; any number of them may do so at once, since the
same event is never written twice.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from time import sleep
from typing import Final

from pipelinejobs.core.decide import Decision
from pipelinejobs.core.identity import external_digest
from pipelinejobs.core.job import Job
from pipelinejobs.core.verdict import Verdict
from pipelinejobs.service.attempt import Case, Handled
from pipelinejobs.store import Store, within
from pipelinejobs.store.journal import Journaled, Row
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.errors import CommandFailed, PipelineJobsError
from pipelinejobs.util.log import logger

FIRST_LOOK_SECONDS: Final = 2.0
"""After so long most writers are done: what they have undone is soon applied again."""
SETTLED_SECONDS: Final = 10.0
"""Longer than python-datacatalog takes to read a job and replace it: half a second where it has 5,000 entries."""

_MOST: Final = 500
_TOGETHER: Final = 50
"""Events that are in memory at a time; one may hold a megabyte."""
_OVERLAP_SECONDS: Final = 2.0
"""A row is dated a moment before others can read it."""
_DATABASE_SECONDS: Final = 5.0
_EVENT_SECONDS: Final = 10.0
_FOLLOWS: Final = frozenset({"state", "last_event", "_properties.revision", "_moved"})
"""Fields that follow from a job's history."""

APPLIED_AGAIN: Final = "applied again"
LOST: Final = "no longer possible"
OUTCOMES: Final = (APPLIED_AGAIN, LOST)
"""What becomes of an event that another program has undone."""


def uncounted(outcome: str) -> None:
    """The count that a short run does not keep."""


class Journal:
    """Looks whether applied events are still in their jobs, and applies again those that are not."""

    def __init__(self, store: Store, judge: Callable[[Sequence[Case]], None]) -> None:
        """
        Args:
            judge: one round of judging, of events of different jobs (`Manager.judge`).
        """
        self._store = store
        self._judge = judge
        self._looked_until: datetime | None = None
        self._said = False
        self.beside_others = True
        """Whether another program is known to write to the database. While none is, a job that this project made is
        spared the journal (`case.Handled.watch`); but only where something looks for its events all the time, which a
        gateway does."""
        self.count: Callable[[str], None] = uncounted
        """Told what became of each event that was undone, one of `OUTCOMES`."""

    def look(self, deadline: Deadline) -> int:
        """Looks at the events whose first look is due, and at those that are settled, which are forgotten.

        Returns:
            How many had been undone.

        Raises:
            Unavailable: the database cannot be asked; what was not looked at is looked at the next time.
        """
        with within(min(_DATABASE_SECONDS, deadline.remaining())):
            now = self._store.outbox.now()
        settled, first = now - timedelta(seconds=SETTLED_SECONDS), now - timedelta(seconds=FIRST_LOOK_SECONDS)
        if self._looked_until is None:
            undone = self._look(None, first, deadline, settled)
        else:  # what lies between the two was looked at before
            undone = self._look(None, settled, deadline, settled)
            undone += self._look(max(settled, self._looked_until), first, deadline, settled)
        self._looked_until = first - timedelta(seconds=_OVERLAP_SECONDS)
        return undone

    def agree(self) -> None:
        """Tells other gateways, and is told by them, whether another program writes to the database.

        Raises:
            Unavailable: the database cannot be asked.
        """
        with within(_DATABASE_SECONDS):
            if self.beside_others and not self._said:
                self._store.journal.say_beside_others()
                self._said = True
            elif not self._said and self._store.journal.is_beside_others():
                self.beside_others = self._said = True  # never back: a thread that judges may have found it out now

    def take(self, watched: Sequence[Journaled]) -> None:
        """Takes over events that were watched in memory, at least one.

        Raises:
            Unavailable: the database cannot be asked.
        """
        with within(_DATABASE_SECONDS):
            self._store.journal.add(watched)

    def look_at(self, watched: Sequence[Journaled]) -> None:
        """Looks at events that are in no journal, since no other program was known to write to their jobs. Those that
        were undone are written into it first, so that a process that dies now loses none.

        Raises:
            Unavailable: the database cannot be asked; looking at the same events again is no harm.
        """
        rows = [Row(one.key, one.event.job, one.life, one.entry) for one in watched]
        with within(_DATABASE_SECONDS):
            keys = self._store.journal.look_for(rows).undone
            undone = [one for one in watched if one.key in keys]
        if undone:
            self.beside_others = True
            self.take(undone)
        self._apply_again(undone, Deadline(_EVENT_SECONDS))

    def _look(self, since: datetime | None, until: datetime, deadline: Deadline, settled: datetime) -> int:
        """Looks at the rows written between two times, and forgets those that are settled.

        Returns:
            How many had been undone.
        """
        count = 0
        while not deadline.passed():
            with within(min(_DATABASE_SECONDS, deadline.remaining())):
                rows = self._store.journal.rows(since, until, _MOST)
                if not rows:
                    break
                found = self._store.journal.look_for(rows)
                gone = found.over | {row.key for row in rows if row.applied and row.applied <= settled} - found.undone
                if gone:
                    self._store.journal.forget(gone, until)
            for uuid in found.moved:
                self._mend(uuid)
            count += len(found.undone)
            undone = [row.key for row in rows if row.key in found.undone]
            for start in range(0, len(undone), _TOGETHER):
                with within(_DATABASE_SECONDS):
                    events = self._store.journal.events(undone[start : start + _TOGETHER])
                self._apply_again(events, deadline.at_most(_EVENT_SECONDS))
            if len(rows) < _MOST:
                break
            since = rows[-1].applied
        return count

    def _apply_again(self, undone: Sequence[Journaled], deadline: Deadline) -> None:
        """Decides these events again, those of one job in their order."""
        waiting = list(undone)
        while waiting:
            jobs: dict[str, Journaled] = {}
            for one in waiting:
                jobs.setdefault(one.event.job, one)
            waiting = [one for one in waiting if jobs[one.event.job] is not one]
            cases = [_case(one, deadline) for one in jobs.values()]
            self._judge_all(cases)
            for case in cases:
                if case.handled is not None:
                    self._conclude(case, case.handled)

    def _judge_all(self, cases: Sequence[Case]) -> None:
        """Judges them until they are handled. One that nobody has thought of must not keep the others from it."""
        try:
            while unhandled := [case for case in cases if case.handled is None]:
                self._judge(unhandled)
                sleep(max((case.pause() for case in unhandled if case.handled is None), default=0.0))
        except PipelineJobsError:
            raise
        except Exception:
            if len(cases) > 1:
                for case in cases:
                    self._judge_all([case])
                return
            logger.error("an event that was undone cannot be applied again; this is a defect", exc_info=True)

    def _mend(self, uuid: str) -> None:
        """Mends what follows from a job's history, where another program has left it behind: state, last event, counts.

        That program takes them from an earlier read of the job. Entries that have moved out of it meanwhile stay.
        """
        from pipelinejobs.core.repair import plan  # here, because nearly no run needs it

        with within(_DATABASE_SECONDS), suppress(CommandFailed):  # the uuid of several documents
            stored = self._store.repairs.read(uuid)
            if stored is None:
                return
            found = plan(stored.document, stored.moved)
            if not found.repairs or any(one.moved or one.field not in _FOLLOWS for one in found.repairs):
                return
            if self._store.repairs.write(stored, found):
                fields = {"job": uuid, **{one.field: one.value for one in found.repairs}}
                logger.warning("another program had set a job back behind its history", extra={"fields": fields})

    def _conclude(self, case: Case, handled: Handled) -> None:
        assert case.again is not None
        verdict, again = handled.answer.verdict, case.again
        if verdict in (Verdict.DUPLICATE, Verdict.UNAVAILABLE):
            return  # it is there after all; or it is looked at the next time
        fields = {"job": again.event.job, "event": again.event.name, "entry": again.entry}
        if verdict is Verdict.APPLIED:
            self.count(APPLIED_AGAIN)
            logger.warning("another program had undone an applied event; it is applied again", extra={"fields": fields})
            return
        with within(_DATABASE_SECONDS):
            if self._keep(handled, again.key):
                self.count(LOST)
                logger.error(handled.answer.reason, extra={"fields": fields})
            self._store.journal.forget([again.key])
        self._mend(again.event.job)

    def _keep(self, handled: Handled, key: str) -> bool:
        """Keeps the refusal of an event that is lost. False where there is none, or another process has kept it."""
        given, state = handled.answer, handled.kept_state
        if state is None:
            return False
        row = self._store.refused.row(handled.event, given.verdict, given.reason, state, given.execution)
        return self._store.refused.keep(row, key)


def as_it_was(job: Job | None, again: Journaled) -> Job | None:
    """The job as it is by now, with what is known of it from the event's first application; None where that was in
    another life of the job."""
    if job is None or job.life != again.life:
        return None
    known = tuple(dict.fromkeys([*again.tokens, *(job.tokens or ())]))
    externals = dict(job.externals)
    if again.event.external is not None and again.attempt != job.attempt:
        externals.setdefault(external_digest(again.event.external), again.attempt)
    trusted = None
    if again.trusted is not None or job.trusted is not None:
        trusted = tuple(dict.fromkeys([*(again.trusted or ()), *(job.trusted or ())]))
    return job._replace(tokens=known, trusted=trusted, externals=externals)


def owing(decision: Decision, job: Job, again: Journaled) -> Decision:
    """The decision on an event that was undone: what it made the job owe is owed again, and a refusal says what it
    means.

    python-datacatalog takes the fields with an underscore from a later read than the history. So the revision may
    count an entry that is gone.
    """
    change = decision.change
    if change is not None:
        counted = int(job.revision) - (job.entries - 1 + job.moved)
        change = change._replace(
            owes_index=change.owes_index or (again.owes and change.state == _OWED_IN.get(again.event.name)),
            counted=max(0, min(counted, len(change.entries))),
            alone=False,
        )
        return decision._replace(change=change)
    if decision.verdict in (Verdict.ILLEGAL, Verdict.STALE):
        reason = f"{again.event.name} was applied, and undone by another program that replaced the whole job"
        return decision._replace(reason=f"{reason}; it cannot be applied again: {decision.reason}")
    return decision


_OWED_IN: Final = {"finish": "FINISHED", "index": "INDEXING"}
"""The state in which there still is something to be indexed."""


def _case(again: Journaled, deadline: Deadline) -> Case:
    case = Case(again.event, again.execution, deadline)
    case.again = again
    return case
