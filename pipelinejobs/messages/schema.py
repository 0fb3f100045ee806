"""Checks a body against message.jsonschema. Only `send` imports this module, because jsonschema loads slowly."""

import functools
import math
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.protocols import Validator
from jsonschema.validators import extend

from pipelinejobs.messages.schema_definition import definition


def accepts(body: Any) -> bool:
    """Whether message.jsonschema accepts a body, which was parsed from JSON."""
    try:
        return _validator().is_valid(body)
    except RecursionError:  # wrapped in itself hundreds of times
        return False


@functools.cache
def _validator() -> Validator:
    # To JSON Schema, 1e30 is an integer, and to jsonschema, NaN is a number. The reader of messages takes only digits
    # for an integer, which has 64 bits in MongoDB, and accepts no NaN and no infinities.
    checker = Draft202012Validator.TYPE_CHECKER.redefine_many(
        {
            "integer": lambda _, value: type(value) is int,
            "number": lambda _, value: type(value) is int or (type(value) is float and math.isfinite(value)),
        }
    )
    schema: dict[str, Any] = definition()
    del schema["$schema"]  # at a reference to the root, jsonschema would use the dialect's types instead of these
    validator: Validator = extend(Draft202012Validator, type_checker=checker)(schema)  # type: ignore[no-untyped-call]
    return validator
