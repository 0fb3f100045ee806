"""What a message may contain: parameters, status words and message.jsonschema.

Why not sphinx-jsonschema (1.20.1): it shows the schema's own structure, such as `anyOf`, `#/$defs/level-2` and long
patterns, in nested tables. A reader needs one row for each key of a message: required or not, type, meaning.
"""

import json
import re
from typing import Any, Final

from from_code.docstring import attributes
from from_code.rst import literal, plain, section, table
from pipelinejobs.messages import parameters as read_by
from pipelinejobs.messages.statuses import EVENT_OF, OTHERWISE
from pipelinejobs.service.requeue import COUNT
from pipelinejobs.settings import ROOT

_SCHEMA: Final = ROOT / "message.jsonschema"
_LEVEL: Final = re.compile(r"level-[0-9]+$")
"""The definitions of nested values, one for each level of nesting; all but the level are equal."""
_FIELDS: Final = {
    "uuid": "job",
    "event": "name",
    "name": "name",
    "token": "token",
    "note": "note",
    "status": "status",
    "state": "status",
    "session": "session",
    "x_event_id": "event_id",
    "dry_run": "dry_run",
}
"""The attribute of `Parameters` that each parameter is read into."""
_HERE: Final = "any of these"
MESSAGE: Final = "message"
_NOT_READ: Final = {
    "x-nonce": "the credential of the delivery; never stored",
    "x_src_actor_id": "what another reactor says of itself; never trusted",
    "x_src_execution_id": "what another reactor says of itself; never trusted",
    "x_session": "what another reactor says of itself; never trusted",
    COUNT: "how often the actor has requeued the message; a sender can use it only to have fewer requeues",
    MESSAGE: "for the gateway: the message itself, if there is no body",
}


def parameters() -> str:
    """Every URL parameter that is read."""
    said = attributes(read_by.Parameters)
    meanings = {name: said[field] for name, field in _FIELDS.items()} | _NOT_READ
    return table(
        ("parameter", "meaning"),
        [(literal(name), plain(meanings[name])) for name in (*read_by.NAMES, COUNT, MESSAGE)],
        "25 75",
    )


def statuses() -> str:
    """Which event each status word of a job system stands for."""
    words: dict[str, list[str]] = {}
    for status, event in EVENT_OF.items():
        words.setdefault(event, []).append(literal(status))
    words.setdefault(OTHERWISE, []).append("any other, and none")
    return table(("event", "status"), [(literal(event), ", ".join(given)) for event, given in words.items()], "20 80")


def schema() -> str:
    """The message forms in message.jsonschema, and the keys of each."""
    whole = json.loads(_SCHEMA.read_text("utf-8"))
    return "".join(_form(name, form) for name, form in whole["$defs"].items() if not _LEVEL.match(name))


def _form(name: str, form: dict[str, Any]) -> str:
    said = plain(form.get("description", form.get("title", "")))
    keys = form.get("properties", {})
    required = form.get("required", [])
    rows = [
        (literal(key), "yes" if key in required else "", _kind(about), plain(about.get("description", "")))
        for key, about in keys.items()
        if isinstance(about, dict)
    ]
    shown = table(("key", "required", "kind", "meaning"), rows, "20 12 18 50") if rows else ""
    return section(name, f"{said}\n\n{shown}")


def _kind(about: dict[str, Any]) -> str:
    if "$ref" in about:
        name = about["$ref"].rpartition("/")[2]
        return "storable" if _LEVEL.match(name) else _HERE if name == "#" else literal(name)
    kind = about.get("type", "")
    return ", ".join(kind) if isinstance(kind, list) else str(kind)
