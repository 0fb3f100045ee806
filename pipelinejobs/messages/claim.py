"""Which job a delivery that cannot be read names, and which token it shows for it."""

from typing import Any, Final

from pipelinejobs.messages import lenient, parameters
from pipelinejobs.messages.delivery import Delivery
from pipelinejobs.messages.event import Event, Kind
from pipelinejobs.messages.fields import event_name, job_uuid
from pipelinejobs.messages.marks import Marks
from pipelinejobs.util.errors import Malformed
from pipelinejobs.util.secret import Secret

NO_NAME: Final = ""
"""The name of the event that such a delivery means, where it does not say."""


def of(delivery: Delivery) -> Event | None:
    """What is claimed, as an event that means nothing: job, tokens, sender and, where one can be read, a name.

    A parameter counts for more than the body; of tokens both count. None where no job is named or no token shown.
    """
    body = lenient.read(delivery, Marks()).value
    said = {key: value for key, value in body.items() if isinstance(value, str)} if isinstance(body, dict) else {}
    given = {name: parameters.value_of(delivery.parameters, name) for name in parameters.NAMES}
    if given["uuid"] and said.get("uuid", given["uuid"]) != given["uuid"]:
        said = {}  # it speaks of another job
    tokens = tuple(Secret(token) for token in (said.get("token"), given["token"]) if token)
    try:
        job = job_uuid(given["uuid"] or said.get("uuid"), "uuid")
    except Malformed:
        return None
    if not tokens:
        return None
    return Event(
        job=job,
        name=_name(given["event"] or given["name"] or said.get("event") or said.get("name")),
        kind=Kind.COMMAND,
        id="",
        status=given["status"] or given["state"] or said.get("status") or said.get("state"),
        tokens=tokens,
        sender=delivery.sender,
    )


def _name(given: Any) -> str:
    try:
        return event_name(given, "name")
    except Malformed:
        return NO_NAME
