"""The JSON Schema of messages, made from the names and limits that the reader itself goes by.

`python -m pipelinejobs.messages.schema_definition > message.jsonschema` writes the file at the root of the repository.
"""

import json
from typing import Any, Final

from fsm.lifecycle import EVENTS
from pipelinejobs.messages import agave, json_event, tapis
from pipelinejobs.messages.fields import UUID_LENGTH, UUID_PATTERN
from pipelinejobs.messages.values import DEPTH, INT64_MAX, INT64_MIN

Schema = dict[str, Any]

_STORABLE_TEXT: Final = r"^[^\u0000\ud800-\udfff]*$"


def definition() -> Schema:
    """The whole schema: its root is a message that says by itself what happened.

    `$defs/data` is what the body may be when URL parameters name the event.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": "Written by `python -m pipelinejobs.messages.schema_definition`: change that, not this file.",
        "title": "A message to the PipelineJobs Manager",
        "description": (
            "A message that says by itself what happened to a job. The parameters of the URL may add to it: "
            "a callback needs the parameter uuid, and may have token."
        ),
        "anyOf": [_ref("event"), _ref("wrapped"), _ref("agave"), _ref("aloe"), _ref("tapis")],
        "$defs": {
            "event": _event(),
            "wrapped": _wrapped(),
            "agave": _agave(),
            "aloe": _aloe(),
            "tapis": _tapis(),
            "data": _data(),
            "uuid": {
                "description": "A job's uuid in canonical form. The length keeps a line break from following it.",
                "type": "string",
                "pattern": f"^{UUID_PATTERN}$",
                "maxLength": UUID_LENGTH,
            },
            "text": {
                "description": "Text without NUL and lone surrogates.",
                "type": "string",
                "pattern": _STORABLE_TEXT,
            },
            "storable": _storable(),
            **_levels(),
        },
    }


def _event() -> Schema:
    return {
        "description": "A JSON event: a command, held to the lifecycle strictly.",
        "type": "object",
        "required": list(json_event.REQUIRED),
        "additionalProperties": False,
        "properties": {
            "uuid": _ref("uuid"),
            "name": {"description": "The event. `create` is reserved and refused.", "enum": list(EVENTS)},
            "token": _ref("text"),
            "data": {"type": "object", **_ref("level-2")},
        },
    }


def _wrapped() -> Schema:
    return {
        "description": "A message in Abaco's envelope. The envelope may also hold the text of one; not checked here.",
        "type": "object",
        "required": ["message"],
        "additionalProperties": False,
        "properties": {"message": {"type": "object", "$ref": "#"}},
    }


def _agave() -> Schema:
    return {
        "description": "A callback of Agave Jobs: the job's document.",
        "type": "object",
        **_ref("level-1"),
        "required": [*agave.TEXTS, agave.LINKS],
        "properties": _texts(*agave.TEXTS, "id") | {agave.LINKS: {"type": "object"}},
    }


def _aloe() -> Schema:
    return {
        "description": "A callback of Aloe Jobs: the job's document, without links.",
        "type": "object",
        **_ref("level-1"),
        "required": [*agave.TEXTS, *agave.ALOE_TEXTS],
        "properties": _texts(*agave.TEXTS, *agave.ALOE_TEXTS, "id") | {agave.LINKS: False},
    }


def _tapis() -> Schema:
    kind = {"type": "string", "pattern": "^" + tapis.TYPE_PREFIX.replace(".", r"\.")}
    return {
        "description": "A notification of Tapis v3 Jobs.",
        "type": "object",
        **_ref("level-1"),
        "required": ["event"],
        "properties": {"event": {"type": "object", "required": ["type"], "properties": {"type": kind}}},
    }


def _data() -> Schema:
    return {
        "description": (
            "The body when URL parameters name the event: any object, which becomes the event's data. One whose only "
            "key is `message` is taken as the envelope of another; one with `uuid`, `name` and none but the keys of "
            "a JSON event is taken as that."
        ),
        "type": "object",
        **_ref("level-1"),
        "not": {"required": ["message"], "maxProperties": 1},
    }


def _storable() -> Schema:
    return {
        "description": "What MongoDB can hold: text as above, integers of 64 bits, and any other value of JSON.",
        "type": ["null", "boolean", "number", "string", "array", "object"],
        "pattern": _STORABLE_TEXT,
        "if": {"type": "integer"},
        "then": {"minimum": INT64_MIN, "maximum": INT64_MAX},
    }


def _levels() -> dict[str, Schema]:
    """One definition per level of nesting, each allowing the next inside; the last allows no list or object."""
    levels = {f"level-{level}": _level(level) for level in range(1, DEPTH + 1)}
    scalar = {**_ref("storable"), "type": ["null", "boolean", "number", "string"]}
    return levels | {f"level-{DEPTH + 1}": scalar}


def _level(level: int) -> Schema:
    inside = _ref(f"level-{level + 1}")
    return {
        **_ref("storable"),
        "items": inside,
        "propertyNames": _ref("text"),
        "additionalProperties": inside,
    }


def _texts(*keys: str) -> dict[str, Schema]:
    return {key: {"type": "string"} for key in keys}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def text() -> str:
    """The schema as the text of `message.jsonschema`."""
    return json.dumps(definition(), indent=2) + "\n"


if __name__ == "__main__":
    print(text(), end="")
