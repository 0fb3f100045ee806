"""JSON events: `{"uuid", "name", "token", "data"}`. The sender names the event itself, so that each is a command."""

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
    hints={"event": "is not a key of a JSON event; its name goes under `name`"},
)


def names_an_event(body: dict[str, Any]) -> bool:
    """Whether a body that has the keys of a JSON event says in them which event of which job it is."""
    try:
        job_uuid(body["uuid"], "uuid")
        event_name(body["name"], "name")
    except Malformed:
        return False
    return True
