"""Entry point 1: one message of Abaco in one process.

Abaco gives the message as `MSG` and the URL parameters in the environment. The last line on stdout is the verdict as
one JSON object, log lines go to stderr, and the exit code says the verdict too (`pipelinejobs.verdict`).
"""

import json
import os
import sys
import threading
from collections.abc import MutableMapping
from contextlib import suppress
from typing import NoReturn
from uuid import uuid4

from pipelinejobs import answer, log, redaction, runtime, settings
from pipelinejobs.answer import Answer
from pipelinejobs.deadline import Deadline
from pipelinejobs.errors import Unavailable, WrongSetting
from pipelinejobs.messages.delivery import Delivery
from pipelinejobs.messages.event import Event
from pipelinejobs.runtime import Context, Reactor
from pipelinejobs.settings import Settings
from pipelinejobs.verdict import EXIT_CODES, EXIT_WRONG_SETTING, Verdict


class Run:
    """One run, from the environment to the exit code."""

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        self._environment = runtime.take_environment(environ)
        self._execution = self._environment.get("_abaco_execution_id") or uuid4().hex
        self._telling = threading.Lock()
        self._told: Answer | None = None
        self._exit_code = 0

    def main(self) -> int:
        """Handles the message.

        Returns:
            The exit code.
        """
        rx = runtime.reactor(self._environment, log.configure("INFO", ()))
        try:
            self._handle(rx, self._settings())
        except WrongSetting as error:
            self._tell(answer.unavailable(error, self._execution), EXIT_WRONG_SETTING)
        except Unavailable as error:
            self._tell(answer.unavailable(error, self._execution))
        except Exception:
            # Nobody reads a traceback in a container's log; the sender gets a verdict, the log one line.
            rx.logger.critical("unexpected error; this is a defect of the manager", exc_info=True)
            self._tell(answer.unavailable(Unavailable("unexpected error in the manager"), self._execution))
        return self._end(rx)

    def _settings(self) -> Settings:
        configured = settings.load(self._environment)
        log.configure(configured.logs.level, settings.secrets(configured))
        return configured

    def _handle(self, rx: Reactor, configured: Settings) -> None:
        deadline = Deadline(configured.limits.one_shot)
        self._watch(deadline)
        event = self._read(rx.context)
        if isinstance(event, Answer):
            self._tell(event)
            return
        if event.token is not None:
            redaction.add_secret(event.token.reveal())

        from pipelinejobs import bootstrap  # here, because it loads the driver, which a refused message does not need

        services = bootstrap.services(configured, rx.context)
        handled = services.manager.handle(event, self._execution)
        self._tell(handled.answer)
        services.manager.settle(handled, deadline)

    def _read(self, context: Context) -> Event | Answer:
        """The event; or the answer to a delivery that is refused before any database is asked."""
        if context.username is None and not context.local:
            reason = (
                "the delivery has no _abaco_username, so that nobody is known to have sent it "
                "(outside Abaco, LOCALONLY=1 says so)"
            )
            return Answer(verdict=Verdict.UNAUTHORISED, reason=reason, execution=self._execution)
        if context.binary:
            reason = "body: is binary (application/octet-stream); send JSON text"
            return Answer(verdict=Verdict.MALFORMED, reason=reason, execution=self._execution)
        return answer.read(
            Delivery(
                id=self._execution,
                body=context.message,
                parameters=context.parameters,
                sender=context.username,
            )
        )

    def _tell(self, given: Answer, exit_code: int | None = None) -> None:
        """Writes the verdict line, once; what becomes known after it changes nothing."""
        with self._telling:
            if self._told is None:
                with suppress(OSError):  # nobody listens any more; what is owed is sent all the same
                    print(json.dumps(given.as_dict()), flush=True)
                self._told = given
                self._exit_code = EXIT_CODES[given.verdict] if exit_code is None else exit_code

    def _end(self, rx: Reactor) -> int:
        """Ends as reactors do, which is with one log line."""
        assert self._told is not None
        about = f"{self._told.event} of job {self._told.uuid}: " if self._told.event is not None else ""
        line = f"{self._told.verdict.value}: {about}{self._told.reason}"
        try:
            if self._exit_code == 0:
                rx.on_success(line)
            if self._told.verdict is Verdict.UNAVAILABLE:
                rx.on_failure(line, self._exit_code)
            rx.logger.warning(line)  # the sender's mistake, which is no reason to wake an operator
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
        self._tell(answer.unavailable(error, self._execution))
        leave(self._exit_code)


def leave(exit_code: int) -> NoReturn:
    """Ends the process at once. Everything is durable by now, and tidying up the interpreter would double the run."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # it may be full, closed, or not there at all
            stream.flush()
    os._exit(exit_code)


if __name__ == "__main__":
    leave(Run(os.environ).main())
