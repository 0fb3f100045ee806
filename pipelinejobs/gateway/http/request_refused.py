"""Requests that the protocol refuses before the application sees them: the reason, and the answer in bytes."""

import json
from collections.abc import Iterable
from http import HTTPStatus

from pipelinejobs.gateway.http.http_errors import RETRY_SECONDS

Fields = Iterable[tuple[bytes, bytes]]


class RequestRefused(Exception):
    """The protocol refuses the request.

    Attributes:
        status: the HTTP status of the answer.
        reason: why, for the sender.
    """

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason

    def answer(self, version: str, default_fields: Fields) -> bytes:
        """The whole answer, in Abaco's envelope.

        Args:
            version: the gateway's version, for the envelope.
            default_fields: header fields of all answers of the server.
        """
        content = {"message": self.reason, "result": None, "status": "error", "version": version}
        body = json.dumps(content).encode()
        fields = [
            *default_fields,
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"connection", b"close"),
        ]
        if self.status is HTTPStatus.SERVICE_UNAVAILABLE:
            fields.append((b"retry-after", b"%d" % RETRY_SECONDS))
        first = f"HTTP/1.1 {self.status.value} {self.status.phrase}\r\n".encode()
        return first + b"".join(b"%b: %b\r\n" % field for field in fields) + b"\r\n" + body


def header_too_large(problem: str) -> RequestRefused:
    """The refusal of a header that is too large; `problem` says in which way."""
    return RequestRefused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"header: {problem}")


def check_request(method: bytes, version: str, fields: Fields) -> None:
    """Refuses a request that a proxy could read differently (request smuggling), or that asks for a proxy.

    The parser itself refuses two lengths, and a length beside chunks. It does not refuse all transfer codings that the
    server cannot decode, or refuses them only after the application was called.

    Raises:
        RequestRefused: the request is refused.
    """
    codings = [value.lower() for name, value in fields if name == b"transfer-encoding"]
    if version not in ("1.0", "1.1"):
        raise RequestRefused(HTTPStatus.BAD_REQUEST, "only HTTP/1.1 and HTTP/1.0 are supported")
    if codings and (codings != [b"chunked"] or version == "1.0"):
        raise RequestRefused(
            HTTPStatus.BAD_REQUEST, "Transfer-Encoding: only chunked is supported, and only in HTTP/1.1"
        )
    if method == b"CONNECT":
        raise RequestRefused(HTTPStatus.BAD_REQUEST, "this server is not a proxy")
