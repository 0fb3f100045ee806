"""Send everything that is owed to the Indexer, also what was given up.

Each message is tried once. Messages that another process is just sending are waited for. The exit code is 1 when
something stays undelivered.
"""

import argparse
from dataclasses import asdict

from pipelinejobs.cli import inputs
from pipelinejobs.cli.report import Report
from pipelinejobs.cli.session import Session
from pipelinejobs.deadline import Deadline
from pipelinejobs.errors import CommandFailed


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument(
        "--seconds", type=inputs.positive, default=600, metavar="N", help="stop after so long (default: %(default)s)"
    )


def run(options: argparse.Namespace, session: Session) -> Report:
    """Sends what is owed."""
    if not session.services.outbox.can_send:
        raise CommandFailed(
            "nothing says how to reach the Indexer: set pipelines.job_indexer_url, "
            "or run where Abaco gives _abaco_api_server"
        )
    tally = session.services.outbox.drain(Deadline(options.seconds))
    facts = {name: value for name, value in asdict(tally).items() if name != "wait"}
    return Report(
        data=facts,
        lines=[f"sent {tally.sent}, failed {tally.failed}, held by others {tally.waiting}"],
        exit_code=1 if tally.failed or tally.waiting else 0,
    )
