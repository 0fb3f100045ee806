"""A request that the protocol refuses before the application sees it: why, and the answer in bytes."""

import json
from collections.abc import Iterable
from http import HTTPStatus

from pipelinejobs.gateway.http.http_errors import RETRY_SECONDS

Fields = Iterable[tuple[bytes, bytes]]


class RequestRefused(Exception):
    """The request is refused.

    Attributes:
        status: the status of the answer.
        reason: its message.
    """

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason

    def answer(self, version: str, default_fields: Fields) -> bytes:
        """The whole answer, in Abaco's envelope.

        Args:
            version: the gateway's, for the envelope.
            default_fields: header fields that every answer of the server has.
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
    """The refusal of a header that is too large."""
    return RequestRefused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"header: {problem}")


def check_request(method: bytes, version: str, fields: Fields) -> None:
    """Refuses a request that another program could read differently, or that asks for a proxy.

    Two lengths, or a length and chunks, are refused by the parser. But it accepts transfer codings that the server does
    not decode, and finds others only after the application was called.

    Raises:
        RequestRefused: the request is refused.
    """
    codings = [value.lower() for name, value in fields if name == b"transfer-encoding"]
    if version not in ("1.0", "1.1"):
        raise RequestRefused(HTTPStatus.BAD_REQUEST, "only HTTP/1.1 and HTTP/1.0 are supported")
    if codings and (codings != [b"chunked"] or version == "1.0"):
        raise RequestRefused(HTTPStatus.BAD_REQUEST, "Transfer-Encoding: can only be chunked, and not in HTTP/1.0")
    if method == b"CONNECT":
        raise RequestRefused(HTTPStatus.BAD_REQUEST, "this server is not a proxy")
