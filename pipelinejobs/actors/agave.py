"""Through agavepy, as reactors on Abaco speak to each other.

agavepy (0.9.5) sets no timeout, follows redirects, writes tokens and nonces into its log, and puts its own directory first
on `sys.path` when it is imported. None of that happens here.
"""

import logging
import sys
import warnings
from collections.abc import Mapping
from typing import Any

from pipelinejobs.actors.answer import check
from pipelinejobs.deadline import call_within
from pipelinejobs.errors import Undelivered
from pipelinejobs.secret import Secret


class AgaveActor:
    """An actor behind an actors API that agavepy can speak to."""

    def __init__(
        self,
        api_server: str,
        actor_id: str,
        *,
        nonce: Secret | None,
        token: Secret | None,
        provenance: Mapping[str, str],
    ) -> None:
        self._api_server = api_server
        self._actor_id = actor_id
        self._nonce = nonce
        self._token = token
        self._provenance = provenance

    def send(self, message: Mapping[str, Any], *, key: str, deadline: float) -> None:
        """See `pipelinejobs.actors.Actor.send`. The key travels as `x_event_id` and as a header."""
        if self._nonce is None and self._token is None:
            raise Undelivered("there is neither an access token nor a nonce for it (pipelines.job_indexer_nonce)")
        answers: list[tuple[int, str | None]] = []
        failure = None
        try:
            call_within(deadline, lambda: self._exchange(message, key, deadline, answers))
        except TimeoutError:
            raise Undelivered("it did not answer in time") from None
        except Exception as error:  # agavepy raises whatever its parts raise, also after the message was taken
            failure = type(error).__name__
        if not answers:
            raise Undelivered(f"it could not be reached ({failure})")
        check(*answers[-1])

    def _exchange(
        self, message: Mapping[str, Any], key: str, deadline: float, answers: list[tuple[int, str | None]]
    ) -> None:
        client = self._client()
        session = client.all.http_client.session
        session.trust_env = False
        session.max_redirects = 0
        for scheme in ("https://", "http://"):
            session.mount(scheme, _bounded_adapter(deadline, answers))
        nonce = {"nonce": self._nonce.reveal()} if self._nonce is not None else {}
        client.actors.sendMessage(
            actorId=self._actor_id,
            body={"message": dict(message)},
            environment={"x_event_id": key, **self._provenance},
            headers={"Idempotency-Key": key},
            **nonce,
        )

    def _client(self) -> Any:
        agave = _agavepy()
        if self._token is None:
            return agave.Agave(api_server=self._api_server, use_nonce=True, proxies={})
        client = agave.Agave(api_server=self._api_server, token=self._token.reveal(), proxies={})
        client.token = None  # it could not be refreshed, and trying would know no deadline
        return client


def _agavepy() -> Any:
    before = list(sys.path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from agavepy import agave
    finally:
        sys.path[:] = before
    logging.getLogger("agavepy").setLevel(logging.CRITICAL)
    logging.getLogger("agavepy.swaggerpy.client").setLevel(logging.CRITICAL)
    return agave


def _bounded_adapter(deadline: float, answers: list[tuple[int, str | None]]) -> Any:
    """An adapter for agavepy's HTTP session that knows a timeout and notes each answer as it comes.

    What agavepy makes of an answer tells neither its status nor its headers.
    """
    from requests import PreparedRequest, Response
    from requests.adapters import HTTPAdapter

    class Bounded(HTTPAdapter):
        def send(self, request: PreparedRequest, *_: Any, **options: Any) -> Response:
            response = super().send(request, **(options | {"timeout": deadline}))
            answers.append((response.status_code, response.headers.get("Retry-After")))
            return response

    return Bounded(max_retries=0)
