"""What arrived, before anybody has read it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from pipelinejobs.record import shown


class Delivery(NamedTuple):
    """One message as it arrived, by whichever way.

    Attributes:
        id: the delivery's own id: Abaco's execution id, or one made by the entry point. Never empty.
        body: the message's text (`MSG`, or an HTTP body already turned into text); None or blank: no body.
        parameters: the URL parameters, already decoded once. Only the names in `messages.parameters.NAMES`
            are looked at, so an environment or a whole query string may be given.
        sender: the authenticated user name (`_abaco_username`); None where nobody was authenticated.
        literal: whether the body may also be a Python literal, which is what Abaco makes of a JSON object.
    """

    id: str
    body: str | None = None
    parameters: Mapping[str, str] = MappingProxyType({})
    sender: str | None = None
    literal: bool = True

    def __repr__(self) -> str:
        return shown(self, "body", "parameters")
