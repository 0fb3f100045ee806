"""Sends messages by agavepy, as reactors on Abaco do.

agavepy makes the request: URL, query, credentials and body. By itself it sets no timeout, follows redirects, logs
tokens and nonces, and puts its own directory first on `sys.path` when it is imported. Here `util.http_client` sends its
requests, and `contained` undoes the rest.
"""

import io
import logging
import re
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from pipelinejobs.util.errors import Undelivered
from pipelinejobs.util.secret import Secret

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

    from pipelinejobs.util.http_client import Connection

_ACTOR: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,127}")
_NOT_PASSED_ON: Final = frozenset({"accept-encoding", "connection", "content-length", "host"})

_fence = threading.RLock()


class AgaveActor:
    """An actor at an actors API that agavepy can reach."""

    def __init__(
        self,
        api_server: str,
        actor_id: str,
        *,
        nonce: Secret | None,
        token: Secret | None,
        provenance: Mapping[str, str],
    ) -> None:
        """
        Args:
            api_server: the https URL of the API.
            actor_id: id or alias.
            nonce: a nonce of that id or alias.
            token: an access token. Nonce or token is needed; if there are both, both are sent.
            provenance: URL parameters for each message.
        """
        self._api_server = api_server
        self._actor_id = actor_id
        self._nonce = nonce
        self._token = token
        self._provenance = provenance
        self._wire = _Wire()
        self._client: Any = None

    def send(self, message: Mapping[str, Any], *, key: str, deadline: float) -> None:
        """See `pipelinejobs.actors.Actor.send`. The key is sent as `x_event_id` and as the header `Idempotency-Key`."""
        from pipelinejobs.util import http_client  # loaded here, because a run that sends nothing does not need it

        server = self._usable_server()
        arguments: dict[str, Any] = {
            "body": {"message": dict(message)},
            "environment": {"x_event_id": key, **self._provenance},
            "headers": {"Idempotency-Key": key},
        }
        if self._nonce:
            arguments["nonce"] = self._nonce.reveal()

        def work(connection: "Connection") -> None:
            client = self._connected(server)
            with self._wire.on(connection):
                client.actors.sendMessage(actorId=self._actor_id, **arguments)

        http_client.call(work, deadline, server)

    def _usable_server(self) -> str:
        """The API's host.

        Raises:
            Undelivered: agavepy cannot send the message, or would not send it as intended.
        """
        from pipelinejobs.util import http_client

        if not _ACTOR.fullmatch(self._actor_id):
            raise Undelivered("the actor's name is neither an id nor an alias")
        to = http_client.target(self._api_server)
        if not to.secure:
            raise Undelivered(f"agavepy needs https, and the actors API at {to.where} has no https URL")
        if not (self._nonce or self._token):
            raise Undelivered(
                f"there is neither an access token nor a nonce for {self._actor_id} (pipelines.job_indexer_nonce)"
            )
        return to.where.lower()  # if it has capitals, agavepy omits the token

    def _connected(self, server: str) -> Any:
        """agavepy's client. It is made for the first message, because that takes about half a second."""
        with contained():
            if self._client is None:
                from agavepy.agave import Agave

                credentials: dict[str, Any] = {"token": self._token.reveal()} if self._token else {"use_nonce": True}
                client = Agave(api_server=f"https://{server}", proxies={}, **credentials)
                session = client.all.http_client.session
                session.trust_env = False  # else the credentials in ~/.netrc would replace the token
                for scheme in ("https://", "http://"):
                    session.mount(scheme, self._wire)
                self._client = client
            return self._client


@contextmanager
def contained() -> Iterator[None]:
    """In this block, agavepy may be imported: it cannot print warnings, write log lines or change `sys.path`."""
    with _fence, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("agavepy.swaggerpy.client").disabled = True
        before = set(sys.path)
        try:
            yield
        finally:
            sys.path[:] = [entry for entry in sys.path if entry in before]


class _Wire:
    """A transport adapter of requests: sends the requests of agavepy's session by `util.http_client`.

    Each thread has its own connection.
    """

    def __init__(self) -> None:
        self._calls = threading.local()

    @contextmanager
    def on(self, connection: "Connection") -> Iterator[None]:
        """In this block, the calling thread sends on this connection."""
        self._calls.connection = connection
        try:
            yield
        finally:
            del self._calls.connection

    def send(self, request: "PreparedRequest", **_: object) -> "Response":
        """Sends a prepared request and returns an empty success, or raises what `http_client.post` raises.

        So agavepy never gets a refusal, after which it would refresh the token, or a redirect.
        """
        import requests

        from pipelinejobs.util import http_client

        body = request.body or b""
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _NOT_PASSED_ON}
        to = http_client.target(request.url or "")
        http_client.post(to, body.encode() if isinstance(body, str) else bytes(body), headers, self._calls.connection)
        response = requests.Response()
        response.status_code = 200
        response.raw = io.BytesIO(b"{}")
        return response

    def close(self) -> None:
        """Does nothing: no connection is kept open."""
