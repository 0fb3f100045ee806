"""One HTTP POST to a receiver that is not trusted to behave.

The standard library's client does just what is wanted: it tries once, follows no redirect, logs nothing, and takes no
proxy and no password file from where other libraries look for them. All sending, agavepy's included, goes through here.
"""

import http.client
import socket
import ssl
from collections.abc import Mapping
from contextlib import closing
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

from pipelinejobs.util import http_addresses, http_response
from pipelinejobs.util.errors import Undelivered
from pipelinejobs.util.http_line import Line
from pipelinejobs.util.record import shown

ANSWER_BYTES: Final = 64 * 1024
"""How much of an answer is read. Nothing in it matters to us, but an answer that breaks off is none."""


_LONGEST_HOST: Final = 253  # RFC 1035


class Target(NamedTuple):
    """A URL, taken apart.

    Attributes:
        where: host and port as written, fit to be shown.
        secure: whether it is https.
        host, port: where to connect; the host without brackets.
        path: path and query as written; secret.
        user: user and password that stand in front of the host, decoded; None where there are none.
    """

    where: str
    secure: bool
    host: str
    port: int
    path: str
    user: str | None

    def __repr__(self) -> str:
        return shown(self, "path", "user")


def target(url: str) -> Target:
    """Takes a URL apart.

    Raises:
        Undelivered: it is not an absolute http or https URL, or holds what must be percent-encoded.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise Undelivered("the receiver's URL cannot be read") from None
    if parts.scheme not in ("http", "https"):
        raise Undelivered("the receiver's URL does not begin with http:// or https://")
    if not host or len(host) > _LONGEST_HOST:
        raise Undelivered("the receiver's URL names no usable host")
    if not (url.isascii() and url.isprintable() and " " not in url):
        raise Undelivered("the receiver's URL holds characters that must be percent-encoded")
    secure = parts.scheme == "https"
    path = parts.path or "/"
    user, _, where = parts.netloc.rpartition("@")
    return Target(
        where=where,
        secure=secure,
        host=host,
        port=port or (http.client.HTTPS_PORT if secure else http.client.HTTP_PORT),
        path=f"{path}?{parts.query}" if parts.query else path,
        user=unquote(user) if user else None,
    )


def post(to: Target, body: bytes, headers: Mapping[str, str], line: Line) -> None:
    """Posts `body`. When this returns, the receiver has answered 2xx, in full or more than is read.

    Args:
        to: where to.
        body: what to send.
        headers: what to send with it; `Host` and `Content-Length` are added.
        line: holds the connection and the time that is left.

    Raises:
        Undelivered: anything else happened.
        TimeoutError: the line's time is over.
    """
    try:
        with closing(connect(to, line)) as connected, closing(http.client.HTTPConnection(to.host, to.port)) as client:
            client.sock = connected
            client.request("POST", to.path, body, {**headers, "Host": to.where})
            with closing(client.getresponse()) as response:
                http_response.check(to.where, response.status, response.getheader("Retry-After"))
                read = response.read(ANSWER_BYTES)
                if len(read) < ANSWER_BYTES and response.length:
                    raise http.client.IncompleteRead(read, response.length)
    except ssl.SSLCertVerificationError as error:
        raise Undelivered(f"the certificate of {to.where} is not good: {error.verify_message[:100]}") from None
    except TimeoutError:
        raise
    except (OSError, http.client.HTTPException) as error:
        line.remaining()  # where the line was cut, that is the reason
        what = "does not speak TLS as it should" if isinstance(error, ssl.SSLError) else "gave no HTTP answer"
        raise Undelivered(f"{to.where} broke off, or {what} ({type(error).__name__})") from None


def connect(to: Target, line: Line) -> socket.socket:
    """A connection, encrypted for https, to the first address of the host that can be reached."""
    found = http_addresses.resolve(to.host, to.port)
    for left, address in zip(range(len(found), 0, -1), found, strict=True):
        try:
            # An address that leads nowhere must leave time for the others.
            connected = socket.create_connection((address, to.port), timeout=line.remaining() / left)
        except OSError:
            line.remaining()
            continue
        try:
            line.hold(connected)
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return _encrypt(connected, to.host, line) if to.secure else connected
        except BaseException:
            connected.close()
            raise
    raise Undelivered(f"nothing answers at {to.where}")


def _encrypt(connected: socket.socket, host: str, line: Line) -> ssl.SSLSocket:
    # Checks the certificate and the host name. It knows the authorities that the system knows, and those of
    # certifi, which comes with requests: small images have no others.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    try:
        import certifi
    except ImportError:
        pass
    else:
        context.load_verify_locations(certifi.where())
    encrypted = context.wrap_socket(connected, server_hostname=host, do_handshake_on_connect=False)
    try:
        line.hold(encrypted)
        encrypted.do_handshake()
    except BaseException:
        encrypted.close()
        raise
    return encrypted
