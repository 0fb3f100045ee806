"""Reads the value in a message's body, without Abaco's envelope."""

from typing import Any, Final

from pipelinejobs.messages import text as message_text
from pipelinejobs.messages.values import Flaw, check, wrong_type
from pipelinejobs.util.errors import Malformed

MAX_BYTES: Final = 1024 * 1024
"""The longest body, in bytes of UTF-8."""

TOO_LARGE: Final = f"is larger than {MAX_BYTES} bytes"

WRAPPINGS: Final = 32
"""The most times that an object may be wrapped in `{"message": ...}`."""

WRAPPING: Final = "message"
"""The key of an envelope."""

KEPT_UNDER: Final = "body"
"""The key in an event's data under which a body is stored that is not an object."""


def object_in(text: str | None, *, literal: bool) -> dict[str, Any] | None:
    """The object that a body holds, or None if there is no body; see `value_in`.

    Raises:
        Malformed: as for `value_in`, or the value is not an object.
    """
    value: dict[str, Any] | None = value_in(text, literal=literal, plain=False)
    return value


def value_in(text: str | None, *, literal: bool, plain: bool) -> Any:
    """The value that a body holds, or None if there is no body.

    If the value is an object whose only key is `message`, it is replaced by the value of that key, which may also be
    text of an object; this is repeated. Blank text and null count as no body. The result has passed `values.check`.

    Args:
        text: the body as it arrived; None or blank: no body.
        literal: whether the body may also be a Python literal.
        plain: whether the body may be any value: a list, a number, or text that is not JSON.

    Raises:
        Malformed: the body is too large, cannot be read, is not an object without `plain`, or holds a value that a
            message may not hold.
    """
    if text is None or not text.strip():
        return None
    if too_large(text):
        raise Malformed("body", TOO_LARGE)
    path = "body"
    value = message_text.parse(text, literal=literal, plain=plain)
    for _ in range(WRAPPINGS + 1):
        if isinstance(value, Flaw):
            raise Malformed(path, value.problem)
        if not isinstance(value, dict):
            if not plain:
                raise Malformed(path, wrong_type("an object", value))
            check({KEPT_UNDER: value})
            return value
        if not is_wrapping(value):
            check(value)
            return value
        path, value = WRAPPING, value[WRAPPING]
        if value is None or (isinstance(value, str) and not value.strip()):
            return None
        if isinstance(value, str):
            value = message_text.parse(value, literal=literal, path=path, plain=plain)
    raise Malformed("body", f"is wrapped in `message` more than {WRAPPINGS} times")


def is_wrapping(body: dict[str, Any]) -> bool:
    """Whether an object is the envelope of another value: its only key is `message`."""
    return len(body) == 1 and WRAPPING in body


def too_large(text: str) -> bool:
    """Whether a text is longer than a message may be."""
    return len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES
