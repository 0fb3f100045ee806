"""A message as it arrived at one of the entry points."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from pipelinejobs.util.record import shown


class Delivery(NamedTuple):
    """One message as it arrived, through either entry point.

    Attributes:
        id: the delivery's own id: Abaco's execution id, or one made by the entry point. Never empty.
        body: the message: `MSG` as text, or the body of an HTTP request as bytes. None or blank: no body.
        parameters: the URL parameters, already decoded once. Only the names in `messages.parameters.NAMES`
            are read, so this may be a whole environment.
        sender: the authenticated user's name; None without authentication.
        literal: whether the body may also be a Python literal, into which Abaco turns a JSON object.
        content_type, content_encoding, event_id: the headers Content-Type, Content-Encoding and Idempotency-Key.
        missing: why the body is not here although the message had one; None if it is here.
    """

    id: str
    body: str | bytes | None = None
    parameters: Mapping[str, str] = MappingProxyType({})
    sender: str | None = None
    literal: bool = True
    content_type: str | None = None
    content_encoding: str | None = None
    event_id: str | None = None
    missing: str | None = None

    def __repr__(self) -> str:
        return shown(self, "body", "parameters")
