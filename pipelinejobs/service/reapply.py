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
from typing import Final

from pipelinejobs.core.journaled import Journaled
from pipelinejobs.core.outcome import Outcome
from pipelinejobs.core.verdict import Verdict
from pipelinejobs.service.attempt import Attempt
from pipelinejobs.service.judge import Judge
from pipelinejobs.service.other_writers import OtherWriters
from pipelinejobs.store import Store, within
from pipelinejobs.store.journal import JournalRow
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


class Reapplier:
    """Looks whether applied events are still in their jobs, and applies again those that are not."""

    def __init__(
        self, store: Store, judge: Judge, others: OtherWriters, count: Callable[[str], None] = uncounted
    ) -> None:
        """
        Args:
            count: told what became of each event that was undone, one of `OUTCOMES`.
        """
        self._store = store
        self._judge = judge
        self._others = others
        self._count = count
        self._looked_until: datetime | None = None

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
        rows = [JournalRow(one.key, one.event.job, one.life, one.entry) for one in watched]
        with within(_DATABASE_SECONDS):
            keys = self._store.journal.look_for(rows).undone
            undone = [one for one in watched if one.key in keys]
        if undone:
            self._others.known = True
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
            self._finish([Attempt(one.event, one.execution, deadline, again=one) for one in jobs.values()])

    def _finish(self, attempts: Sequence[Attempt]) -> None:
        """Judges them until each has its outcome. A defect that one of them meets must not keep the others from it."""
        try:
            self._judge.finish([attempt for attempt in attempts if attempt.outcome is None])
        except PipelineJobsError:
            raise
        except Exception:
            if len(attempts) > 1:
                for attempt in attempts:
                    self._finish([attempt])
                return
            logger.error("an event that was undone cannot be applied again; this is a defect", exc_info=True)
        for attempt in attempts:
            if attempt.outcome is not None and attempt.again is not None:
                self._conclude(attempt.again, attempt.outcome)

    def _mend(self, uuid: str) -> None:
        """Mends what follows from a job's history, where another program has left it behind: state, last event, counts.

        That program takes them from an earlier read of the job. Entries that have moved out of it meanwhile stay.
        """
        from pipelinejobs.core.repair_plan import plan  # here, because nearly no run needs it

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

    def _conclude(self, again: Journaled, came: Outcome) -> None:
        if came.verdict in (Verdict.DUPLICATE, Verdict.UNAVAILABLE):
            return  # it is there after all; or it is looked at the next time
        fields = {"job": again.event.job, "event": again.event.name, "entry": again.entry}
        if came.verdict is Verdict.APPLIED:
            self._count(APPLIED_AGAIN)
            logger.warning("another program had undone an applied event; it is applied again", extra={"fields": fields})
            return
        with within(_DATABASE_SECONDS):
            # The refusal is new unless another process has kept it.
            if came.refusal is not None and self._store.refused.keep(came.refusal, again.key):
                self._count(LOST)
                logger.error(came.reason, extra={"fields": fields})
            self._store.journal.forget([again.key])
        self._mend(again.event.job)
