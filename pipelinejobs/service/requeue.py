"""Requeue: sends a message that could not be judged to the actor's own queue again.

Abaco (1.9) gives a message to one process and treats every exit as success: a non-zero exit code does not requeue the
message. So a run that cannot reach MongoDB sends the message to its own actor again: with the event's id, so that the
event is applied once, and with a count, so that the number of repetitions is limited.

A requeued message arrives under the name of the actor's own user. So only a message with a token is requeued: a message
without one could gain permissions by that name (`tokens.trusted_indexers`).
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
"""The URL parameter that says how often a message was requeued. A sender who forges it only shortens the retries."""

SECONDS: Final = 10.0
"""Seconds that requeueing may take, without the wait before it."""

_LONGEST_MSG: Final = 131_067
"""The most bytes that Linux passes in `MSG=...`; with more, Abaco cannot start the container."""

_REPEATED: Final = ("uuid", "event", "name", "token", "note", "status", "state", "session")
_TRY_SECONDS: Final = 5.0
_PAUSE: Final = 0.5

Queue = Callable[[Mapping[str, str]], Actor]
"""Makes the `Actor` of this actor's own queue, for messages with these URL parameters."""


class RequeuedMessage(NamedTuple):
    """A message that has the same meaning as the delivery that brought the event.

    Attributes:
        body: the body, to be sent as `{"message": ...}`.
        parameters: the URL parameters to send; secret, because the token may be among them.
    """

    body: dict[str, Any]
    parameters: dict[str, str]

    def __repr__(self) -> str:
        return shown(self, "body", "parameters")

    @property
    def key(self) -> str:
        """The message's key, the same each time. It is sent as a header, and with agavepy also as `x_event_id`."""
        return self.parameters.get("x_event_id") or hashlib.sha256(repr(self.body).encode()).hexdigest()


class Requeue:
    """Requeues messages."""

    def __init__(self, queue: Queue | None, backoff: Backoff) -> None:
        """
        Args:
            queue: reaches the actor's own queue; None outside Abaco.
            backoff: how often a message is requeued, and how long each time waits.
        """
        self._queue = queue
        self._backoff = backoff

    def send(self, event: Event, parameters: Mapping[str, str], deadline: Deadline) -> str:
        """Waits, then sends the message that brought `event` to the actor's own queue.

        Args:
            event: the event that could not be judged.
            parameters: the URL parameters that came with it; other variables may be among them.
            deadline: when this has to be over.

        Returns:
            What was done, in words.

        Raises:
            Undelivered: the message is not in the queue as far as is known; the reason says why.
        """
        if self._queue is None:
            raise Undelivered("this process is not an actor of an Abaco with an actors API, so it has no queue")
        message, before = again(event, parameters), count(parameters)
        if why := obstacle(event, message):
            raise Undelivered(why)
        delay = self._backoff.delay(before)
        if delay is None:
            raise Undelivered(
                f"it was already requeued {counted(before, 'time')}, the most that requeue.attempts allows"
            )
        time.sleep(max(0.0, min(delay, deadline.remaining() - SECONDS)))
        self._put(self._queue({**message.parameters, COUNT: str(before + 1)}), message, deadline)
        return f"requeued: it is in the actor's own queue again (time {before + 1} of at most {self._backoff.attempts})"

    def _put(self, queue: Actor, message: RequeuedMessage, deadline: Deadline) -> None:
        """Puts the message into the queue, with retries. If the message is in the queue twice, that does no harm."""
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
    if event.external is None:  # else the reader derives the id from the report again
        repeated["x_event_id"] = event_id.as_parameter(event.id)
    if event.message is not None:
        return RequeuedMessage(event.message, repeated)
    # Abaco needs a body, and the empty body of a command would become the event's data.
    body: dict[str, Any] = {} if event.kind is Kind.REPORT else {"uuid": event.job, "name": event.name}
    if body and event.data is not None:
        body["data"] = event.data
    return RequeuedMessage(body, repeated)


def count(parameters: Mapping[str, str]) -> int:
    """How often the message was requeued before, according to its own parameter."""
    text = parameters.get(COUNT, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0


def obstacle(event: Event, message: RequeuedMessage) -> str | None:
    """Why this message cannot be requeued; None if it can."""
    if not event.tokens:
        return "it has no token, and a requeued message arrives under the actor's own name"
    as_msg = str(message.body)  # a Python literal, which is what Abaco makes of it
    if len(as_msg.encode()) > _LONGEST_MSG:
        return f"it is longer than the {_LONGEST_MSG} bytes that Abaco can pass to a process"
    try:
        meant = reader.read(Delivery(id="again", body=as_msg, parameters=message.parameters))
    except Malformed as error:
        return f"it cannot be written as a message again ({error.path})"
    return None if _bare(meant) == _bare(event) else "it cannot be written as a message again"


def by_hand(event: Event, parameters: Mapping[str, str]) -> dict[str, str]:
    """The log fields with all that an operator needs to send the message by hand, except the token."""
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
    """The event without tokens (which cannot be compared), sender, original message and marks."""
    return event._replace(tokens=(), sender=None, message=None, data=unmarked(event.data))
