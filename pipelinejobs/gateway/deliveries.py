"""A message over HTTP becomes a delivery; what became of it is answered, counted, logged and kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from time import monotonic
from typing import Any, Final
from urllib.parse import parse_qsl

from pipelinejobs import answer, redaction
from pipelinejobs.answer import Answer
from pipelinejobs.case import Handled
from pipelinejobs.deadline import Deadline
from pipelinejobs.errors import Malformed, WrongSetting
from pipelinejobs.gateway.background import Background
from pipelinejobs.gateway.groups import Groups
from pipelinejobs.gateway.intake import Intake
from pipelinejobs.gateway.metrics import Metrics
from pipelinejobs.gateway.names import Names
from pipelinejobs.gateway.problem import Problem
from pipelinejobs.gateway.sender import Sender
from pipelinejobs.gateway.watch import Watch
from pipelinejobs.log import logger
from pipelinejobs.manager import Manager
from pipelinejobs.messages import event_id
from pipelinejobs.messages.delivery import Delivery
from pipelinejobs.messages.event import Event
from pipelinejobs.messages.http_body import text_of
from pipelinejobs.store.executions import Execution
from pipelinejobs.verdict import EXIT_CODES, Verdict

UNREAD: Final = "unread"
_MOST_PARAMETERS: Final = 1000
_QUICKLY_READ: Final = 16 * 1024
"""Bytes of a body that is read at once; a larger one would keep others waiting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """A message as it came over HTTP.

    Attributes:
        execution: the id that it was given.
        user: who sent it.
        body: what it holds.
        content_type, content_encoding, event_id: the headers Content-Type, Content-Encoding and Idempotency-Key.
        query: the URL's query, undecoded.
        at, began: when it came, by the calendar and by the monotonic clock.
        deadline: when its sender gives up.
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
        names: Names,
        gateway: str,
        *,
        metrics: Metrics,
        executions: Background[Execution],
        refusals: Background[dict[str, Any]],
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
        if len(arrived.body) <= _QUICKLY_READ:
            read = self._read(arrived)
        else:
            read = await self._reading.run(partial(self._read, arrived), arrived.deadline.remaining())
        if isinstance(read, Answer):
            self._note(arrived, started, read, UNREAD)
            return Taken(read)
        handled = await self._judged(read, arrived)
        refusal = self._manager.refusal(handled)
        if refusal is not None:
            self._refusals.add(refusal)
        if handled.first_use:
            self._metrics.first_use()
        if handled.watch is not None and len(arrived.body) <= _QUICKLY_READ:  # a larger one is too much to keep around
            self._watch.add(handled.watch)
        if handled.owes and self._sender is not None:
            self._sender.wake()
        self._note(arrived, started, handled.answer, read.kind.value)
        return Taken(handled.answer, read.message)

    def _read(self, arrived: Arrived) -> Event | Answer:
        try:
            parameters = parameters_of(arrived.query, arrived.event_id)
            body = text_of(arrived.body, arrived.content_type, arrived.content_encoding)
        except Malformed as error:
            return Answer(verdict=Verdict.MALFORMED, reason=error.reason, execution=arrived.execution)
        if body is None:
            body = parameters.get("message")  # Abaco takes this for the message where there is no other
        delivery = Delivery(id=arrived.execution, body=body, parameters=parameters, sender=arrived.user, literal=False)
        return answer.read(delivery)

    async def _judged(self, event: Event, arrived: Arrived) -> Handled:
        try:
            is_new = event.id == event_id.of_delivery(None, arrived.execution)  # which was made a moment ago
            return await self._events.judge(event, arrived.execution, arrived.deadline, is_new=is_new)
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
        log = logger.error if given.verdict is Verdict.UNAVAILABLE else logger.info
        log(given.reason, extra={"fields": fields})
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


def parameters_of(query: bytes, event_id: str | None) -> Mapping[str, str]:
    """The URL parameters of a message, decoded once; of one that is given several times the first, as Abaco has it.

    Args:
        query: the URL's query, undecoded.
        event_id: the header Idempotency-Key, which is the parameter `x_event_id`.

    Raises:
        Malformed: they are not UTF-8, too many, or the header contradicts the parameter.
    """
    try:
        pairs = parse_qsl(
            query.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS
        )
    except UnicodeDecodeError:
        raise Malformed("parameters", "are not UTF-8") from None
    except ValueError:
        raise Malformed("parameters", f"are more than {_MOST_PARAMETERS}") from None
    given: dict[str, str] = {}
    for name, value in pairs:
        given.setdefault(name, value)
    if event_id:
        if given.get("x_event_id") not in (None, "", event_id):
            raise Malformed("header Idempotency-Key", "is another id than the parameter x_event_id")
        given["x_event_id"] = event_id
    return given


def _failed(event: Event, arrived: Arrived, reason: str) -> Handled:
    return Handled(answer=answer.about(event, arrived.execution, Verdict.UNAVAILABLE, reason), event=event)
