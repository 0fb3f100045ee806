"""JSON events: `{"uuid", "name", "token", "data"}`."""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from pipelinejobs.messages.fields import event_name, job_uuid
from pipelinejobs.messages.values import path_of, wrong_type
from pipelinejobs.util.errors import Malformed
from pipelinejobs.util.record import shown
from pipelinejobs.util.secret import Secret

REQUIRED: Final = ("uuid", "name")
KEYS: Final = (*REQUIRED, "token", "data")


class JsonEvent(NamedTuple):
    """One JSON event, read. `token` and `data` are None where the event has none."""

    job: str
    name: str
    token: Secret | None
    data: dict[str, Any] | None

    def __repr__(self) -> str:
        return shown(self, "data")


def is_one(body: dict[str, Any]) -> bool:
    """Whether a body is meant as a JSON event: it has both required keys and no key of anything else."""
    return all(key in body for key in REQUIRED) and all(key in KEYS for key in body)


def names_an_event(body: dict[str, Any]) -> bool:
    """Whether a body that has the required keys says in them which event of which job it is."""
    try:
        job_uuid(body["uuid"], "uuid")
        event_name(body["name"], "name")
    except Malformed:
        return False
    return True


def read(body: dict[str, Any]) -> JsonEvent:
    """The JSON event in a body.

    Raises:
        Malformed: names the first key that is unknown, missing or of the wrong type.
    """
    for problem in problems(body):
        raise problem
    return JsonEvent(
        job=job_uuid(body["uuid"], "uuid"),
        name=event_name(body["name"], "name"),
        token=Secret(body["token"]) if "token" in body else None,
        data=body.get("data"),
    )


def problems(body: dict[str, Any]) -> Iterator[Malformed]:
    """Everything that keeps a body from being a JSON event: keys that are unknown, missing or of the wrong type."""
    yield from (Malformed(path_of(key), unknown_key(key)) for key in body if key not in KEYS)
    yield from (Malformed(key, "is missing") for key in REQUIRED if key not in body)
    for key, check in (("uuid", job_uuid), ("name", event_name)):
        try:
            if key in body:
                check(body[key], key)
        except Malformed as problem:
            yield problem
    if "token" in body and not isinstance(body["token"], str):
        yield Malformed("token", wrong_type("text", body["token"]))
    if "data" in body and not isinstance(body["data"], dict):
        yield Malformed("data", wrong_type("an object", body["data"]))


def unknown_key(key: str) -> str:
    """The sentence for a key that no JSON event has."""
    if key == "event":
        return "is not a key of a JSON event; its name goes under `name`"
    return f"is not a key of a JSON event, whose keys are {', '.join(KEYS)}"
