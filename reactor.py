"""Entry point 1: one message of Abaco in one process.

Abaco gives the message as `MSG` and the URL parameters in the environment. The last line on stdout is the verdict as
one JSON object, log lines go to stderr, and the exit code says the verdict too (`pipelinejobs.core.verdict`). While
MongoDB is away the message is requeued: sent to the actor's own queue again (`pipelinejobs.service.requeue`).
"""

import gc
import json
import os
import sys
import threading
from collections.abc import MutableMapping
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NoReturn

from pipelinejobs import runtime
from pipelinejobs.core import outcome
from pipelinejobs.core.outcome import Outcome
from pipelinejobs.core.verdict import EXIT_CODES, EXIT_WRONG_SETTING, Verdict
from pipelinejobs.messages.delivery import Delivery
from pipelinejobs.messages.event import Event
from pipelinejobs.runtime import Context, OurReactor, Reactor
from pipelinejobs.service import reading
from pipelinejobs.util import log, redaction
from pipelinejobs.util.deadline import Deadline, call_within
from pipelinejobs.util.errors import (
    NotInstalled,
    OutcomeUnknown,
    PipelineJobsError,
    Unavailable,
    Undelivered,
    WrongSetting,
)

if TYPE_CHECKING:
    from pipelinejobs.service.manager import Manager
    from pipelinejobs.service.requeue import Requeue
    from pipelinejobs.settings import Settings

_JUDGING_SHARE: Final = 0.6
"""How much of a run's time judging may take; the rest is for what comes after it, or for requeueing the message."""

_PATIENCE: Final = 1.0
"""Seconds that a limit is given to be kept before it is enforced."""

_NO_ANSWER: Final = (Verdict.UNAVAILABLE, OutcomeUnknown().reason)


