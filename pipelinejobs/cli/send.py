"""Deliver one event to a job, and print the verdict.

Either name the job and the event, or give a message of any form with --message (a file, or - for stdin) and its URL
parameters with --parameter. A uuid beside --message becomes the parameter uuid, which names the job of a callback; a
JSON event has to name its job itself. The message is checked against message.jsonschema first, unless it is the
callback of a job system or a parameter names the event or status. If no token is given, the job's own token is computed
from the database; --admin uses an administrative token. The exit code is the code of the verdict.

With --dry-run, the verdict is printed as it would be, and nothing is written. The database itself is asked, so
--dry-run cannot be used together with --callback.

With --callback, the event is sent over the network to the manager at that URL. This needs neither the database nor
other libraries: it is pipelinejobs/client.py, which can be copied to the machine where a job runs. An event that cannot
be delivered waits in the directory --spool until --flush.

  python -m pipelinejobs send UUID run --data '{"note": "started by hand"}'
  python -m pipelinejobs send UUID --message callback.json --parameter status=FINISHED
  python -m pipelinejobs send --callback URL finish
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Final
from uuid import uuid4

from pipelinejobs import client
from pipelinejobs.bootstrap import policy
from pipelinejobs.cli import inputs
from pipelinejobs.cli.inputs import UsageError
from pipelinejobs.cli.output import Output
from pipelinejobs.cli.session import Session
from pipelinejobs.core import outcome
from pipelinejobs.core.outcome import Outcome
from pipelinejobs.core.tokens import admin_tokens, token_under
from pipelinejobs.core.verdict import EXIT_CODES, Verdict
from pipelinejobs.messages import recognition, schema
from pipelinejobs.messages.body import object_in
from pipelinejobs.messages.delivery import Delivery
from pipelinejobs.messages.event import Event, Kind
from pipelinejobs.messages.lenient import LARGEST
from pipelinejobs.messages.parameters import NAMES
from pipelinejobs.service import reading
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.errors import CommandFailed, Malformed, Unavailable
from pipelinejobs.util.secret import Secret

_SAYS_WHAT_HAPPENED: Final = ("event", "name", "status", "state")
"""Parameters that name the event or status; with one of them, the body may be any object."""

_CLIENTS_OWN: Final = ("spool", "later", "flush", "timeout", "allow_http")
"""Arguments that have a meaning only with a callback URL."""

_NOT_BY_CALLBACK: Final = (
    "--dry-run asks the database itself, so it is not allowed with --callback and its options (an older manager at "
    "that URL would apply the event); give the job's uuid and the event, or send the message yourself over HTTP "
    "with the URL parameter dry_run=true"
)


class _NoJob(CommandFailed):
    """There is no such job. Senders are not told that, but operators are."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's arguments."""
    parser.add_argument("uuid", nargs="?", help="the job's uuid; with --message, the job of a callback")
    parser.add_argument("event", nargs="?", help="the event's name; with a callback URL, give only the event")
    parser.add_argument("--data", type=inputs.json_object, metavar="JSON", help="the event's data, a JSON object")
    parser.add_argument("--message", metavar="FILE", help="a message of any form instead of an event; - reads stdin")
    parser.add_argument(
        "--parameter",
        action="append",
        default=[],
        type=inputs.parameter,
        metavar="NAME=VALUE",
        help="a URL parameter; may be repeated",
    )
    token = parser.add_mutually_exclusive_group()
    token.add_argument("--token", help="the token (default: the job's own, from the database)")
    token.add_argument("--admin", action="store_true", help="use an administrative token, as reset and ready need")
    parser.add_argument(
        "--id", metavar="TEXT", help="the event's id (x_event_id); an event that is sent again with it is applied once"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="print the verdict as it would be; nothing is written or sent"
    )
    client.arguments(parser.add_argument_group("over the network"))


def run(options: argparse.Namespace, session: Session) -> Output:
    """Delivers the event, and returns its verdict."""
    if _goes_by_callback(options):
        if options.dry_run:
            raise UsageError(_NOT_BY_CALLBACK)
        return _by_callback(options)
    delivery = _delivery(options)
    event = reading.read(delivery)
    is_report = isinstance(event, Event) and event.kind is Kind.REPORT
    problems = _problems_of_form(delivery) if options.message is not None and not is_report else []
    if problems:
        reason = "; ".join(problems)
        return _output(Outcome(Verdict.MALFORMED, reason, execution=delivery.id, dry_run=event.dry_run))
    if isinstance(event, Outcome):
        return _output(event)
    try:
        if not event.tokens:
            event = event._replace(tokens=_tokens(event, options, session))
        judged = session.services.manager.handle(event, delivery.id)
    except _NoJob as error:
        return _output(outcome.about(event, delivery.id, Verdict.UNAUTHORISED, error.reason))
    except Unavailable as error:
        return _output(outcome.about(event, delivery.id, Verdict.UNAVAILABLE, error.reason))
    session.services.manager.settle(judged, Deadline(session.settings.limits.one_shot))
    return _output(judged)


