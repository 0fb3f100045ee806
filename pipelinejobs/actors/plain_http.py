"""Sends messages to a messages URL by plain HTTP."""

import json
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from pipelinejobs.util.secret import Secret


class HttpActor:
    """The actor at a full messages URL, which is used as it is."""

    def __init__(self, url: Secret, token: Secret | None = None) -> None:
        """
        Args:
            url: an http or https URL. A user and password in it are sent as Basic credentials.
            token: an access token, sent as a Bearer token instead of Basic credentials.
        """
        self._url = url
        self._token = token

    def send(self, message: Mapping[str, Any], *, key: str, deadline: float) -> None:
        """See `pipelinejobs.actors.Actor.send`. The key is sent as the header `Idempotency-Key`."""
        from pipelinejobs.util import http_client  # loaded here, because a run that sends nothing does not need it

        to = http_client.target(self._url.reveal())
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token.reveal()}"
        elif to.user is not None:
            headers["Authorization"] = f"Basic {b64encode(to.user.encode()).decode()}"
        body = json.dumps({"message": dict(message)}).encode()
        http_client.call(lambda connection: http_client.post(to, body, headers, connection), deadline, to.where)