class Run:
    """One run, from the environment to the exit code."""

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        self._environment = runtime.take_environment(environ)
        self._execution = self._environment.get("_abaco_execution_id") or os.urandom(16).hex()
        self._telling = threading.Lock()
        self._told: Outcome | None = None
        self._exit_code = 0
        self._event: Event | None = None
        self._local = False
        self._rx: Reactor = OurReactor(self._environment, log.configure("INFO", ()))
        """The SDK's, where there is one, from when the redaction knows what is secret."""

    def main(self) -> int:
        """Handles the message.

        Returns:
            The exit code.
        """
        context = self._rx.context
        self._local = context.local and context.actor_id is None
        try:
            read = self._read(context)
            if isinstance(read, Outcome):
                self._tell(read)
                self._keep(context, read)
            else:
                self._handle(context, read)
        except WrongSetting as error:
            self._give_up(error.reason)
            self._tell(outcome.unavailable(error, self._execution), EXIT_WRONG_SETTING)
        except ModuleNotFoundError as error:
            missing = NotInstalled(error)
            self._give_up(missing.reason)
            self._tell(outcome.unavailable(missing, self._execution), EXIT_WRONG_SETTING)
        except Unavailable as error:
            self._give_up(error.reason)
            self._tell(outcome.unavailable(error, self._execution))
        except Exception:
            # A traceback is of no use in a container's log: the sender gets a verdict, the log one line.
            self._rx.logger.critical("unexpected error; this is a defect of the manager", exc_info=True)
            self._give_up("unexpected error")
            self._tell(outcome.unavailable(Unavailable("unexpected error in the manager"), self._execution))
        return self._end()

    def _settings(self) -> "Settings":
        from pipelinejobs import settings  # here, because a message that is refused does not need them

        configured = settings.load(self._environment)
        log.configure(configured.logs.level, settings.secrets(configured))
        for remark in settings.remarks(self._environment, configured):
            log.logger.log(remark.level, remark.text)
        return configured

    def _handle(self, context: Context, event: Event) -> None:
        self._hide(context, event)
        self._event = event
        configured = self._settings()
        deadline = Deadline(configured.limits.one_shot)
        self._watch(deadline)
        self._rx = runtime.reactor(self._environment, log.logger)

        from pipelinejobs import bootstrap  # here, because it loads the driver

        services = bootstrap.services(configured, context, brief=True)
        came = self._judge(
            services.manager, event, min(configured.limits.database, configured.limits.one_shot * _JUDGING_SHARE)
        )
        if came.verdict is Verdict.UNAVAILABLE:
            reason = self._requeue(bootstrap.requeue(configured, context), event, deadline)
            self._tell(came._replace(reason=f"{came.reason}; {reason}"))
            return
        self._tell(came)
        services.manager.settle(came, deadline)

    def _hide(self, context: Context, event: Event) -> None:
        """Tells the redaction what the message and Abaco have brought that is secret."""
        for secret in (*event.tokens, context.access_token):
            if secret is not None:
                redaction.add_secret(secret.reveal())
        redaction.add_secret(self._environment.get("x-nonce", ""))

    def _keep(self, context: Context, told: Outcome) -> None:
        """Keeps the refusal of a message that could not be read, if it showed a token of the job that it names."""
        if told.verdict is not Verdict.MALFORMED:
            return
        from pipelinejobs.messages import claim

        claimed = claim.of(self._delivery(context))
        if claimed is None:
            return
        self._hide(context, claimed)
        configured = self._settings()
        deadline = Deadline(configured.limits.one_shot)
        self._watch(deadline)

        from pipelinejobs import bootstrap  # here, because it loads the driver

        if configured.mongodb.connection() is None and bootstrap.mongod(configured).status() is None:
            return  # a laptop's own server is not started for this

        try:
            manager = bootstrap.services(configured, context, brief=True).manager
            manager.keep_unread(claimed, told, deadline)
        except PipelineJobsError as error:
            log.logger.warning("a refusal could not be kept", extra={"fields": {"why": error.reason}})

    def _judge(self, manager: "Manager", event: Event, seconds: float) -> Outcome:
        """What the manager says; `unavailable` where it does not come back in its time, whatever it hangs in."""
        try:
            return call_within(seconds + _PATIENCE, lambda: manager.handle(event, self._execution, seconds))
        except TimeoutError:
            return outcome.about(event, self._execution, *_NO_ANSWER)

    def _requeue(self, requeue: "Requeue", event: Event, deadline: Deadline) -> str:
        """Brings the message back into the actor's queue, or says loudly that it is lost. Returns what was done."""
        try:
            return requeue.send(event, self._environment, deadline.at_most(deadline.remaining() - _PATIENCE))
        except Undelivered as failure:
            if self._local:
                return "not sent again outside Abaco: see that MongoDB runs, then run the same command once more"
            self._give_up(f"MongoDB is away, and {failure.reason}")
            return f"not requeued: {failure.reason}; send the message again"

    def _give_up(self, why: str) -> None:
        """Says loudly that a message is lost, with what is needed to send it by hand; nothing where none is.

        Outside Abaco none is: the message is on the command line of the user who reads the verdict.
        """
        if self._event is None or self._told is not None or self._local:
            return
        from pipelinejobs.service.requeue import by_hand

        fields = {"why": why, **by_hand(self._event, self._environment)}
        log.logger.critical("a message is lost; send it again by hand", extra={"fields": fields, "whole": True})
        self._event = None

    def _read(self, context: Context) -> Event | Outcome:
        """The event; or the outcome of a delivery that is refused before any database is asked."""
        if context.username is None and not context.local:
            reason = (
                "the delivery has no _abaco_username, so that its sender is not known "
                "(outside Abaco, LOCALONLY=1 says so)"
            )
            return Outcome(verdict=Verdict.UNAUTHORISED, reason=reason, execution=self._execution)
        return reading.read(self._delivery(context))

    def _delivery(self, context: Context) -> Delivery:
        return Delivery(
            id=self._execution,
            body=context.message,
            parameters=context.parameters,
            sender=context.username,
            missing="is binary (application/octet-stream); send JSON text" if context.binary else None,
        )

    def _tell(self, told: Outcome, exit_code: int | None = None) -> None:
        """Writes the verdict line, once; what becomes known after it changes nothing."""
        with self._telling:
            if self._told is None:
                with suppress(OSError):  # stdout may be closed; what is owed is sent all the same
                    print(json.dumps(told.as_dict()), flush=True)
                self._told = told
                self._exit_code = EXIT_CODES[told.verdict] if exit_code is None else exit_code

    def _end(self) -> int:
        """Ends as reactors do, which is with one log line."""
        assert self._told is not None
        about = f"{self._told.event} of job {self._told.uuid}: " if self._told.event is not None else ""
        line = f"{self._told.verdict.value}: {about}{self._told.reason}"
        try:
            if self._exit_code == 0:
                self._rx.on_success(line)
            if self._told.verdict is Verdict.UNAVAILABLE:
                self._rx.on_failure(line, self._exit_code)
            self._rx.logger.warning(line)  # the sender's mistake, which is no reason to wake an operator
            return self._exit_code
        except SystemExit:
            return self._exit_code

    def _watch(self, deadline: Deadline) -> None:
        """Ends the process when its time is over, whatever it hangs in; what is not sent by then stays owed."""
        timer = threading.Timer(deadline.remaining(), self._out_of_time)
        timer.daemon = True
        timer.start()

    def _out_of_time(self) -> None:
        error = Unavailable("the time for this run is over; it cannot be known whether the event was written")
        self._give_up(error.reason)
        self._tell(outcome.unavailable(error, self._execution))
        leave(self._exit_code)


def leave(exit_code: int) -> NoReturn:
    """Ends the process at once. Everything is durable by now, and tidying up the interpreter would double the run."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # it may be full, closed, or not there at all
            stream.flush()
    os._exit(exit_code)


if __name__ == "__main__":
    gc.disable()  # what a run of one message leaves behind ends with it, and to look for it costs at every import
    with log.alone():
        leave(Run(os.environ).main())
