"""Handles one delivery over HTTP: reads it, judges it, then counts, logs and stores the outcome."""

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
"""Log levels of verdicts; INFO for all others."""
_QUICKLY_READ: Final = 16 * 1024
"""Largest body, in bytes, that is parsed in the event loop. Parsing a larger one there would delay other requests."""

Keep = Callable[[Deadline], None]
"""Stores one refusal with its job, within a deadline."""


class Deliveries:
    """Handles deliveries. Use it from one event loop."""

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
            manager: stores refusals with their jobs.
            batcher: judges events.
            names: the actor that the gateway serves.
            gateway: the name of this process in stored executions.
            metrics: counts verdicts.
            executions, refusals: store records after the answer was sent.
            sender: is woken when a job has a new outbox message; None if messages cannot be sent.
            watch: checks later that applied events were not undone.
            reading: threads that parse large bodies.
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
        """Handles one delivery.

        Args:
            delivery: the message with its parameters and its sender.
            at, began: when it arrived, by the calendar (UTC) and by the monotonic clock.
            deadline: when the sender gives up.

        Raises:
            Unavailable: the queue is full, or the delivery was not read or judged in time.
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
        judged = await self._judged(event, delivery, deadline, is_large=is_large)
        self.follow_up(judged)
        self._note(delivery, judged, event.kind.word, at, began, started)
        return judged

    def follow_up(self, judged: Outcome) -> None:
        """Begins what an outcome leaves to do: storing a refusal, checking for an undone event, sending a message."""
        if judged.refusal is not None:
            self._refusals.add(partial(self._manager.keep, judged.refusal))
        if judged.first_use:
            self._metrics.first_use()
        if judged.watch is not None:
            self._watch.add(judged.watch)
        if judged.owes and self._sender is not None:
            self._sender.wake()

    def _read(self, delivery: Delivery) -> Event | Outcome:
        event = reading.read(delivery)
        if isinstance(event, Outcome):
            self.keep_unread(delivery, event)
        return event

    def keep_unread(self, delivery: Delivery, refusal: Outcome) -> None:
        """Stores the refusal of an unreadable delivery with its job, if the delivery shows a token of a job.

        That of a dry run is not stored.
        """
        claimed = claim.of(delivery) if not refusal.dry_run else None
        if claimed is not None:
            self._refusals.add(partial(self._manager.keep_unread, claimed, refusal))

    async def _judged(self, event: Event, delivery: Delivery, deadline: Deadline, *, is_large: bool) -> Outcome:
        try:
            # An id derived from a delivery is new. Only an id that the sender chose can repeat.
            is_new = event.id == event_id.of_delivery(None, delivery.id)
            return await self._batcher.judge(event, delivery.id, deadline, is_new=is_new, is_large=is_large)
        except Unavailable:
            raise
        except WrongSetting as error:
            logger.critical(error.reason)
            reason = "the manager's database is not set up correctly; the log of the gateway says why"
        except Exception:
            # The sender gets no traceback; it goes to the log at level DEBUG. It may quote the sender's tokens.
            for token in event.tokens:
                redaction.add_secret(token.reveal())
            logger.critical("unexpected error; this is a defect of the manager", exc_info=True)
            reason = "unexpected error in the manager"
            reason += "" if event.dry_run else "; the event may or may not be applied"
        return outcome.about(event, delivery.id, Verdict.UNAVAILABLE, reason)

    def _note(
        self, delivery: Delivery, judged: Outcome, kind: str, at: datetime, began: float, started: datetime
    ) -> None:
        seconds = monotonic() - began
        self._metrics.delivered(judged.verdict, kind, seconds, dry_run=judged.dry_run)
        fields = {
            "execution": judged.execution,
            "verdict": judged.verdict.value,
            "kind": kind,
            "event": judged.event,
            "job": judged.uuid,
            "state": judged.state,
            "user": delivery.sender,
            "ms": round(seconds * 1000, 1),
            **({"dry_run": True} if judged.dry_run else {}),
        }
        logger.log(_LEVELS.get(judged.verdict, logging.INFO), judged.reason, extra={"fields": fields})
        if judged.dry_run:
            return  # nothing may be written, so no execution is kept
        self._executions.add(
            Execution(
                id=judged.execution,
                actor=self._names.id,
                executor=delivery.sender or "",
                gateway=self._gateway,
                received=at,
                started=started,
                finished=datetime.now(UTC),
                exit_code=EXIT_CODES[judged.verdict],
                verdict=judged.verdict.value,
                reason=judged.reason,
                event=judged.event,
                job=judged.uuid,
                state=judged.state,
            )
        )


def parameters_of(query: bytes) -> Mapping[str, str]:
    """The URL parameters of a message, decoded once. If one is repeated, the first counts, as on Abaco.

    Bytes that are not UTF-8 become replacement characters, as on Abaco. The length of the query is bounded by
    `connection_limits.HEADER_BYTES`.

    Args:
        query: the URL's query, undecoded.
    """
    found: dict[str, str] = {}
    for name, value in parse_qsl(query.decode("utf-8", "replace"), keep_blank_values=True, errors="replace"):
        found.setdefault(name, value)
    return found


def may_be_report(query: bytes) -> bool:
    """Whether the URL of a message may be a callback URL: it names a job, shows a token and names no event."""
    report = parameters.of_report(parameters_of(query), None, Marks())
    return report is not None and report.token is not None
