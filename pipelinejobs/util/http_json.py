"""Asks other servers for small JSON documents, with limits on time and size."""

import json
from collections.abc import Mapping
from typing import Final, NamedTuple

from pipelinejobs.util import http_client
from pipelinejobs.util.errors import Undelivered

MOST_BYTES: Final = 1024 * 1024


class JsonAnswer(NamedTuple):
    """An answer that came in full.

    Attributes:
        status: the HTTP status.
        document: the document; None if the body is not JSON.
        retry_after: the header Retry-After.
    """

    status: int
    document: object
    retry_after: str | None = None


def request(method: str, url: str, headers: Mapping[str, str], seconds: float, body: bytes | None = None) -> JsonAnswer:
    """Makes one request.

    As for messages to actors (`util.http_client`): no proxies, no redirects, certificates are checked.

    Args:
        method: the HTTP method.
        url: the address.
        headers: header fields to send, such as Authorization.
        seconds: time limit for the whole request.
        body: the body; None for none.

    Raises:
        Undelivered: no complete answer came in time, or it is larger than `MOST_BYTES`. The reason shows neither
            headers nor query.
    """
    answers: list[tuple[int, bytes, str | None]] = []
    to = http_client.target(url)

    def work(connection: http_client.Connection) -> None:
        fields = {"Accept": "application/json", **headers}
        with http_client.exchange(method, to, body, fields, connection) as response:
            read = response.read(MOST_BYTES + 1)
            if len(read) > MOST_BYTES or response.length:
                raise Undelivered(f"the answer of {to.where} is too long, or incomplete")
            answers.append((response.status, read, response.getheader("Retry-After")))

    http_client.call(work, seconds, to.where)
    status, read, retry_after = answers[0]
    try:
        return JsonAnswer(status, json.loads(read), retry_after)
    except (ValueError, RecursionError):
        return JsonAnswer(status, None, retry_after)
