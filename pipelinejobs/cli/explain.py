"""Explain one job: why it is in its state, and what may come next.

It also tells what was refused and why, what is owed to the Indexer, and what is wrong with the job.

  python -m pipelinejobs explain UUID
"""

import argparse
from dataclasses import asdict
from typing import Any

from fsm.lifecycle import ADMINISTRATIVE, EVENTS, RESERVED, STATES
from fsm.machine import allowed, destination
from pipelinejobs import checks
from pipelinejobs.cli import inputs
from pipelinejobs.cli.report import Report, section, short, when
from pipelinejobs.cli.session import Session
from pipelinejobs.job import Entry, Job
from pipelinejobs.store.outbox import PENDING, UNDELIVERED


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    inputs.job_uuid(parser)


def run(options: argparse.Namespace, session: Session) -> Report:
    """Explains the job."""
    job, entries = session.job(options.uuid)
    refused = list(session.store.refused.of(job.uuid))
    rows = session.store.outbox.rows(job=job.uuid, statuses=(PENDING, UNDELIVERED))
    facts = facts_of(job, entries, refused, [asdict(row) for row in rows])
    return Report(data=facts, lines=lines_of(facts))


def facts_of(
    job: Job, entries: list[Entry], refused: list[dict[str, Any]], owed: list[dict[str, Any]]
) -> dict[str, Any]:
    """Everything that explains the job. Pure.

    Args:
        job: the job.
        entries: its history, oldest first.
        refused: what was refused for it, oldest first.
        owed: what it owes to the Indexer.
    """
    cause = checks.cause(job, entries)
    since = entries[entries.index(cause) + 1 :] if cause is not None else []
    return {
        "uuid": job.uuid,
        "state": job.state,
        "meaning": STATES.get(job.state, "not a state of the lifecycle"),
        "because": _entry(cause),
        "since_then": {"events": len(since), "last": _entry(since[-1] if since else None)},
        "next": [_next(job.state, event) for event in allowed(job.state) if event not in RESERVED],
        "refused": refused,
        "owed": owed,
        "problems": checks.problems(job, entries),
        "notes": checks.notes(job),
    }


def lines_of(facts: dict[str, Any]) -> list[str]:
    """The same for people."""
    because, last = facts["because"], facts["since_then"]["last"]
    lines = [f"{facts['uuid']} is {facts['state']}: {facts['meaning']}"]
    lines.append(f"because of {_event(because)}" if because else "its history does not say how it got there")
    if last is not None:
        lines.append(f"{facts['since_then']['events']} events since then changed no state; the last: {_event(last)}")
    steps = (f"{step['event']} -> {step['state']}: {step['does']} (takes {step['takes']})" for step in facts["next"])
    return [
        *lines,
        *section("what may come next", steps),
        *section("what was refused", map(_refusal, facts["refused"])),
        *section("what is owed to the Indexer", map(_owed, facts["owed"])),
        *section("what is wrong with it", facts["problems"]),
        *(section("worth knowing", facts["notes"]) if facts["notes"] else []),
    ]


def _entry(entry: Entry | None) -> dict[str, Any] | None:
    if entry is None:
        return None
    implied = isinstance(entry.data, dict) and entry.data.get("implied") is True
    return {"event": entry.name, "date": entry.date, "data": entry.data, "implied": implied}


def _event(entry: dict[str, Any]) -> str:
    return f"{entry['event']} at {when(entry['date'])} UTC {short(entry['data'])}".rstrip()


def _next(state: str, event: str) -> dict[str, str]:
    return {
        "event": event,
        "state": destination(state, event) or "",
        "does": EVENTS[event],
        "takes": "an administrative token" if event in ADMINISTRATIVE else "the job's token",
    }


def _refusal(row: dict[str, Any]) -> str:
    what = f"{row['event']} ({row['status']})" if row.get("status") else row["event"]
    sender = f" from {row['sender']}" if row.get("sender") else ""
    return f"{when(row['date'])} {what}{sender}, {row['verdict']} while {row.get('state')}: {row['reason']}"


def _owed(row: dict[str, Any]) -> str:
    error = f"; the last attempt failed: {row['error']}" if row["error"] else ""
    again = f", next attempt {when(row['next'])}" if row["status"] == PENDING and row["attempts"] else ""
    return f"{row['name']}, {row['status']} since {when(row['created'])} UTC, {row['attempts']} attempts{again}{error}"
