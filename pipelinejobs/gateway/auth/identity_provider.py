"""The interface of everything that knows whose a token is: a static list, TACC's OAuth2 server, Tapis."""

from typing import ClassVar, Protocol

from pipelinejobs.gateway.auth.credentials import Credentials
from pipelinejobs.gateway.auth.principal import Principal


class IdentityProvider(Protocol):
    """One way of finding the user of a token. It may wait for another server, so it is called in a worker thread."""

    kind: ClassVar[str]
    """What `Principal.by` holds for the users it identifies."""

    def identify(self, credentials: Credentials) -> Principal | None:
        """Returns whose credential it is; None if the request shows none of this kind.

        Raises:
            BadCredential: it is of this kind and not valid.
            Unavailable: the server that knows the token does not answer now.
        """
