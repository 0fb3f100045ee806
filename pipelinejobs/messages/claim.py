"""The claim of an unreadable delivery: the job that it names, and the tokens that it shows for that job.

If the token is valid, the refusal of the delivery is stored for that job.
"""

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
"""The name of the event if the delivery does not name one."""


def of(delivery: Delivery) -> Event | None:
    """The claim, as an event that is never applied: job, tokens, sender and, if it can be read, the event's name.

    If a parameter and the body differ, the parameter counts; of tokens, both count. None if the delivery names no job
    or shows no token.
    """
    in_url = {name: parameters.value_of(delivery.parameters, name) for name in parameters.NAMES}
    in_body = _in_body(delivery, in_url["uuid"])
    tokens = tuple(Secret(token) for token in (in_body.get("token"), in_url["token"]) if token)
    job = _read(job_uuid, in_url["uuid"] or in_body.get("uuid"))
    if job is None or not tokens:
        return None
    return Event(
        job=job,
        name=_read(event_name, _first(in_url, "event", "name") or _first(in_body, "event", "name")) or NO_NAME,
        kind=Kind.COMMAND,
        id="",
        status=_first(in_url, "status", "state") or _first(in_body, "status", "state"),
        tokens=tokens,
        sender=delivery.sender,
    )


def _in_body(delivery: Delivery, uuid: str | None) -> dict[str, str]:
    """The texts in the body; empty if the body names another job than the parameter `uuid`."""
    body = lenient.read(delivery, Marks()).value
    in_body = {key: value for key, value in body.items() if isinstance(value, str)} if isinstance(body, dict) else {}
    return {} if uuid and in_body.get("uuid", uuid) != uuid else in_body


def _first(texts: Mapping[str, str | None], *names: str) -> str | None:
    return next((text for name in names if (text := texts.get(name))), None)


def _read(field: Callable[[object, str], str], value: object) -> str | None:
    """A field's value, or None if it is malformed."""
    try:
        return field(value, "")
    except Malformed:
        return None
