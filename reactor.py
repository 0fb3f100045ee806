"""Entry point 1: handles one message of an Abaco actor in one process.

Abaco passes the message as `MSG` and the URL parameters as environment variables. The last line on stdout is the
verdict as one JSON object, log lines go to stderr, and the exit code follows from the verdict
(`pipelinejobs.core.verdict`). If MongoDB is unavailable, the message is requeued: sent to the actor's own queue again
(`pipelinejobs.service.requeue`). With the URL parameter `dry_run=true`, nothing is written, sent or requeued.
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
from pipelinejobs.messages import parameters
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
"""The share of a run's time that judging the event may take. The rest is for requeueing the message or for the work
after the answer."""

_GRACE_SECONDS: Final = 1.0
"""A limit is enforced from outside only if the code has not kept it itself by so much later."""


class Run:
    """One run: reads the environment, handles the message, and returns the exit code."""

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        self._environment = runtime.take_environment(environ)
        self._execution = self._environment.get("_abaco_execution_id") or os.urandom(16).hex()
        self._telling = threading.Lock()
        self._outcome: Outcome | None = None
        self._exit_code = 0
        self._event: Event | None = None
        self._local = False
        self._dry_run = bool(parameters.dry_run(self._environment))
        self._rx: Reactor = OurReactor(self._environment, log.configure("INFO", ()))
        """Replaced by the Reactors SDK's, if there is one, once the redaction knows all secrets."""

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
                self._store_refusal(context, read)
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
            # The sender gets a verdict and the log gets one line, instead of a traceback.
            self._rx.logger.critical("unexpected error; this is a defect of the manager", exc_info=True)
            self._give_up("unexpected error")
            self._tell(outcome.unavailable(Unavailable("unexpected error in the manager"), self._execution))
        return self._end()

    def _settings(self) -> "Settings":
        from pipelinejobs import settings  # here, because a message that cannot be read does not need them

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
        if event.dry_run:  # at WARNING, because in the actor's own environment it would be a mistake
            log.logger.warning("dry run: nothing is written, because the parameter (or variable) dry_run is true")
        judged = self._judge(
            services.manager, event, min(configured.limits.database, configured.limits.one_shot * _JUDGING_SHARE)
        )
        if judged.verdict is Verdict.UNAVAILABLE and not event.dry_run:
            reason = self._requeue(bootstrap.requeue(configured, context), event, deadline)
            self._tell(judged._replace(reason=f"{judged.reason}; {reason}"))
            return
        self._tell(judged)
        services.manager.settle(judged, deadline)

    def _hide(self, context: Context, event: Event) -> None:
        """Tells the redaction which secrets came with the message and from Abaco."""
        for secret in (*event.tokens, context.access_token):
            if secret is not None:
                redaction.add_secret(secret.reveal())
        redaction.add_secret(self._environment.get("x-nonce", ""))

    def _store_refusal(self, context: Context, result: Outcome) -> None:
        """Stores the refusal of an unreadable message, if the message names a job and shows a token of that job."""
        if result.verdict is not Verdict.MALFORMED or result.dry_run:
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
            return  # the embedded server is not started only to store a refusal

        try:
            manager = bootstrap.services(configured, context, brief=True).manager
            manager.keep_unread(claimed, result, deadline)
        except PipelineJobsError as error:
            log.logger.warning("a refusal could not be stored", extra={"fields": {"why": error.reason}})

    def _judge(self, manager: "Manager", event: Event, seconds: float) -> Outcome:
        """The manager's outcome; `unavailable` if it does not return in time, whatever it waits for."""
        try:
            return call_within(seconds + _GRACE_SECONDS, lambda: manager.handle(event, self._execution, seconds))
        except TimeoutError:
            late = outcome.unavailable(OutcomeUnknown(), self._execution, dry_run=event.dry_run)
            return late._replace(uuid=event.job, event=event.name)

    def _requeue(self, requeue: "Requeue", event: Event, deadline: Deadline) -> str:
        """Sends the message to the actor's own queue, or logs that it is lost. Returns what was done, in words."""
        try:
            return requeue.send(event, self._environment, deadline.at_most(deadline.remaining() - _GRACE_SECONDS))
        except Undelivered as failure:
            if self._local:
                return "outside Abaco it is not sent again: start MongoDB, then run the same command again"
            self._give_up(f"MongoDB is unavailable, and {failure.reason}")
            return f"not requeued: {failure.reason}; send the message again"

    def _give_up(self, why: str) -> None:
        """Logs at CRITICAL that the message is lost, with all that an operator needs to send it by hand.

        Does nothing after a verdict was written, in a dry run, or outside Abaco, where the user who reads the verdict
        has the message on the command line.
        """
        if self._event is None or self._outcome is not None or self._local or self._dry_run:
            return
        from pipelinejobs.service.requeue import by_hand

        fields = {"why": why, **by_hand(self._event, self._environment)}
        log.logger.critical("a message is lost; send it again by hand", extra={"fields": fields, "whole": True})
        self._event = None

    def _read(self, context: Context) -> Event | Outcome:
        """The event; or the outcome of a delivery that is refused without a look into the database."""
        if context.username is None and not context.local:
            reason = "the delivery has no _abaco_username, so its sender is unknown (outside Abaco, set LOCALONLY=1)"
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

    def _tell(self, result: Outcome, exit_code: int | None = None) -> None:
        """Writes the verdict line. Only the first call counts."""
        with self._telling:
            if self._outcome is None:
                result = result._replace(dry_run=self._dry_run)
                with suppress(OSError):  # stdout may be closed; the work after the answer is done all the same
                    print(json.dumps(result.as_dict()), flush=True)
                self._outcome = result
                self._exit_code = EXIT_CODES[result.verdict] if exit_code is None else exit_code

    def _end(self) -> int:
        """Writes the log line with which reactors end, and returns the exit code."""
        assert self._outcome is not None
        about = f"{self._outcome.event} of job {self._outcome.uuid}: " if self._outcome.event is not None else ""
        line = f"{'dry run: ' if self._dry_run else ''}{self._outcome.verdict.value}: {about}{self._outcome.reason}"
        try:
            if self._exit_code == 0:
                self._rx.on_success(line)
            if self._outcome.verdict is Verdict.UNAVAILABLE:
                self._rx.on_failure(line, self._exit_code)
            self._rx.logger.warning(line)  # not CRITICAL: the sender made the mistake, not the operator
            return self._exit_code
        except SystemExit:
            return self._exit_code

    def _watch(self, deadline: Deadline) -> None:
        """Ends the process when its time is over, whatever it waits for. Unsent index requests stay pending."""
        timer = threading.Timer(deadline.remaining(), self._out_of_time)
        timer.daemon = True
        timer.start()

    def _out_of_time(self) -> None:
        unsure = "" if self._dry_run else "; the event may or may not be applied"
        error = Unavailable(f"the time for this run is over{unsure}")
        self._give_up(error.reason)
        self._tell(outcome.unavailable(error, self._execution))
        leave(self._exit_code)


def leave(exit_code: int) -> NoReturn:
    """Ends the process at once. Everything is durable by now, and a regular exit would double the run's time."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # the stream may be full, closed or missing
            stream.flush()
    os._exit(exit_code)


if __name__ == "__main__":
    gc.disable()  # the process ends after one message; collecting garbage would only slow its imports
    with log.alone():
        leave(Run(os.environ).main())
