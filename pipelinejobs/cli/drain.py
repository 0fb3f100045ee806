"""Send all messages to the Indexer that are not delivered yet, including failed ones.

First, events that another program has undone are applied again, with their messages. Then each message is tried once.
If another process is sending a message, the command waits for it. The exit code is 1 if a message is still not
delivered.

  python -m pipelinejobs drain --seconds 60
"""

import argparse

from pipelinejobs.cli import inputs
from pipelinejobs.cli.output import Output
from pipelinejobs.cli.session import Session
from pipelinejobs.service.outbox_relay import SendAttempt, Tally
from pipelinejobs.store.outbox import FAILED, PENDING
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.errors import CommandFailed
from pipelinejobs.util.plural import noun


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument(
        "--seconds", type=inputs.positive, default=600, metavar="N", help="stop after N seconds (default: %(default)s)"
    )


def run(options: argparse.Namespace, session: Session) -> Output:
    """Sends the messages. Raises CommandFailed if the Indexer's address is not known."""
    if not session.services.outbox.can_send:
        raise CommandFailed(
            "the Indexer's address is not known: set pipelines.job_indexer_url, "
            "or run drain on Abaco, which sets _abaco_api_server"
        )
    tally = _drained(session, options.seconds)
    owed = sum(1 for _ in session.store.outbox.rows(statuses=(PENDING, FAILED)))
    facts = {"sent": tally.sent, "failed": tally.failed, "waiting": tally.waiting, "owed": owed}
    line = (
        f"{tally.sent} delivered, {tally.failed} attempts failed, {tally.waiting} held by other processes, "
        f"{owed} left in the outbox"
    )
    return Output(data=facts, lines=[line], exit_code=1 if owed else 0)


def _drained(session: Session, seconds: float) -> Tally:
    """Sends the messages and counts the results. Shows the operator the progress and each failed attempt."""
    owed = sum(depth.messages for depth in session.store.outbox.depths())
    with session.progress.follow("Sending messages to the Indexer", owed, noun(owed, "message")) as tell:
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
