"""Explains why a job is in its state and which events are allowed next. Pure."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from fsm.lifecycle import ADMINISTRATIVE, EVENTS, RESERVED, STATES
from fsm.machine import allowed, destination
from pipelinejobs.core.job import Entry, Job
from pipelinejobs.diagnose import checks
from pipelinejobs.messages.asked import was_asked
from pipelinejobs.store.asked import Asked
from pipelinejobs.store.outbox import OutboxMessage


class Explanation(NamedTuple):
    """A job and everything that explains it.

    Attributes:
        facts: see `facts_of`.
        entries: its history, oldest first; most entries without their data.
        outbox: its messages that are not delivered.
    """

    job: Job
    facts: dict[str, Any]
    entries: list[Entry]
    outbox: list[OutboxMessage]


def facts_of(
    job: Job,
    entries: list[Entry],
    problems: list[str],
    refused: list[dict[str, Any]],
    outbox: list[OutboxMessage],
    asked: Asked | None = None,
    remarks: Iterable[str] = (),
) -> dict[str, Any]:
    """The facts that explain the job, as `explain --json` and the gateway return them.

    Args:
        job: the job.
        entries: its history, oldest first; only the entries in `shown` need their data.
        problems: what is wrong with it (`checks.problems`).
        refused: its refused deliveries, oldest first.
        outbox: its pending and failed outbox messages.
        asked: what became of the newest question about it to its job system; None if there was none.
        remarks: what the silence about it says (`silence.remarks`).
    """
    cause = checks.cause(job, entries)
    since = entries[_index(entries, cause) + 1 :] if cause is not None else []
    return {
        "uuid": job.uuid,
        "state": job.state,
        "meaning": STATES.get(job.state, "not a state of the lifecycle"),
        "because": _entry(cause),
        "since_then": {"events": len(since), "last": _entry(since[-1] if since else None)},
        "next": [_next(job.state, event) for event in allowed(job.state) if event not in RESERVED],
        "refused": refused,
        "owed": [_owed(row) for row in outbox],
        "external": job.external._asdict() if job.external is not None else None,
        "asked": asked._asdict() if asked is not None else None,
        "problems": problems,
        "notes": [*remarks, *checks.notes(job)],
    }


def shown(job: Job, entries: list[Entry]) -> set[int]:
    """The indexes of the entries whose data `facts_of` shows."""
    cause = checks.cause(job, entries)
    return {_index(entries, entry) for entry in (cause, *entries[-1:]) if entry is not None}


def _index(entries: list[Entry], entry: Entry) -> int:
    """The index of this entry, compared by identity: a damaged history may have equal entries."""
    return next(index for index in reversed(range(len(entries))) if entries[index] is entry)


def _entry(entry: Entry | None) -> dict[str, Any] | None:
    if entry is None:
        return None
    implied = isinstance(entry.data, dict) and entry.data.get("implied") is True
    asked = was_asked(entry.data)
    return {"event": entry.name, "date": entry.date, "data": entry.data, "implied": implied, "asked": asked}


def _next(state: str, event: str) -> dict[str, str]:
    return {
        "event": event,
        "state": destination(state, event) or "",
        "does": EVENTS[event],
        "takes": "an administrative token" if event in ADMINISTRATIVE else "the job's token",
    }


def _owed(row: OutboxMessage) -> dict[str, Any]:
    """The facts about an outbox message that an operator needs."""
    return {
        "name": row.name,
        "status": row.status,
        "attempts": row.attempts,
        "next": row.next_attempt,
        "created": row.created,
        "error": row.error,
    }
