"""A message over HTTP becomes a delivery; what became of it is answered, counted, logged and kept."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from time import monotonic
from typing import Any, Final
from urllib.parse import parse_qsl

from pipelinejobs.core import outcome
from pipelinejobs.core.outcome import Answer
from pipelinejobs.core.verdict import EXIT_CODES, Verdict
from pipelinejobs.gateway.actor_names import ActorNames
from pipelinejobs.gateway.http.http_errors import Problem
from pipelinejobs.gateway.metrics import Metrics
from pipelinejobs.gateway.tasks.applied_watch import Watch
from pipelinejobs.gateway.tasks.background import Background
from pipelinejobs.gateway.tasks.batcher import Groups
from pipelinejobs.gateway.tasks.outbox_sender import Sender
from pipelinejobs.gateway.tasks.worker_pool import Intake
from pipelinejobs.messages import claim, event_id, parameters
from pipelinejobs.messages.delivery import Delivery
from pipelinejobs.messages.event import Event
from pipelinejobs.messages.marks import Marks
from pipelinejobs.service.attempt import Handled
from pipelinejobs.service.manager import Manager, Unread
from pipelinejobs.store.executions import Execution
from pipelinejobs.util import redaction
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.errors import WrongSetting
from pipelinejobs.util.log import logger

UNREAD: Final = "unread"
_LEVELS: Final = {Verdict.UNAVAILABLE: logging.ERROR, Verdict.MALFORMED: logging.WARNING}
"""How loudly a verdict is logged, where that is not INFO."""
_QUICKLY_READ: Final = 16 * 1024
"""Bytes of a body that is read at once; a larger one would keep others waiting, and is not watched in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """A message as it came over HTTP.

    Attributes:
        execution: the id that it was given.
        user: who sent it.
        body: what it holds; see `missing`.
        content_type, content_encoding, event_id: the headers Content-Type, Content-Encoding and Idempotency-Key.
        query: the URL's query, undecoded.
        at, began: when it came, by the calendar and by the monotonic clock.
        deadline: when its sender gives up.
        missing: why the body is not here, where there was one that was not taken.
    """

    execution: str
    user: str
    body: bytes = field(repr=False)
    content_type: str | None = None
    content_encoding: str | None = None
    event_id: str | None = None
    query: bytes = field(default=b"", repr=False)
    at: datetime
    began: float
    deadline: Deadline
    missing: str | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a message; `message` is the object in it, None where there was none."""

    answer: Answer
    message: dict[str, Any] | None = field(default=None, repr=False)


class Deliveries:
    """Takes messages. Used from one event loop."""

    def __init__(
        self,
        manager: Manager,
        events: Groups,
        names: ActorNames,
        gateway: str,
        *,
        metrics: Metrics,
        executions: Background[Execution],
        refusals: Background[dict[str, Any] | Unread],
        sender: Sender | None,
        watch: Watch,
        reading: Intake,
    ) -> None:
        """
        Args:
            events: where events are judged.
            gateway: what this process is called in executions.
            executions, refusals: where what is kept after the answer goes.
            sender: told when a job owes something; None where nothing can be sent.
            watch: told of events that are looked for later.
            reading: where large bodies are read.
        """
        self._manager = manager
        self._events = events
        self._names = names
        self._gateway = gateway
        self._metrics = metrics
        self._executions = executions
        self._refusals = refusals
        self._sender = sender
        self._watch = watch
        self._reading = reading

    async def take(self, arrived: Arrived) -> Taken:
        """Takes one message.

        Raises:
            Problem: there is too much to do already, or it is not judged in time.
        """
        started = datetime.now(UTC)
        delivery = delivery_of(arrived)
        if len(arrived.body) <= _QUICKLY_READ:
            read = self._read(delivery)
        else:
            read = await self._reading.run(partial(self._read, delivery), arrived.deadline.remaining())
        if isinstance(read, Answer):
            self._note(arrived, started, read, UNREAD)
            return Taken(read)
        handled = await self._judged(read, arrived)
        refusal = self._manager.refusal(handled)
        if refusal is not None:
            self._refusals.add(refusal)
        if handled.first_use:
            self._metrics.first_use()
        if handled.watch is not None:
            self._watch.add(handled.watch)
        if handled.owes and self._sender is not None:
            self._sender.wake()
        self._note(arrived, started, handled.answer, read.kind.value)
        return Taken(handled.answer, read.message)

    def _read(self, delivery: Delivery) -> Event | Answer:
        read = outcome.read(delivery)
        if isinstance(read, Answer):
            self.keep_unread(delivery, read.reason)
        return read

    def keep_unread(self, delivery: Delivery, reason: str) -> None:
        """Has the refusal of a delivery that could not be read kept with its job, if it shows a token of one."""
        claimed = claim.of(delivery)
        if claimed is not None:
            self._refusals.add(Unread(claimed, reason, delivery.id))

    async def _judged(self, event: Event, arrived: Arrived) -> Handled:
        try:
            is_new = event.id == event_id.of_delivery(None, arrived.execution)  # which was made a moment ago
            return await self._events.judge(
                event,
                arrived.execution,
                arrived.deadline,
                is_new=is_new,
                is_large=len(arrived.body) > _QUICKLY_READ,
            )
        except Problem:
            raise
        except WrongSetting as error:
            logger.critical(error.reason)
            return _failed(event, arrived, "the manager's database is not set up as it should be")
        except Exception:
            # No sender can use a traceback; the log has one line, and with DEBUG the traceback. It has words of others.
            for token in event.tokens:
                redaction.add_secret(token.reveal())
            logger.critical("unexpected error; this is a defect of the manager", exc_info=True)
            return _failed(event, arrived, "unexpected error in the manager; it is not known whether anything was done")

    def _note(self, arrived: Arrived, started: datetime, given: Answer, kind: str) -> None:
        seconds = monotonic() - arrived.began
        self._metrics.delivered(given.verdict, kind, seconds)
        fields = {
            "execution": given.execution,
            "verdict": given.verdict.value,
            "kind": kind,
            "event": given.event,
            "job": given.uuid,
            "state": given.state,
            "user": arrived.user,
            "ms": round(seconds * 1000, 1),
        }
        logger.log(_LEVELS.get(given.verdict, logging.INFO), given.reason, extra={"fields": fields})
        self._executions.add(
            Execution(
                id=given.execution,
                actor=self._names.id,
                executor=arrived.user,
                gateway=self._gateway,
                received=arrived.at,
                started=started,
                finished=datetime.now(UTC),
                exit_code=EXIT_CODES[given.verdict],
                verdict=given.verdict.value,
                reason=given.reason,
                event=given.event,
                job=given.uuid,
                state=given.state,
            )
        )


def delivery_of(arrived: Arrived) -> Delivery:
    """A message over HTTP as a delivery."""
    return Delivery(
        id=arrived.execution,
        body=arrived.body,
        parameters=parameters_of(arrived.query),
        sender=arrived.user,
        literal=False,
        content_type=arrived.content_type,
        content_encoding=arrived.content_encoding,
        event_id=arrived.event_id,
        missing=arrived.missing,
    )


def parameters_of(query: bytes) -> Mapping[str, str]:
    """The URL parameters of a message, decoded once; of one that is given several times the first, as Abaco has it.

    What is not UTF-8 is read with replacement characters, as Abaco does too. How many there are is bounded by the
    longest header of a request.

    Args:
        query: the URL's query, undecoded.
    """
    given: dict[str, str] = {}
    for name, value in parse_qsl(query.decode("utf-8", "replace"), keep_blank_values=True, errors="replace"):
        given.setdefault(name, value)
    return given


def may_be_report(query: bytes) -> bool:
    """Whether the URL of a message is that of a callback: it names a job, shows a token and names no event."""
    given = parameters.of_report(parameters_of(query), None, Marks())
    return given is not None and given.token is not None


def _failed(event: Event, arrived: Arrived, reason: str) -> Handled:
    return Handled(answer=outcome.about(event, arrived.execution, Verdict.UNAVAILABLE, reason), event=event)
