"""A delivery over HTTP is read and judged; what came of it is counted, logged and kept."""

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from time import monotonic
from typing import Final
from urllib.parse import parse_qsl

from pipelinejobs.core import outcome
from pipelinejobs.core.outcome import Outcome
from pipelinejobs.core.verdict import EXIT_CODES, Verdict
from pipelinejobs.gateway.actor_names import ActorNames
from pipelinejobs.gateway.metrics import Metrics
from pipelinejobs.gateway.tasks.applied_watch import AppliedWatch
from pipelinejobs.gateway.tasks.background import Background
from pipelinejobs.gateway.tasks.batcher import Batcher
from pipelinejobs.gateway.tasks.outbox_sender import OutboxSender
from pipelinejobs.gateway.tasks.worker_pool import WorkerPool
from pipelinejobs.messages import claim, event_id, parameters
from pipelinejobs.messages.delivery import Delivery
from pipelinejobs.messages.event import Event
from pipelinejobs.messages.marks import Marks
from pipelinejobs.service import reading
from pipelinejobs.service.manager import Manager
from pipelinejobs.store.executions import Execution
from pipelinejobs.util import redaction
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.errors import Unavailable, WrongSetting
from pipelinejobs.util.log import logger

UNREAD: Final = "unread"
_LEVELS: Final = {Verdict.UNAVAILABLE: logging.ERROR, Verdict.MALFORMED: logging.WARNING}
"""How loudly a verdict is logged, where that is not INFO."""
_QUICKLY_READ: Final = 16 * 1024
"""Bytes of a body that is read at once; a larger one would keep others waiting, and is not watched in memory."""

Keep = Callable[[Deadline], None]
"""Keeps one refusal, by a deadline."""


class Deliveries:
    """Takes deliveries. Used from one event loop."""

    def __init__(
        self,
        manager: Manager,
        batcher: Batcher,
        names: ActorNames,
        gateway: str,
        *,
        metrics: Metrics,
        executions: Background[Execution],
        refusals: Background[Keep],
        sender: OutboxSender | None,
        watch: AppliedWatch,
        reading: WorkerPool,
    ) -> None:
        """
        Args:
            batcher: where events are judged.
            gateway: what this process is called in executions.
            executions, refusals: where what is kept after the answer goes.
            sender: told when a job owes something; None where nothing can be sent.
            watch: told of events that are looked for later.
            reading: where large bodies are read.
        """
        self._manager = manager
        self._batcher = batcher
        self._names = names
        self._gateway = gateway
        self._metrics = metrics
        self._executions = executions
        self._refusals = refusals
        self._sender = sender
        self._watch = watch
        self._reading = reading

    async def take(self, delivery: Delivery, at: datetime, began: float, deadline: Deadline) -> Outcome:
        """Takes one delivery.

        Args:
            at, began: when it came, by the calendar and by the monotonic clock.
            deadline: when its sender gives up.

        Raises:
            Unavailable: there is too much to do already, or it is not read or judged in time.
        """
        started = datetime.now(UTC)
        is_large = len(delivery.body or "") > _QUICKLY_READ
        if is_large:
            event = await self._reading.run(partial(self._read, delivery), deadline.remaining())
        else:
            event = self._read(delivery)
        if isinstance(event, Outcome):
            self._note(delivery, event, UNREAD, at, began, started)
            return event
        came = await self._judged(event, delivery, deadline, is_large=is_large)
        if came.refusal is not None:
            self._refusals.add(partial(self._manager.keep, came.refusal))
        if came.first_use:
            self._metrics.first_use()
        if came.watch is not None:
            self._watch.add(came.watch)
        if came.owes and self._sender is not None:
            self._sender.wake()
        self._note(delivery, came, event.kind.word, at, began, started)
        return came

    def _read(self, delivery: Delivery) -> Event | Outcome:
        event = reading.read(delivery)
        if isinstance(event, Outcome):
            self.keep_unread(delivery, event)
        return event

    def keep_unread(self, delivery: Delivery, told: Outcome) -> None:
        """Has the refusal of a delivery that could not be read kept with its job, if it shows a token of one."""
        claimed = claim.of(delivery)
        if claimed is not None:
            self._refusals.add(partial(self._manager.keep_unread, claimed, told))

    async def _judged(self, event: Event, delivery: Delivery, deadline: Deadline, *, is_large: bool) -> Outcome:
        try:
            is_new = event.id == event_id.of_delivery(None, delivery.id)  # which was made a moment ago
            return await self._batcher.judge(event, delivery.id, deadline, is_new=is_new, is_large=is_large)
        except Unavailable:
            raise
        except WrongSetting as error:
            logger.critical(error.reason)
            reason = "the manager's database is not set up as it should be"
        except Exception:
            # No sender can use a traceback; the log has one line, and with DEBUG the traceback. It has words of others.
            for token in event.tokens:
                redaction.add_secret(token.reveal())
            logger.critical("unexpected error; this is a defect of the manager", exc_info=True)
            reason = "unexpected error in the manager; it is not known whether anything was done"
        return outcome.about(event, delivery.id, Verdict.UNAVAILABLE, reason)

    def _note(
        self, delivery: Delivery, came: Outcome, kind: str, at: datetime, began: float, started: datetime
    ) -> None:
        seconds = monotonic() - began
        self._metrics.delivered(came.verdict, kind, seconds)
        fields = {
            "execution": came.execution,
            "verdict": came.verdict.value,
            "kind": kind,
            "event": came.event,
            "job": came.uuid,
            "state": came.state,
            "user": delivery.sender,
            "ms": round(seconds * 1000, 1),
        }
        logger.log(_LEVELS.get(came.verdict, logging.INFO), came.reason, extra={"fields": fields})
        self._executions.add(
            Execution(
                id=came.execution,
                actor=self._names.id,
                executor=delivery.sender or "",
                gateway=self._gateway,
                received=at,
                started=started,
                finished=datetime.now(UTC),
                exit_code=EXIT_CODES[came.verdict],
                verdict=came.verdict.value,
                reason=came.reason,
                event=came.event,
                job=came.uuid,
                state=came.state,
            )
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
