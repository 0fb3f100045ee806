"""Send everything that is owed to the Indexer, also what was given up.

Before that, events that another program has undone are applied again, and owe again what they owed. Each message is
tried once. Messages that another process is just sending are waited for. The exit code is 1 when something stays owed.

  python -m pipelinejobs drain --seconds 60
"""

import argparse

from pipelinejobs.cli import inputs
from pipelinejobs.cli.output import Report
from pipelinejobs.cli.session import Session
from pipelinejobs.service.outbox_relay import SendAttempt, Tally
from pipelinejobs.store.outbox import PENDING, UNDELIVERED
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.errors import CommandFailed
from pipelinejobs.util.plural import noun


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
    tally = _drained(session, options.seconds)
    owed = sum(1 for _ in session.store.outbox.rows(statuses=(PENDING, UNDELIVERED)))
    facts = {"sent": tally.sent, "failed": tally.failed, "waiting": tally.waiting, "owed": owed}
    return Report(
        data=facts,
        lines=[f"sent {tally.sent}, failed {tally.failed}, held by others {tally.waiting}, still owed {owed}"],
        exit_code=1 if owed else 0,
    )


def _drained(session: Session, seconds: float) -> Tally:
    """What came of it. Whoever waits sees how far it is, and each message that did not get through."""
    owed = sum(depth.messages for depth in session.store.outbox.depths())
    with session.progress.follow("Sending what is owed to the Indexer", owed, noun(owed, "message")) as tell:
        sent = failed = 0

        def attempted(attempt: SendAttempt) -> None:
            nonlocal sent, failed
            sent, failed = sent + attempt.delivered, failed + (not attempt.delivered)
            if not attempt.delivered:
                session.progress.say(attempt.line)
            tell(sent + failed, {"sent": str(sent), "failed": str(failed)})

        session.attempted = attempted
        deadline = Deadline(seconds)
        session.services.manager.reapplier.look(deadline)
        return session.services.outbox.drain(deadline)
