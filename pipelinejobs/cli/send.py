"""Deliver one event to a job, and see the verdict.

Either name an event, or give a message of any form with --message (a file, or - for standard input) and the URL
parameters with --parameter. Without a token the job's own is taken from the database, or with --admin an administrative
one. The exit code is the verdict's.

  python -m pipelinejobs send UUID run --data '{"note": "started by hand"}'
  python -m pipelinejobs send --message callback.json --parameter uuid=UUID --parameter status=FINISHED
"""

import argparse
import getpass
import json
import sys
from pathlib import Path
from uuid import uuid4

from pipelinejobs import answer
from pipelinejobs.answer import Answer
from pipelinejobs.bootstrap import policy
from pipelinejobs.cli import inputs
from pipelinejobs.cli.report import Report
from pipelinejobs.cli.session import Session
from pipelinejobs.deadline import Deadline
from pipelinejobs.errors import CommandFailed
from pipelinejobs.messages.delivery import Delivery
from pipelinejobs.tokens import admin_tokens, job_token
from pipelinejobs.verdict import EXIT_CODES


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("uuid", nargs="?", help="the job's uuid")
    parser.add_argument("event", nargs="?", help="the event's name")
    parser.add_argument("--data", type=inputs.json_object, metavar="JSON", help="the event's data, a JSON object")
    parser.add_argument("--message", metavar="FILE", help="a message of any form instead of an event; - reads stdin")
    parser.add_argument(
        "--parameter", action="append", default=[], type=inputs.parameter, metavar="NAME=VALUE", help="a URL parameter"
    )
    parser.add_argument("--token", help="the token (default: the job's own, from the database)")
    parser.add_argument("--admin", action="store_true", help="use an administrative token, for reset and ready")
    parser.add_argument("--id", metavar="TEXT", help="the event's id, as x_event_id: sent twice it is applied once")


def run(options: argparse.Namespace, session: Session) -> Report:
    """Delivers the event and gives the answer."""
    delivery = _delivery(options, session)
    event = answer.read(delivery)
    if isinstance(event, Answer):
        return _report(event)
    handled = session.services.manager.handle(event, delivery.id)
    session.services.manager.settle(handled, Deadline(session.settings.limits.one_shot))
    return _report(handled.answer)


def _delivery(options: argparse.Namespace, session: Session) -> Delivery:
    parameters = dict(options.parameter)
    if options.id is not None:
        parameters["x_event_id"] = options.id
    body: str | None
    if options.message is not None:
        if options.event is not None or options.data is not None:
            raise CommandFailed("give either an event or --message, not both")
        body = _text(options.message)
        parameters.setdefault("uuid", options.uuid or "")
        known = parameters["uuid"] or None
    else:
        if options.uuid is None or options.event is None:
            raise CommandFailed("say which job and which event, or give --message")
        body = json.dumps(options.data) if options.data is not None else None
        parameters |= {"uuid": options.uuid, "event": options.event}
        known = options.uuid
    token = options.token or _own_token(options, session, known)
    if token is not None and "token" not in parameters and not _says_token(body):
        parameters["token"] = token
    return Delivery(id=uuid4().hex, body=body, parameters=parameters, sender=getpass.getuser())


def _own_token(options: argparse.Namespace, session: Session, uuid: str | None) -> str | None:
    if options.admin:
        tokens = admin_tokens(policy(session.settings), session.now.timestamp())
        if not tokens:
            raise CommandFailed(
                "there are no administrative tokens: tokens.admin_key and tokens.admin_secret are not set"
            )
        return tokens[0]
    job = session.store.jobs.load(uuid) if uuid else None
    if job is None or job.salt is None:
        return None
    return job_token(job.uuid, job.salt, job.admin, has_admin=job.has_admin)


def _says_token(body: str | None) -> bool:
    """Whether the message brings a token of its own, which is then the one to be judged."""
    try:
        message = json.loads(body or "null")
    except ValueError:
        return False
    return isinstance(message, dict) and "token" in message


def _text(file: str) -> str:
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandFailed(f"{file} cannot be read: {error}") from None


def _report(given: Answer) -> Report:
    facts = given.as_dict()
    state = f" (now {given.state})" if given.state else ""
    return Report(
        data=facts, lines=[f"{given.verdict.value}{state}: {given.reason}"], exit_code=EXIT_CODES[given.verdict]
    )
