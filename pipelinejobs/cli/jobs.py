"""List jobs, the newest changed first.

Jobs that were deleted softly are left out unless --all is given.

  python -m pipelinejobs jobs --state RUNNING --since 2026-11-23
"""

import argparse

from fsm.lifecycle import STATES
from pipelinejobs.cli import inputs
from pipelinejobs.cli.output import Report, table, when
from pipelinejobs.cli.session import Session
from pipelinejobs.store.listing import Filter


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("--state", choices=list(STATES), metavar="STATE", help=f"one of {', '.join(STATES)}")
    parser.add_argument("--pipeline", type=inputs.uuid, metavar="UUID", help="of this pipeline")
    parser.add_argument("--since", type=inputs.moment, metavar="TIME", help="changed at or after this time (ISO 8601)")
    parser.add_argument("--before", type=inputs.moment, metavar="TIME", help="changed before this time")
    parser.add_argument("--text", type=inputs.line, help="with this text in their names and paths")
    parser.add_argument("--undelivered", action="store_true", help="with index requests that were given up")
    parser.add_argument("--all", action="store_true", help="also those that were deleted softly")
    parser.add_argument("--limit", type=inputs.positive, default=50, metavar="N", help="at most (default: %(default)s)")


def run(options: argparse.Namespace, session: Session) -> Report:
    """Lists the jobs."""
    wanted = Filter(
        states=(options.state,) if options.state else (),
        pipeline=options.pipeline,
        text=options.text,
        updated_since=options.since,
        updated_before=options.before,
        undelivered=options.undelivered,
        hidden=options.all,
    )
    facts = session.store.listing.page(wanted, options.limit).jobs
    rows = [
        (str(job.get("uuid")), str(job.get("state")), str(job.get("last_event")), when(job.get("updated")))
        for job in facts
    ]
    lines = table(("uuid", "state", "last event", "updated (UTC)"), rows) if rows else ["no jobs"]
    return Report(data=facts, lines=lines)
