"""How a message reaches another actor: agavepy on Abaco, plain HTTP elsewhere."""

from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import quote, urlencode, urlsplit

from pipelinejobs.actors.agave import AgaveActor
from pipelinejobs.actors.plain_http import HttpActor
from pipelinejobs.util.secret import Secret

__all__ = ["Actor", "AgaveActor", "HttpActor", "at_url", "on_abaco"]


class Actor(Protocol):
    """One actor that messages can be sent to."""

    def send(self, message: Mapping[str, Any], *, key: str, deadline: float) -> None:
        """Sends one message; returns when the actor's platform has taken it.

        Args:
            message: the message; it is sent as the body `{"message": {...}}`, as `rx.send_message` sends it.
            key: the message's own key, the same at every attempt, by which a receiver can recognise a repetition.
            deadline: seconds that all of it may take, whatever the other side does.

        Raises:
            Undelivered: it was not taken, or no answer says whether it was. The reason holds no token, nonce or query.
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
    """The actor with this id or alias behind an actors API.

    Args:
        api_server: base URL of the API, `_abaco_api_server`.
        nonce: the nonce to be used.
        access_token: the bearer token to be used.
        provenance: URL parameters that say where the message comes from.

    agavepy is used wherever it can be: it speaks https only, and with more than a host in the address it leaves the
    Authorization header out (both measured with 0.9.5).
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
        return False  # `HttpActor` says what is wrong with it
    return address.scheme == "https" and (not access_token or address.netloc.lower() == address.hostname)
