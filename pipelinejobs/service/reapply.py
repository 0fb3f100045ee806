"""Applies events again that another program has undone.

python-datacatalog reads a job, changes it in memory and replaces the whole document, with no guard but the uuid. If an
event is written in between, it is lost, and the job does not show that. python-datacatalog's agents and its Indexer
will go on doing so.

So applied events are kept in a journal (`store.journal`) until they have been seen in their jobs after the longest time
that such a program may take. If an event is missing then, it is decided again, on the job as it is now and with the
same uuid of its history entry. If the job no longer allows it, the event is stored as a refusal, logged at ERROR and
counted.

The gateway looks once a second, and a one-shot run after its answer. Any number of processes may look at the same time,
because no event is written twice.
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
"""Seconds until the first look at an event. Most writers are done by then, so undone events are soon applied again."""
SETTLED_SECONDS: Final = 10.0
"""Seconds until the last look. python-datacatalog takes half a second to read and replace a job of 5,000 entries."""

_MOST: Final = 500
_TOGETHER: Final = 50
"""The most events in memory at a time; one may have a megabyte."""
_OVERLAP_SECONDS: Final = 2.0
"""Looks overlap by so many seconds, because a row becomes readable some time after its date."""
_DATABASE_SECONDS: Final = 5.0
_EVENT_SECONDS: Final = 10.0
_FOLLOWS: Final = frozenset({"state", "last_event", "_properties.revision", "_moved"})
"""Fields that follow from a job's history, and may be repaired from it without an operator."""

APPLIED_AGAIN: Final = "applied again"
LOST: Final = "no longer possible"
OUTCOMES: Final = (APPLIED_AGAIN, LOST)
"""The outcomes for an event that another program has undone, as the metric names them."""


def uncounted(outcome: str) -> None:
    """Counts nothing: for a one-shot run."""


class Reapplier:
    """Checks that applied events are still in their jobs, and applies those again that are not."""

    def __init__(
        self, store: Store, judge: Judge, others: OtherWriters, count: Callable[[str], None] = uncounted
    ) -> None:
        """
        Args:
            count: called with one of `OUTCOMES` for each undone event.
        """
        self._store = store
        self._judge = judge
        self._others = others
        self._count = count
        self._looked_until: datetime | None = None

    def look(self, deadline: Deadline) -> int:
        """Looks at the events whose first look is due, and at those whose last look is due, which leave the journal.

        Returns:
            The number of undone events.

        Raises:
            Unavailable: the database cannot be asked; the next look covers what this one has not.
        """
        with within(min(_DATABASE_SECONDS, deadline.remaining())):
            now = self._store.outbox.now()
        settled, first = now - timedelta(seconds=SETTLED_SECONDS), now - timedelta(seconds=FIRST_LOOK_SECONDS)
        if self._looked_until is None:
            undone = self._look(None, first, deadline, settled)
        else:  # the events between these two ranges were looked at before
            undone = self._look(None, settled, deadline, settled)
            undone += self._look(max(settled, self._looked_until), first, deadline, settled)
        self._looked_until = first - timedelta(seconds=_OVERLAP_SECONDS)
        return undone

    def take(self, watched: Sequence[Journaled]) -> None:
        """Writes events into the journal that were watched in memory so far; at least one.

        Raises:
            Unavailable: the database cannot be asked.
        """
        with within(_DATABASE_SECONDS):
            self._store.journal.add(watched)

    def look_at(self, watched: Sequence[Journaled]) -> None:
        """Looks at events that are watched in memory and applies those again that were undone.

        Undone events are written into the journal first, so that none is lost if this process dies.

        Raises:
            Unavailable: the database cannot be asked; looking at the same events again does no harm.
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
        """Looks at the journal rows that were written between two times, and removes those written before `settled`.

        Returns:
            The number of undone events.
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
                self._repair(uuid)
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
        """Judges undone events again, those of one job in their order."""
        waiting = list(undone)
        while waiting:
            jobs: dict[str, Journaled] = {}
            for one in waiting:
                jobs.setdefault(one.event.job, one)
            waiting = [one for one in waiting if jobs[one.event.job] is not one]
            self._finish([Attempt(one.event, one.execution, deadline, again=one) for one in jobs.values()])

    def _finish(self, attempts: Sequence[Attempt]) -> None:
        """Judges attempts until each has its outcome. If one runs into a defect, the others are judged all the same."""
        try:
            self._judge.finish([attempt for attempt in attempts if attempt.outcome is None])
        except PipelineJobsError:
            raise
        except Exception:
            if len(attempts) > 1:
                for attempt in attempts:
                    self._finish([attempt])
                return
            logger.error("an undone event cannot be applied again; this is a defect of the manager", exc_info=True)
        for attempt in attempts:
            if attempt.outcome is not None and attempt.again is not None:
                self._conclude(attempt.again, attempt.outcome)

    def _repair(self, uuid: str) -> None:
        """Repairs the fields that follow from a job's history, if another program has set them back.

        Such a program writes the state, last event and counts of an earlier read of the job, but cannot remove entries
        that were moved to `jobs_history` meanwhile. If anything else needs repair, nothing is changed.
        """
        from pipelinejobs.core.repair_plan import plan  # here, because nearly no run needs it

        with within(_DATABASE_SECONDS), suppress(CommandFailed):  # several documents have this uuid
            stored = self._store.repairs.read(uuid)
            if stored is None:
                return
            found = plan(stored.document, stored.moved)
            if not found.repairs or any(one.moved or one.field not in _FOLLOWS for one in found.repairs):
                return
            if self._store.repairs.write(stored, found):
                fields = {"job": uuid, **{one.field: one.value for one in found.repairs}}
                logger.warning(
                    "another program had set a job back; its state was repaired from its history",
                    extra={"fields": fields},
                )

    def _conclude(self, again: Journaled, outcome: Outcome) -> None:
        if outcome.verdict in (Verdict.DUPLICATE, Verdict.UNAVAILABLE):
            return  # the event is in the job after all; or the next look tries again
        fields = {"job": again.event.job, "event": again.event.name, "entry": again.entry}
        if outcome.verdict is Verdict.APPLIED:
            self._count(APPLIED_AGAIN)
            logger.warning("another program had undone an applied event; it is applied again", extra={"fields": fields})
            return
        with within(_DATABASE_SECONDS):
            # Only one of several processes stores the refusal, and counts it.
            if outcome.refusal is not None and self._store.refused.keep(outcome.refusal, again.key):
                self._count(LOST)
                logger.error(outcome.reason, extra={"fields": fields})
            self._store.journal.forget([again.key])
        self._repair(again.event.job)
