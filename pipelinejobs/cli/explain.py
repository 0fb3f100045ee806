"""Explain one job: why it is in its state, what may come next, what was refused and why, what the Indexer is owed."""

import argparse
from dataclasses import asdict
from typing import Any

from fsm.lifecycle import ADMINISTRATIVE, EVENTS, RESERVED, STATES
from fsm.machine import allowed, destination
from pipelinejobs import checks
from pipelinejobs.cli import inputs
from pipelinejobs.cli.report import Report, short, when
from pipelinejobs.cli.session import Session
from pipelinejobs.store.outbox import PENDING, UNDELIVERED


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    inputs.job_uuid(parser)


def run(options: argparse.Namespace, session: Session) -> Report:
    """Explains the job."""
    job, entries = session.job(options.uuid)
    last = entries[-1] if entries else None
    facts: dict[str, Any] = {
        "uuid": job.uuid,
        "state": job.state,
        "meaning": STATES.get(job.state, "not a state of the lifecycle"),
        "because": {"event": last.name, "date": last.date, "data": last.data} if last else None,
        "next": [_next(job.state, event) for event in allowed(job.state) if event not in RESERVED],
        "refused": list(session.store.refused.of(job.uuid)),
        "owed": [asdict(row) for row in session.store.outbox.rows(job=job.uuid, statuses=(PENDING, UNDELIVERED))],
        "problems": checks.problems(job, entries),
    }
    lines = [f"{job.uuid} is {job.state}: {facts['meaning']}"]
    if last is not None:
        lines.append(f"because of {last.name} at {when(last.date)} UTC {short(last.data)}".rstrip())
    lines += ["", "what may come next:"]
    lines += [f"  {step['event']} -> {step['state']}: {step['does']} (takes {step['takes']})" for step in facts["next"]]
    lines += ["", "what was refused:", *(f"  {_refusal(row)}" for row in facts["refused"])]
    lines += ["", "what is owed to the Indexer:", *(f"  {_owed(row)}" for row in facts["owed"])]
    if facts["problems"]:
        lines += ["", "what is wrong with it:", *(f"  {problem}" for problem in facts["problems"])]
    return Report(data=facts, lines=_with_nothing(lines))


def _next(state: str, event: str) -> dict[str, str]:
    return {
        "event": event,
        "state": destination(state, event) or "",
        "does": EVENTS[event],
        "takes": "an administrative token" if event in ADMINISTRATIVE else "the job's token",
    }


def _refusal(row: dict[str, object]) -> str:
    what = f"{row['event']} ({row['status']})" if row.get("status") else row["event"]
    return f"{when(row['date'])} {what}, {row['verdict']}: {row['reason']}"


def _owed(row: dict[str, object]) -> str:
    error = f"; the last attempt failed: {row['error']}" if row["error"] else ""
    return f"{row['name']}, {row['status']}, since {when(row['created'])}, {row['attempts']} attempts{error}"


def _with_nothing(lines: list[str]) -> list[str]:
    """Says `nothing` under a heading that has nothing under it."""
    shown = []
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        shown.append(line)
        if line.endswith(":") and not line.startswith(" ") and not following:
            shown.append("  nothing")
    return shown
