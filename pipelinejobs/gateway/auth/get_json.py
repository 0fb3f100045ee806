"""One bounded GET to another server, which answers with a small JSON document."""

import http.client
import json
from collections.abc import Mapping
from contextlib import closing

from pipelinejobs.util import http_client
from pipelinejobs.util.errors import Unavailable, Undelivered

MOST_BYTES = 1024 * 1024


def get_json(url: str, headers: Mapping[str, str], seconds: float) -> tuple[int, object]:
    """The status and the document of an answer; None for one that is not JSON.

    As with messages to actors (`util.http_client`): no proxies, no redirects, certificates checked.

    Raises:
        Unavailable: there was no whole answer in time; the reason shows neither headers nor query.
    """
    answers: list[tuple[int, bytes]] = []
    try:
        to = http_client.target(url)
        http_client.call(lambda connection: answers.append(_get(to, headers, connection)), seconds, to.where)
    except Undelivered as error:
        raise Unavailable(f"the server that knows the token cannot be asked: {error.reason}") from None
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
                raise Undelivered(f"{to.where} gave an answer that is too long, or breaks off")
            return response.status, body