def _goes_by_callback(options: argparse.Namespace) -> bool:
    """Whether to use the client: its arguments are given, or only an event, whose job is in the environment."""
    if options.callback is not None or any(getattr(options, name) for name in _CLIENTS_OWN):
        return True
    return options.uuid in client.EVENTS and options.event is None and options.message is None


def _by_callback(options: argparse.Namespace) -> Output:
    """Sends the event, or the events in a spool, to a callback URL with the client."""
    if options.event is not None:
        raise UsageError("a callback URL names the job, so give only the event")
    if options.message is not None or options.parameter or options.token is not None or options.admin:
        raise UsageError("with a callback URL, --message, --parameter, --token and --admin are not allowed")
    try:
        outcome = client.perform(options, options.uuid)
    except client.Misused as error:
        raise UsageError(error.reason) from None
    except client.ClientError as error:
        raise CommandFailed(error.reason) from None
    return Output(data=outcome.facts, lines=outcome.lines, exit_code=outcome.exit_code)


def _delivery(options: argparse.Namespace) -> Delivery:
    """The delivery that the arguments describe."""
    parameters: dict[str, str] = {}
    dry_run = "true" if options.dry_run else None
    given = [*options.parameter, ("x_event_id", options.id), ("token", options.token), ("dry_run", dry_run)]
    for name, value in given:
        if name not in NAMES:
            raise UsageError(f"{name} is not a parameter of messages; the parameters are {', '.join(NAMES)}")
        if value is not None and parameters.setdefault(name, value) != value:
            raise UsageError(f"the parameter {name} is given twice, with different values")
    body = _command(options) if options.message is None else _message(options, parameters)
    return Delivery(id=uuid4().hex, body=body, parameters=parameters, sender=inputs.user())


def _command(options: argparse.Namespace) -> str:
    """The body for an event named in the arguments."""
    if options.uuid is None or options.event is None:
        raise UsageError("name the job and the event, or give --message")
    event = {"uuid": options.uuid, "name": options.event}
    return json.dumps(event if options.data is None else {**event, "data": options.data})


def _message(options: argparse.Namespace, parameters: dict[str, str]) -> str:
    """The body from the file of --message. Adds a uuid beside it to the parameters."""
    if options.event is not None or options.data is not None:
        raise UsageError("give either an event or --message, not both")
    if options.uuid is not None and parameters.setdefault("uuid", options.uuid) != options.uuid:
        raise UsageError("the job's uuid is given twice, with different values")
    return _text(options.message)


def _problems_of_form(delivery: Delivery) -> list[str]:
    """Why the body fits no form in message.jsonschema. Empty if a parameter names the event or status."""
    if any(delivery.parameters.get(name) for name in _SAYS_WHAT_HAPPENED):
        return []
    try:
        body = object_in(delivery.body if isinstance(delivery.body, str) else None, literal=True)
    except Malformed:
        return []  # the reader refuses it with a better reason
    return [] if body is None or schema.accepts(body) else recognition.problems(body)


def _tokens(event: Event, options: argparse.Namespace, session: Session) -> tuple[Secret, ...]:
    """The token to send: an administrative one, or the job's own; none if the job has no salt."""
    if options.admin:
        tokens = admin_tokens(policy(session.settings), session.now.timestamp())
        if not tokens:
            raise CommandFailed(
                "there are no administrative tokens: tokens.admin_key and tokens.admin_secret are not set"
            )
        return (Secret(tokens[0]),)
    job = session.store.jobs.load(event.job)
    if job is None:
        raise _NoJob(session.no_job(event.job).reason)
    if job.salt is None:
        return ()
    return (Secret(token_under(job, job.salt)),)


def _text(file: str) -> str:
    """The file's text. The reader refuses bytes that are not UTF-8, and a text that is too long."""
    try:
        if file == "-":
            raw = sys.stdin.buffer.read(LARGEST + 1)
        else:
            with Path(file).open("rb") as opened:
                raw = opened.read(LARGEST + 1)
    except OSError as error:
        raise CommandFailed(f"{file} cannot be read: {error.strerror}") from None
    return raw.decode("utf-8", "surrogateescape")


def _output(judged: Outcome) -> Output:
    state = f" (now {judged.state})" if judged.state else ""
    return Output(
        data=judged.as_dict(),
        lines=[f"{'dry run: ' if judged.dry_run else ''}{judged.verdict.value}{state}: {judged.reason}"],
        exit_code=EXIT_CODES[judged.verdict],
    )
