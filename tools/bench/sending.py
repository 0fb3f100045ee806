"""One sender, which measures how long a gateway takes to answer."""

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final

from tools.bench.deployment import Broken
from tools.bench.jobs import Job
from tools.chaos.gateways import TOKEN, Gateway
from tools.chaos.proxy import HOST

_PATH: Final = "/actors/v2/jobs-manager.prod/messages"
_SECONDS: Final = 30.0


class Sending:
    """Sends events one after another, on one connection."""

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        self._connection = connection
        self._headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}

    def seconds(self, job: Job) -> float:
        """The seconds until an update of this job is answered.

        Raises:
            Broken: it was not answered with 200.
        """
        body = json.dumps(job.event()).encode()
        began = time.perf_counter()
        self._connection.request("POST", _PATH, body, self._headers)
        answer = self._connection.getresponse()
        said = answer.read()
        took = time.perf_counter() - began
        if answer.status != HTTPStatus.OK:
            raise Broken(f"an event was answered {answer.status}: {said[:200]!r}")
        return took


@contextmanager
def sending(gateway: Gateway) -> Iterator[Sending]:
    """A sender connected to this gateway."""
    connection = http.client.HTTPConnection(HOST, gateway.port, timeout=_SECONDS)
    try:
        yield Sending(connection)
    finally:
        connection.close()
