"""JSON events: `{"uuid", "name", "token", "data"}`. Each is a command, because the sender names the event itself."""

from typing import Any, Final

from pipelinejobs.messages.fields import event_name, job_uuid
from pipelinejobs.messages.form import Form, Key
from pipelinejobs.util.errors import Malformed

EVENT: Final = Form(
    name="event",
    title="a JSON event",
    keys=(
        Key("uuid", str, check=job_uuid),
        Key("name", str, check=event_name),
        Key("token", str, required=False),
        Key("data", dict, required=False),
    ),
    is_closed=True,
    hints={
        "event": "is not a key of a JSON event; put the event's name under `name`",
        "dry_run": "is not a key of a JSON event; put it into the URL, as the parameter dry_run",
    },
)


def names_an_event(body: dict[str, Any]) -> bool:
    """Whether a body with the keys of a JSON event has a valid uuid and a valid name."""
    try:
        job_uuid(body["uuid"], "uuid")
        event_name(body["name"], "name")
    except Malformed:
        return False
    return True
