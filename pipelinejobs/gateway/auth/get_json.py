"""Gets a small JSON document from another server, with limits on time and size."""

import http.client
import json
from collections.abc import Mapping
from contextlib import closing

from pipelinejobs.util import http_client
from pipelinejobs.util.errors import Unavailable, Undelivered

MOST_BYTES = 1024 * 1024


def get_json(url: str, headers: Mapping[str, str], seconds: float) -> tuple[int, object]:
    """Gets a JSON document.

    As for messages to actors (`util.http_client`): no proxies, no redirects, certificates are checked.

    Args:
        url: the address.
        headers: header fields to send, such as Authorization.
        seconds: time limit for the whole request.

    Returns:
        the HTTP status and the document; None as the document if the body is not JSON.

    Raises:
        Unavailable: no complete answer came in time, or it is larger than `MOST_BYTES`. The reason shows neither
            headers nor query.
    """
    answers: list[tuple[int, bytes]] = []
    try:
        to = http_client.target(url)
        http_client.call(lambda connection: answers.append(_get(to, headers, connection)), seconds, to.where)
    except Undelivered as error:
        raise Unavailable(f"the token could not be checked: {error.reason}") from None
    status, body = answers[0]
    try:
        return status, json.loads(body)
    except (ValueError, RecursionError):
        return status, None


def _get(to: http_client.Target, headers: Mapping[str, str], connection: http_client.Connection) -> tuple[int, bytes]:
    with (
        closing(http_client.connect(to, connection)) as connected,
        closing(http.client.HTTPConnection(to.host, to.port)) as client,
    ):
        client.sock = connected
        client.request("GET", to.path, headers={"Accept": "application/json", **headers, "Host": to.where})
        with closing(client.getresponse()) as response:
            body = response.read(MOST_BYTES + 1)
            if len(body) > MOST_BYTES or response.length:
                raise Undelivered(f"the answer of {to.where} is too long, or incomplete")
            return response.status, body
