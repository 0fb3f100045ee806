"""Plain HTTP to a messages URL.

The standard library's client does just what is wanted: it follows no redirect, takes no proxy from the environment and
tries once. What it lacks, a limit on the whole exchange, is put around it.
"""

import http.client
import ipaddress
import json
import socket
import ssl
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from pipelinejobs.actors.answer import check
from pipelinejobs.deadline import call_within
from pipelinejobs.errors import Undelivered
from pipelinejobs.secret import Secret

_MOST_READ: Final = 64 * 1024


class HttpActor:
    """An actor behind a full messages URL."""

    def __init__(self, url: Secret, token: Secret | None = None) -> None:
        self._url = url
        self._token = token

    def send(self, message: Mapping[str, Any], *, key: str, deadline: float) -> None:
        """See `pipelinejobs.actors.Actor.send`."""
        connection = self._connection(deadline)
        try:
            status, retry_after = call_within(deadline, lambda: self._exchange(connection, message, key))
        except TimeoutError:
            _cut_off(connection)
            raise Undelivered("it did not answer in time") from None
        except ssl.SSLError as error:
            raise Undelivered(f"its TLS certificate or protocol is not acceptable ({error.reason})") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Undelivered(f"it could not be reached, or gave no HTTP answer ({type(error).__name__})") from None
        check(status, retry_after)

    def _connection(self, deadline: float) -> http.client.HTTPConnection:
        address = urlsplit(self._url.reveal())
        try:
            host, port = address.hostname, address.port
        except ValueError:
            host, port = None, None
        if not host:
            raise Undelivered("its URL has no usable host")
        if address.scheme == "https":
            return http.client.HTTPSConnection(host, port, timeout=deadline, context=ssl.create_default_context())
        if address.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=deadline)
        raise Undelivered("its URL is neither http nor https")

    def _exchange(
        self, connection: http.client.HTTPConnection, message: Mapping[str, Any], key: str
    ) -> tuple[int, str | None]:
        address = urlsplit(self._url.reveal())
        target = (address.path or "/") + (f"?{address.query}" if address.query else "")
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token.reveal()}"
        try:
            connection.connect()
            _refuse_link_local(connection.sock)
            connection.request("POST", target, json.dumps({"message": dict(message)}), headers)
            response = connection.getresponse()
            response.read(_MOST_READ)
            return response.status, response.getheader("Retry-After")
        finally:
            connection.close()


def _refuse_link_local(connected: socket.socket) -> None:
    """Link-local addresses are where clouds keep their metadata services. Asked of the connection itself, so that no
    name can say one thing and lead to another; nothing has been sent by then."""
    if ipaddress.ip_address(connected.getpeername()[0].partition("%")[0]).is_link_local:
        raise Undelivered("its address is link-local, where no actor is")


def _cut_off(connection: http.client.HTTPConnection) -> None:
    """Wakes the thread that still waits for this connection, so that it ends."""
    if connection.sock is not None:
        try:
            connection.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it has ended by itself meanwhile
