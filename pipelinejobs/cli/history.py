"""Show the whole history of one job, oldest first.

Includes entries that were moved out of the job document.

  python -m pipelinejobs history UUID
"""

import argparse

from fsm.replay import walk
from pipelinejobs.cli import inputs
from pipelinejobs.cli.output import Output, short, table, when
from pipelinejobs.cli.session import Session


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    inputs.job_uuid(parser)


def run(options: argparse.Namespace, session: Session) -> Output:
    """Shows the history."""
    _, entries = session.job(options.uuid)
    facts = [{"date": e.date, "name": e.name, "data": e.data, "uuid": e.uuid} for e in entries]
    states = [step.after or f"{step.before} (not allowed)" for step in walk(entry.name for entry in entries)]
    rows = [
        (when(entry.date), entry.name, state, short(entry.data)) for entry, state in zip(entries, states, strict=True)
    ]
    return Output(data=facts, lines=table(("date (UTC)", "event", "state", "data"), rows))
