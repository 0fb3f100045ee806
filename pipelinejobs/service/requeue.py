"""Requeue: a message that could not be judged is brought back into the actor's own queue.

Abaco gives a message to one process and treats every exit as success (Abaco 1.9): a non-zero exit code does not bring
the message back. So a run that cannot reach MongoDB sends the message to its own actor again: with the id that the
event has, so that it is still applied once, and with a count, so that this ends.

A requeued message arrives under our own user's name. Therefore only a message with a token is requeued: one without
could gain by the name.
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from pipelinejobs.actors import Actor
from pipelinejobs.messages import event_id, reader
from pipelinejobs.messages.delivery import Delivery
from pipelinejobs.messages.event import Event, Kind
from pipelinejobs.messages.marks import unmarked
from pipelinejobs.messages.values import readable
from pipelinejobs.util.backoff import Backoff
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.errors import Malformed, Undelivered
from pipelinejobs.util.plural import counted
from pipelinejobs.util.record import shown

COUNT: Final = "x_handed_back"
"""The URL parameter that says how often a message was requeued. Not trusted: it can only make this end sooner."""

SECONDS: Final = 10.0
"""How long requeueing may take, without the wait before it."""

_LONGEST_MSG: Final = 131_067
"""Bytes that Linux passes on in `MSG=...`; Abaco would fail to start a container with more."""

_REPEATED: Final = ("uuid", "event", "name", "token", "note", "status", "state", "session")
_TRY_SECONDS: Final = 5.0
_PAUSE: Final = 0.5

Queue = Callable[[Mapping[str, str]], Actor]
"""Makes the actor that we are ourselves, for messages with these URL parameters."""


class RequeuedMessage(NamedTuple):
    """A message that means what the delivery meant which brought the event.

    Attributes:
        body: for `{"message": ...}`.
        parameters: the URL parameters that go with it; secret, for the token may be among them.
    """

    body: dict[str, Any]
    parameters: dict[str, str]

    def __repr__(self) -> str:
        return shown(self, "body", "parameters")

    @property
    def key(self) -> str:
        """The message's own key, the same each time; it travels in a header, and with agavepy as `x_event_id`."""
        return self.parameters.get("x_event_id") or hashlib.sha256(repr(self.body).encode()).hexdigest()


class Requeue:
    """Requeues messages."""

    def __init__(self, queue: Queue | None, backoff: Backoff) -> None:
        """
        Args:
            queue: None where this is no actor, or where there is no way to its queue.
            backoff: how often a message is requeued, and how long it waits before that.
        """
        self._queue = queue
        self._backoff = backoff

    def send(self, event: Event, parameters: Mapping[str, str], deadline: Deadline) -> str:
        """Waits, then sends the message that brought `event` to our own queue.

        Args:
            event: what could not be judged.
            parameters: the URL parameters that came with it; others may be among them.
            deadline: by when this is over.

        Returns:
            What was done, in words.

        Raises:
            Undelivered: as far as is known it is not in the queue; the reason says why.
        """
        if self._queue is None:
            raise Undelivered(
                "this is no actor of an Abaco with an actors API, so there is no queue to bring it back into"
            )
        message, before = again(event, parameters), count(parameters)
        if why := obstacle(event, message):
            raise Undelivered(why)
        delay = self._backoff.delay(before)
        if delay is None:
            raise Undelivered(f"it was requeued {counted(before, 'time')}, and that is enough (requeue.attempts)")
        time.sleep(max(0.0, min(delay, deadline.remaining() - SECONDS)))
        self._put(self._queue({**message.parameters, COUNT: str(before + 1)}), message, deadline)
        return (
            f"requeued: it is in the actor's own queue again, time {before + 1} of {self._backoff.attempts} at the most"
        )

    def _put(self, queue: Actor, message: RequeuedMessage, deadline: Deadline) -> None:
        """Puts it into the queue, trying while there is time: twice in the queue is no harm."""
        while True:
            try:
                queue.send(message.body, key=message.key, deadline=min(_TRY_SECONDS, deadline.remaining()))
                return
            except Undelivered:
                if deadline.remaining() <= 2 * _PAUSE:
                    raise
            time.sleep(_PAUSE)


def again(event: Event, parameters: Mapping[str, str]) -> RequeuedMessage:
    """The message that brings the same event once more."""
    repeated = {name: readable(parameters[name]) for name in _REPEATED if parameters.get(name)}
    if event.external is None:  # else its id comes from what it says, and may be what no parameter can hold
        repeated["x_event_id"] = event_id.as_parameter(event.id)
    if event.message is not None:
        return RequeuedMessage(event.message, repeated)
    # Abaco has no message without a body, and an empty one would become the event's data.
    body: dict[str, Any] = {} if event.kind is Kind.REPORT else {"uuid": event.job, "name": event.name}
    if body and event.data is not None:
        body["data"] = event.data
    return RequeuedMessage(body, repeated)


def count(parameters: Mapping[str, str]) -> int:
    """How often the message was requeued before, as it says itself."""
    text = parameters.get(COUNT, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0


def obstacle(event: Event, message: RequeuedMessage) -> str | None:
    """Why this message cannot be requeued; None where it can."""
    if not event.tokens:
        return "it has no token, and a requeued message arrives under our own name"
    as_msg = str(message.body)  # a Python literal, which is what Abaco makes of it
    if len(as_msg.encode()) > _LONGEST_MSG:
        return f"it has more than the {_LONGEST_MSG} bytes that Abaco can give to a process"
    try:
        meant = reader.read(Delivery(id="again", body=as_msg, parameters=message.parameters))
    except Malformed as error:
        return f"it cannot be written down again ({error.path})"
    return None if _bare(meant) == _bare(event) else "it cannot be written down again"


def by_hand(event: Event, parameters: Mapping[str, str]) -> dict[str, str]:
    """What an operator needs to send the message by hand, but for the token: fields of a log line."""
    message = again(event, parameters)
    body = {key: value for key, value in message.body.items() if key != "token"}
    return {
        "job": event.job,
        "event": event.name,
        "send_message": json.dumps(body),
        "send_parameters": json.dumps({name: text for name, text in message.parameters.items() if name != "token"}),
        "send_besides": "the job's token as the URL parameter token" if event.tokens else "no token: none came",
    }


def _bare(event: Event) -> Event:
    """The event without what has no equality, without who brought it and without how it was written down."""
    return event._replace(tokens=(), sender=None, message=None, data=unmarked(event.data))
