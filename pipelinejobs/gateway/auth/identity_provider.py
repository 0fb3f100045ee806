"""The interface of identity providers, TACC's OAuth2 server and Tapis, and how they ask another server."""

from collections.abc import Mapping
from typing import ClassVar, Protocol

from pipelinejobs.gateway.auth.credentials import Credentials
from pipelinejobs.gateway.auth.principal import Principal
from pipelinejobs.util import http_json
from pipelinejobs.util.errors import Unavailable, Undelivered


class IdentityProvider(Protocol):
    """Finds the user of a token. It may wait for another server, so call it in a worker thread."""

    kind: ClassVar[str]
    """The value of `Principal.by` for users whom this provider identifies."""

    def identify(self, credentials: Credentials) -> Principal | None:
        """The principal of a credential; None if the request shows no credential of this kind.

        Raises:
            BadCredential: the credential is of this kind, and is not valid.
            Unavailable: the server that knows the token does not answer now.
        """


def asked(url: str, headers: Mapping[str, str], seconds: float) -> tuple[int, object]:
    """The status and the JSON document that another server answers; see `util.http_json`.

    Raises:
        Unavailable: the server gives no complete answer in time, so that the token could not be checked.
    """
    try:
        status, document, _ = http_json.request("GET", url, headers, seconds)
    except Undelivered as error:
        raise Unavailable(f"the token could not be checked: {error.reason}") from None
    return status, document
