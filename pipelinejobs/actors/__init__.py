"""Sends messages to other actors: by agavepy on Abaco, by plain HTTP elsewhere."""

from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import quote, urlencode, urlsplit

from pipelinejobs.actors.agave import AgaveActor
from pipelinejobs.actors.plain_http import HttpActor
from pipelinejobs.util.secret import Secret

__all__ = ["Actor", "AgaveActor", "HttpActor", "at_url", "on_abaco"]


class Actor(Protocol):
    """An actor to which messages can be sent."""

    def send(self, message: Mapping[str, Any], *, key: str, deadline: float) -> None:
        """Sends one message; returns after the actor's platform has accepted it.

        Args:
            message: the message; it is sent in the body `{"message": {...}}`, as the Reactors SDK does.
            key: the message's key, the same at every attempt, by which the receiver can recognise a repetition.
            deadline: the most seconds that sending may take.

        Raises:
            Undelivered: the message was not accepted, or no answer says so. The reason contains no token, nonce or
                query.
        """


def at_url(url: Secret) -> Actor:
    """The actor behind a full messages URL (`pipelines.job_indexer_url`), which is used as it is."""
    return HttpActor(url)


def on_abaco(
    actor_id: str,
    *,
    api_server: str,
    nonce: Secret | None,
    access_token: Secret | None,
    provenance: Mapping[str, str],
) -> Actor:
    """The actor with this id or alias at an actors API.

    agavepy is used if it can reach the API. It speaks https only, and if the URL has more than a host, it omits the
    Authorization header (both measured with agavepy 0.9.5).

    Args:
        actor_id: id or alias.
        api_server: base URL of the API, `_abaco_api_server`.
        nonce: the nonce to send; None for none.
        access_token: the bearer token to send; None for none.
        provenance: URL parameters that name the message's source.
    """
    if _agavepy_can(api_server, access_token):
        return AgaveActor(api_server, actor_id, nonce=nonce, token=access_token, provenance=provenance)
    query = dict(provenance) | ({"x-nonce": nonce.reveal()} if nonce else {})
    url = f"{api_server.rstrip('/')}/actors/v2/{quote(actor_id, safe='')}/messages"
    return HttpActor(Secret(f"{url}?{urlencode(query)}" if query else url), token=access_token)


def _agavepy_can(api_server: str, access_token: Secret | None) -> bool:
    try:
        address = urlsplit(api_server)
    except ValueError:
        return False  # `HttpActor` raises the error
    return address.scheme == "https" and (not access_token or address.netloc.lower() == address.hostname)
