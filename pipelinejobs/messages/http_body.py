"""Reads the text of a message in the body of an HTTP request."""

from typing import Final

from pipelinejobs.messages.body import MAX_BYTES, TOO_LARGE
from pipelinejobs.messages.values import shown
from pipelinejobs.util.errors import Malformed

FORM: Final = "application/x-www-form-urlencoded"
_MULTIPART: Final = "multipart/form-data"
BINARY: Final = "application/octet-stream"
_MOST_FIELDS: Final = 100
_SEND: Final = "send the JSON text itself, in UTF-8"


def text_of(
    body: bytes, content_type: str | None, content_encoding: str | None = None, *, plain: bool = False
) -> str | None:
    """The text of the message in a request; None if there is no body.

    The body counts more than its Content-Type: `curl --data '{...}'`, the documented way to send JSON, declares a form.
    A body that begins like a JSON object or list is JSON text, whatever its Content-Type. Any other body that is
    declared as a form is read as a form, and its field `message` is the text.

    Args:
        body: the bytes, all of them.
        content_type: the header Content-Type; None if it was absent.
        content_encoding: the header Content-Encoding; None if it was absent.
        plain: whether a declared form without the field is the text itself, because curl declares every text a form.

    Raises:
        Malformed: the body is compressed, binary, too large, not UTF-8, or a form without the field.
    """
    if not body.strip():
        return None
    if len(body) > MAX_BYTES:
        raise Malformed("body", TOO_LARGE)
    if is_encoded(content_encoding):
        raise Malformed("header Content-Encoding", f"is {shown(content_encoding or '')}; send the body uncompressed")
    label = media_type(content_type)
    if label == BINARY:
        raise Malformed("header Content-Type", f"is {BINARY}, which is not read; {_SEND}, as application/json")
    text = _decoded(body)
    if not text.strip():
        return None
    if text.lstrip().startswith(("{", "[")):
        return text
    if label == FORM:
        return _message_field(text, plain=plain)
    if label == _MULTIPART:
        raise Malformed("header Content-Type", f"is {_MULTIPART}, which is not read; {_SEND}")
    return text


def is_encoded(content_encoding: str | None) -> bool:
    """Whether the header Content-Encoding says that a body is compressed."""
    return content_encoding is not None and content_encoding.strip().lower() not in ("", "identity")


def media_type(content_type: str | None) -> str:
    """The media type of a Content-Type without its parameters, in lower case; empty if there is none."""
    return (content_type or "").partition(";")[0].strip().lower()


def _decoded(body: bytes) -> str:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("body", f"is not UTF-8 at byte {error.start + 1}; {_SEND}") from None
    if "\0" in text:  # as UTF-16 and UTF-32 do
        raise Malformed("body", f"holds NUL characters; {_SEND}")
    return text


def _message_field(form: str, *, plain: bool) -> str | None:
    from urllib.parse import parse_qs  # loaded here, because actors on Abaco get no forms

    try:
        fields = parse_qs(form.strip(), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError:
        if plain:
            return form
        raise Malformed("body", f"is declared a form by its Content-Type and is not one; {_SEND}") from None
    messages = fields.get("message", [])
    if len(messages) > 1:
        raise Malformed("body", "is a form with the field `message` twice")
    if not messages and plain:
        return form
    if not messages:
        raise Malformed("body", f"is declared a form by its Content-Type and has no field `message`; {_SEND}")
    return messages[0] if messages[0].strip() else None
