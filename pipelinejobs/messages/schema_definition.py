"""Makes message.jsonschema from the declarations and limits by which messages are read.

`python -m pipelinejobs.messages.schema_definition > message.jsonschema` writes the file at the root of the repository.
"""

import json
from typing import Any, Final

from fsm.lifecycle import EVENTS
from pipelinejobs.messages.agave import AGAVE, ALOE
from pipelinejobs.messages.fields import BLANKS, UUID_PATTERN
from pipelinejobs.messages.form import Form, Key
from pipelinejobs.messages.json_event import EVENT
from pipelinejobs.messages.tapis import TAPIS, TYPE_PREFIX
from pipelinejobs.messages.values import DEPTH, INT64_MAX, INT64_MIN

Schema = dict[str, Any]

_BLANKS: Final = f"[{BLANKS.encode('unicode_escape').decode().replace('x0b', 'v').replace('x0c', 'f')}]*"
_STORABLE_TEXT: Final = r"^[^\u0000\ud800-\udfff]*$"


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _in_any_case(name: str) -> str:
    return "".join(f"[{letter}{letter.upper()}]" for letter in name)


_NAME: Final[Schema] = {
    "description": (
        "The event, in any case of letters; blanks around it do not count. `create` is reserved and refused."
    ),
    "type": "string",
    "pattern": f"^{_BLANKS}(?:{'|'.join(map(_in_any_case, EVENTS))}){_BLANKS}$",
    "examples": list(EVENTS),
}

_VALUES: Final[dict[tuple[str, str], Schema]] = {
    ("event", "uuid"): _ref("uuid"),
    ("event", "name"): _NAME,
    ("event", "token"): _ref("text"),
    ("event", "data"): {"type": "object", **_ref("level-2")},
    ("tapis", "type"): {"type": "string", "pattern": "^" + TYPE_PREFIX.replace(".", r"\.")},
}
"""The schemas of values of which more than the type is checked, by form and key."""


def definition() -> Schema:
    """The whole schema. Its root describes a message that needs no URL parameters to name its event.

    `$defs/data` describes the body if URL parameters name the event.
    """
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": "Written by `python -m pipelinejobs.messages.schema_definition`: change that, not this file.",
        "title": "A message to the PipelineJobs Manager",
        "description": (
            "A message that names its event without the help of URL parameters. A callback also needs the URL "
            "parameter uuid, and may have token. A callback that does not match this schema may be accepted all the "
            "same, because callbacks are read leniently."
        ),
        "anyOf": [_ref("event"), _ref("wrapped"), _ref("agave"), _ref("aloe"), _ref("tapis")],
        "$defs": {
            "event": _form(EVENT, "A JSON event: a command, which is refused if the lifecycle does not allow it."),
            "wrapped": _wrapped(),
            "agave": _form(AGAVE, "A callback of Agave Jobs: the job's document."),
            "aloe": _form(ALOE, "A callback of Aloe Jobs: the job's document, without links."),
            "tapis": _form(TAPIS, "A notification of Tapis v3 Jobs."),
            "data": _data(),
            "uuid": {
                "description": "A job's uuid in canonical form; blanks around it do not count.",
                "type": "string",
                "pattern": f"^{_BLANKS}{UUID_PATTERN}{_BLANKS}$",
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


def _form(form: Form, description: str) -> Schema:
    """The schema of a form."""
    keys = _keys(form, form.keys)
    return {
        "description": description,
        "type": "object",
        **({} if form.is_closed else _ref("level-1")),
        "required": keys["required"],
        **({"additionalProperties": False} if form.is_closed else {}),
        "properties": keys["properties"] | dict.fromkeys(form.absent, False),
    }


def _keys(form: Form, keys: tuple[Key, ...]) -> Schema:
    return {
        "required": [key.name for key in keys if key.required],
        "properties": {key.name: _VALUES.get((form.name, key.name)) or _value(form, key) for key in keys},
    }


def _value(form: Form, key: Key) -> Schema:
    """The schema of a value: its type and, for an object, its keys."""
    if key.type is str:
        return {"type": "string"}
    return {"type": "object", **(_keys(form, key.keys) if key.keys else {})}


def _wrapped() -> Schema:
    return {
        "description": "A message in Abaco's envelope. The envelope may also hold a message as text; not checked here.",
        "type": "object",
        "required": ["message"],
        "additionalProperties": False,
        "properties": {"message": {"type": "object", "$ref": "#"}},
    }


def _data() -> Schema:
    return {
        "description": (
            "The body when URL parameters name the event: an object becomes the event's data, and anything else is "
            "kept in the data under `body`, be it JSON or any other text. An object whose only key is `message` is "
            "taken as the envelope of what it holds, which is not checked here; one with `uuid`, `name` and none but "
            "the keys of a JSON event is taken as that."
        ),
        "if": {"type": "object"},
        "then": _ref("level-1"),
        "else": _ref("level-2"),
    }


def _storable() -> Schema:
    return {
        "description": "What MongoDB can hold: text without NUL and lone surrogates, integers of 64 bits, other JSON.",
        "type": ["null", "boolean", "number", "string", "array", "object"],
        "pattern": _STORABLE_TEXT,
        "if": {"type": "integer"},
        "then": {"minimum": INT64_MIN, "maximum": INT64_MAX},
    }


def _levels() -> dict[str, Schema]:
    """One definition for each level of nesting. Each allows the next level inside; the last, no list or object."""
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


def text() -> str:
    """The schema as the text of `message.jsonschema`."""
    return json.dumps(definition(), indent=2) + "\n"


if __name__ == "__main__":
    print(text(), end="")
