"""JSON events: `{"uuid", "name", "token", "data"}`."""

from dataclasses import dataclass, field
from typing import Any, Final

from pipelinejobs.errors import Malformed
from pipelinejobs.messages.fields import event_name, job_uuid
from pipelinejobs.messages.values import place, wrong_type
from pipelinejobs.secret import Secret

REQUIRED: Final = ("uuid", "name")
KEYS: Final = (*REQUIRED, "token", "data")


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonEvent:
    """One JSON event, read. `token` and `data` are None where the event has none."""

    job: str
    name: str
    token: Secret | None
    data: dict[str, Any] | None = field(repr=False)


def is_one(body: dict[str, Any]) -> bool:
    """Whether a body is meant as a JSON event: it has both required keys and no key of anything else."""
    return all(key in body for key in REQUIRED) and all(key in KEYS for key in body)


def read(body: dict[str, Any]) -> JsonEvent:
    """The JSON event in a body.

    Raises:
        Malformed: names the first key that is unknown, missing or of the wrong type.
    """
    for key in body:
        if key not in KEYS:
            raise Malformed(place(key), unknown_key(key))
    for key in REQUIRED:
        if key not in body:
            raise Malformed(key, "is missing")
    job, name = job_uuid(body["uuid"], "uuid"), event_name(body["name"], "name")
    token = body.get("token", "")
    if not isinstance(token, str):
        raise Malformed("token", wrong_type("text", token))
    data = body.get("data", {})
    if not isinstance(data, dict):
        raise Malformed("data", wrong_type("an object", data))
    return JsonEvent(
        job=job,
        name=name,
        token=Secret(token) if "token" in body else None,
        data=data if "data" in body else None,
    )


def unknown_key(key: str) -> str:
    """The sentence for a key that no JSON event has."""
    if key == "event":
        return "is not a key of a JSON event; its name goes under `name`"
    return f"is not a key of a JSON event, whose keys are {', '.join(KEYS)}"
