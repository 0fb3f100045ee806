"""message.jsonschema in force: whether it accepts a body. Only `send` imports this, because jsonschema loads slowly."""

import functools
import math
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.protocols import Validator
from jsonschema.validators import extend

from pipelinejobs.messages.schema_definition import definition


def accepts(body: Any) -> bool:
    """Whether a body (a value parsed from JSON) is a message that says by itself what happened."""
    try:
        return _validator().is_valid(body)
    except RecursionError:  # wrapped in itself hundreds of times
        return False


@functools.cache
def _validator() -> Validator:
    # JSON Schema calls 1e30 an integer and jsonschema calls NaN a number. To the reader an integer is what is written
    # as one, which becomes a 64-bit integer in MongoDB; and JSON has no NaN and no infinities.
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
