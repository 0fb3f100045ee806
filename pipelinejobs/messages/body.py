"""The value in a message's body, unwrapped."""

from typing import Any, Final

from pipelinejobs.messages import text as message_text
from pipelinejobs.messages.values import Flaw, check, wrong_type
from pipelinejobs.util.errors import Malformed

MAX_BYTES: Final = 1024 * 1024
"""The longest body, in bytes of UTF-8."""

TOO_LARGE: Final = f"is larger than {MAX_BYTES} bytes"

WRAPPINGS: Final = 32
"""How many times an object may be wrapped in `{"message": ...}`."""

WRAPPING: Final = "message"
"""The key of an envelope."""

KEPT_UNDER: Final = "body"
"""The key in an event's data under which a body that is no object is kept."""


def object_in(text: str | None, *, literal: bool) -> dict[str, Any] | None:
    """The object that a body holds; see `value_in`.

    Raises:
        Malformed: as there, or it is not an object.
    """
    value: dict[str, Any] | None = value_in(text, literal=literal, plain=False)
    return value


def value_in(text: str | None, *, literal: bool, plain: bool) -> Any:
    """The value that a body holds, or None where there is no body.

    An object whose only key is `message` is replaced by the value of that key, an object or the text of one, as often
    as that is so. A blank text and null count as no body. The result holds nothing that a message may not hold
    (`values.check`).

    Args:
        text: the body as it arrived; None or blank: no body.
        literal: whether a Python literal is taken as well as JSON.
        plain: whether it may be something else than an object: a list, a number, or any text, JSON or not.

    Raises:
        Malformed: too large, not readable, not an object though it must be, or holding what a message may not hold.
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
    """Whether an object is only the envelope of another value."""
    return len(body) == 1 and WRAPPING in body


def too_large(text: str) -> bool:
    """Whether a text is longer than a message may be."""
    return len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES
