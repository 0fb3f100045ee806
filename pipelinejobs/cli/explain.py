"""Explain one job: why it is in its state, and which events are possible next.

Also shows the external job, refused events with the reasons, messages to the Indexer that are not delivered, what the
job system answered when it was last asked about the job (see reconcile), and problems of the job. Says if the job had
no event for hours, or runs for longer than the job system's limit.

  python -m pipelinejobs explain UUID
"""

import argparse
from typing import Any

from pipelinejobs.cli import inputs
from pipelinejobs.cli.output import Output, section, short, when
from pipelinejobs.cli.session import Session
from pipelinejobs.diagnose import snapshot
from pipelinejobs.store.outbox import PENDING
from pipelinejobs.util.plural import counted


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    inputs.job_uuid(parser)


def run(options: argparse.Namespace, session: Session) -> Output:
    """Explains the job."""
    facts = snapshot.facts(session.store, options.uuid, session.settings.reconcile.after)
    if facts is None:
        raise session.no_job(options.uuid)
    return Output(data=facts, lines=lines_of(facts))


def lines_of(facts: dict[str, Any]) -> list[str]:
    """The lines for people.

    Args:
        facts: what `snapshot.facts` returns.
    """
    because, last = facts["because"], facts["since_then"]["last"]
    lines = [f"{facts['uuid']} is {facts['state']}: {facts['meaning']}"]
    lines.append(f"because of {_event(because)}" if because else "its history does not show why")
    if last is not None:
        events = counted(facts["since_then"]["events"], "event")
        lines.append(f"{events} since then kept the state; the last one: {_event(last)}")
    if facts["external"] is not None:
        lines.append(f"its external job is {facts['external']['system']} {facts['external']['id']}")
    steps = (f"{step['event']} -> {step['state']}: {step['does']} (needs {step['takes']})" for step in facts["next"])
    return [
        *lines,
        *section("possible next events", steps),
        *section("refused", map(_refusal, facts["refused"])),
        *section("messages to the Indexer that are not delivered", map(_owed, facts["owed"])),
        *(section("the job system was asked", [_asked(facts["asked"])]) if facts["asked"] else []),
        *section("problems", facts["problems"]),
        *(section("notes", facts["notes"]) if facts["notes"] else []),
    ]


def _event(entry: dict[str, Any]) -> str:
    how = " (the job system was asked)" if entry["asked"] else ""
    return f"{entry['event']}{how} at {when(entry['date'])} UTC {short(entry['data'])}".rstrip()


def _refusal(row: dict[str, Any]) -> str:
    what = row["event"] or "a message that could not be read"
    if row.get("status"):
        what = f"{what} ({row['status']})"
    sender = f" from {row['sender']}" if row.get("sender") else ""
    return f"{when(row['date'])} UTC {what}{sender}, {row['verdict']} while {row.get('state')}: {row['reason']}"


def _asked(row: dict[str, Any]) -> str:
    again = f"; {counted(row['unanswered'], 'question')} in a row without an answer" if row["unanswered"] else ""
    where = f"about {row['system']} {row['external']}"
    return f"{when(row['asked'])} UTC {where}: {row['result']} ({row['why']}){again}"


def _owed(row: dict[str, Any]) -> str:
    error = f"; the last attempt failed: {row['error']}" if row["error"] else ""
    again = ""
    if row["status"] == PENDING:
        again = ", next attempt at once" if row["next"] is None else f", next attempt {when(row['next'])} UTC"
    attempts = counted(row["attempts"], "attempt")
    return f"{row['name']}, {row['status']} since {when(row['created'])} UTC, {attempts}{again}{error}"
