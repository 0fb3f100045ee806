"""The messages' JSON Schema at work: whether a body fits it, and everything that is wrong with one.

Used by the commands and to word refusals; the reader of messages never needs it. jsonschema is imported only when a
body is really looked at.
"""

import functools
import itertools
import math
from typing import TYPE_CHECKING, Any, Final

from pipelinejobs.messages import forms, json_event
from pipelinejobs.messages.body import WRAPPINGS, is_wrapping
from pipelinejobs.messages.fields import event_name, job_uuid
from pipelinejobs.messages.forms import Form
from pipelinejobs.messages.schema_definition import definition
from pipelinejobs.messages.values import TOO_DEEP, key_problem, path_of, problem_of, wrong_type
from pipelinejobs.util.errors import Malformed

if TYPE_CHECKING:
    from jsonschema import ValidationError
    from jsonschema.protocols import Validator

_DEFINITIONS: Final = {Form.EVENT: "event", Form.AGAVE: "agave", Form.ALOE: "aloe", Form.TAPIS: "tapis"}
_TYPES: Final = {"string": "text", "object": "an object"}


def accepts(body: Any) -> bool:
    """Whether a body (a value parsed from JSON) is a message that says by itself what happened."""
    try:
        return _validator(None).is_valid(body)
    except RecursionError:  # wrapped in itself hundreds of times
        return False


def problems(body: Any) -> list[str]:
    """Everything that is wrong with the form of a body, as sentences that begin with the path; none: nothing is.

    The form is the one that the body looks like an attempt at. A body out of its wrapping is expected; a wrapped
    one is unwrapped. At most `attempt.MOST_PROBLEMS` are given.
    """
    for _ in range(WRAPPINGS):
        if isinstance(body, dict) and is_wrapping(body):
            body = body["message"]
    if not isinstance(body, dict):
        return [Malformed("body", wrong_type("an object", body)).reason]
    form = forms.form_of(body)
    if form is None:
        return [Malformed("body", forms.NO_FORM).reason]
    errors = itertools.islice(_validator(form).iter_errors(body), forms.MOST_PROBLEMS)
    sentences = (found.reason for error in errors for found in _worded(error, form))
    return list(dict.fromkeys(sentences))[: forms.MOST_PROBLEMS]


@functools.cache
def _validator(form: Form | None) -> "Validator":
    """The validator of one form, or of all messages."""
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    # JSON Schema calls 1e30 an integer and jsonschema calls NaN a number. To us an integer is what is written as
    # one, which is what becomes a 64-bit integer in MongoDB; and JSON has no NaN and no infinities.
    checker = Draft202012Validator.TYPE_CHECKER.redefine_many(
        {
            "integer": lambda _, value: type(value) is int,
            "number": lambda _, value: type(value) is int or (type(value) is float and math.isfinite(value)),
        }
    )
    schema: dict[str, Any] = definition()
    del schema["$schema"]  # at a reference to the root, jsonschema would go by it and forget our types
    if form is not None:
        del schema["anyOf"]
        schema["$ref"] = f"#/$defs/{_DEFINITIONS[form]}"
    validator: Validator = extend(Draft202012Validator, type_checker=checker)(schema)  # type: ignore[no-untyped-call]
    return validator


def _worded(error: "ValidationError", form: Form) -> list[Malformed]:
    """One error of jsonschema in our words; some of its errors stand for several problems."""
    keys = list(error.absolute_path)
    where = path_of(*keys)
    value: Any = error.instance
    rule: Any = error.validator_value
    if form is Form.EVENT and keys in (["uuid"], ["name"]):
        return _field_problem(keys[0], value)
    match error.validator:
        case "required":
            absent = [key for key in rule if key not in value]
            return [Malformed(path_of(*keys, key), forms.missing(form)) for key in absent]
        case "additionalProperties":
            unknown = [key for key in value if key not in json_event.KEYS]
            return [Malformed(path_of(*keys, key), json_event.unknown_key(key)) for key in unknown]
        case "type":
            return [Malformed(where, _type_problem(rule, value))]
        case "pattern" if form is Form.TAPIS and keys == ["event", "type"]:
            return [Malformed(where, problem_of(value) or forms.WRONG_TYPE_OF_NOTIFICATION)]
    found = key_problem(value) if "propertyNames" in error.absolute_schema_path else problem_of(value)
    return [Malformed(where, found or "is not allowed here")]


def _field_problem(key: str | int, value: object) -> list[Malformed]:
    try:
        job_uuid(value, "uuid") if key == "uuid" else event_name(value, "name")
    except Malformed as problem:
        return [problem]
    return []


def _type_problem(expected: str | list[str], value: object) -> str:
    if isinstance(expected, str):
        return wrong_type(_TYPES[expected], value)
    # Any value at all was expected, or, at the last level, any but a list or an object.
    return TOO_DEEP if isinstance(value, dict | list) else problem_of(value) or "is not allowed here"
