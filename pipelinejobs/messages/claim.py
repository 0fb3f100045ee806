"""The claim of a delivery that cannot be read: the job that it names, and the tokens that it shows for that job."""

from collections.abc import Callable, Mapping
from typing import Final

from pipelinejobs.messages import lenient, parameters
from pipelinejobs.messages.delivery import Delivery
from pipelinejobs.messages.event import Event, Kind
from pipelinejobs.messages.fields import event_name, job_uuid
from pipelinejobs.messages.marks import Marks
from pipelinejobs.util.errors import Malformed
from pipelinejobs.util.secret import Secret

NO_NAME: Final = ""
"""The name of the event where such a delivery does not name one."""


def of(delivery: Delivery) -> Event | None:
    """The claim as an event that is never applied: job, tokens, sender and, where one can be read, a name.

    Where a parameter and the body differ, the parameter counts; of tokens both count. None where the delivery names no
    job or shows no token.
    """
    given = {name: parameters.value_of(delivery.parameters, name) for name in parameters.NAMES}
    said = _said(delivery, given["uuid"])
    tokens = tuple(Secret(token) for token in (said.get("token"), given["token"]) if token)
    job = _read(job_uuid, given["uuid"] or said.get("uuid"))
    if job is None or not tokens:
        return None
    return Event(
        job=job,
        name=_read(event_name, _first(given, "event", "name") or _first(said, "event", "name")) or NO_NAME,
        kind=Kind.COMMAND,
        id="",
        status=_first(given, "status", "state") or _first(said, "status", "state"),
        tokens=tokens,
        sender=delivery.sender,
    )


def _said(delivery: Delivery, uuid: str | None) -> dict[str, str]:
    """The texts in the body; none where it is about another job than the parameter `uuid`."""
    body = lenient.read(delivery, Marks()).value
    said = {key: value for key, value in body.items() if isinstance(value, str)} if isinstance(body, dict) else {}
    return {} if uuid and said.get("uuid", uuid) != uuid else said


def _first(texts: Mapping[str, str | None], *names: str) -> str | None:
    return next((text for name in names if (text := texts.get(name))), None)


def _read(field: Callable[[object, str], str], value: object) -> str | None:
    """A field's value, or None where it is malformed."""
    try:
        return field(value, "")
    except Malformed:
        return None
