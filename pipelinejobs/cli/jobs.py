"""List jobs, the most recently changed first.

Jobs that python-datacatalog has marked as deleted are shown only with --all.

  python -m pipelinejobs jobs --state RUNNING --since 2026-11-23
  python -m pipelinejobs jobs --quiet-for 6h
"""

import argparse

from fsm.lifecycle import STATES
from pipelinejobs.cli import inputs
from pipelinejobs.cli.output import Output, table, when
from pipelinejobs.cli.session import Session
from pipelinejobs.store.listing import Filter


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("--state", choices=list(STATES), metavar="STATE", help=f"one of {', '.join(STATES)}")
    parser.add_argument("--pipeline", type=inputs.uuid, metavar="UUID", help="only jobs of this pipeline")
    parser.add_argument(
        "--since", type=inputs.moment, metavar="TIME", help="only jobs changed at this time or later (ISO 8601)"
    )
    parser.add_argument(
        "--before", type=inputs.moment, metavar="TIME", help="only jobs changed before this time (ISO 8601)"
    )
    parser.add_argument("--text", type=inputs.line, help="only jobs with this text in a name or path")
    parser.add_argument(
        "--quiet-for",
        type=inputs.duration,
        metavar="TIME",
        help="only jobs that wait for a report (CREATED, RUNNING) and had no event for this long, such as 6h",
    )
    parser.add_argument(
        "--overdue", action="store_true", help="only jobs that run for longer than the job system's own limit"
    )
    parser.add_argument("--failed", action="store_true", help="only jobs with a failed message to the Indexer")
    parser.add_argument("--undelivered", action="store_true", dest="failed", help=argparse.SUPPRESS)  # its former name
    parser.add_argument("--all", action="store_true", help="also jobs that are marked as deleted")
    parser.add_argument(
        "--limit", type=inputs.positive, default=50, metavar="N", help="at most N jobs (default: %(default)s)"
    )


def run(options: argparse.Namespace, session: Session) -> Output:
    """Lists the jobs."""
    wanted = Filter(
        states=(options.state,) if options.state else (),
        pipeline=options.pipeline,
        text=options.text,
        updated_since=options.since,
        updated_before=options.before,
        quiet_for=options.quiet_for,
        overdue=options.overdue,
        failed=options.failed,
        hidden=options.all,
    )
    facts = session.store.listing.page(wanted, options.limit).jobs
    rows = [
        (str(job.get("uuid")), str(job.get("state")), str(job.get("last_event")), when(job.get("updated")))
        for job in facts
    ]
    lines = table(("uuid", "state", "last event", "updated (UTC)"), rows) if rows else ["no jobs"]
    return Output(data=facts, lines=lines)
