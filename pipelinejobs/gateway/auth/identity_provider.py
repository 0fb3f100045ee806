"""The interface of identity providers: TACC's OAuth2 server and Tapis."""

from typing import ClassVar, Protocol

from pipelinejobs.gateway.auth.credentials import Credentials
from pipelinejobs.gateway.auth.principal import Principal


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
