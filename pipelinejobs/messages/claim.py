"""The claim of a delivery that cannot be read: the job that it names, and the tokens that it shows for that job."""

from typing import Any, Final

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
    body = lenient.read(delivery, Marks()).value
    said = {key: value for key, value in body.items() if isinstance(value, str)} if isinstance(body, dict) else {}
    given = {name: parameters.value_of(delivery.parameters, name) for name in parameters.NAMES}
    if given["uuid"] and said.get("uuid", given["uuid"]) != given["uuid"]:
        said = {}  # the body is about another job
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
