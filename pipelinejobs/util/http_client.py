"""A small HTTP client: one request, no redirects, and one time limit for everything.

It uses http.client of the standard library, which sends once, follows no redirects, logs nothing, and reads neither
proxy settings nor password files. All messages to actors are sent by it, also those that agavepy makes, and all
questions to other servers (`util.http_json`).
"""

import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

from pipelinejobs.util.deadline import Deadline, call_within
from pipelinejobs.util.errors import Undelivered
from pipelinejobs.util.record import shown
from pipelinejobs.util.retry_after import seconds

ANSWER_BYTES: Final = 64 * 1024
"""The most bytes of an answer that are read. Its content is not needed, but an incomplete answer does not count."""

_LONGEST_HOST: Final = 253  # RFC 1035

_METADATA: Final = frozenset({ip_address("fd00:ec2::254"), ip_address("100.100.100.200")})
"""Metadata services of cloud machines outside the link-local ranges: Amazon's over IPv6, and Alibaba's."""

_NAT64: Final = IPv6Network("64:ff9b::/96")


class Target(NamedTuple):
    """The parts of a URL.

    Attributes:
        where: host and port as written, without secrets.
        secure: whether the scheme is https.
        host, port: where to connect; the host without brackets.
        path: path and query as written; secret.
        user: user and password in front of the host, decoded; None if there are none.
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
    """The parts of a URL.

    Raises:
        Undelivered: it is not an absolute http or https URL, or has characters that must be percent-encoded.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise Undelivered("the receiver's URL cannot be read") from None
    if parts.scheme not in ("http", "https"):
        raise Undelivered("the receiver's URL does not begin with http:// or https://")
    if not host or len(host) > _LONGEST_HOST:
        raise Undelivered("the receiver's URL has no usable host")
    if not (url.isascii() and url.isprintable() and " " not in url):
        raise Undelivered("the receiver's URL has characters that must be percent-encoded")
    secure = parts.scheme == "https"
    user, _, where = parts.netloc.rpartition("@")
    return Target(
        where=where,
        secure=secure,
        host=host,
        port=port or (http.client.HTTPS_PORT if secure else http.client.HTTP_PORT),
        path=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
        user=unquote(user) if user else None,
    )


class Connection:
    """The socket of one request and its time limit. Another thread can end the connection.

    A socket timeout limits one read: a server that sends a byte now and then never exceeds it. Ending the connection
    from another thread ends such a request.
    """

    def __init__(self, seconds: float) -> None:
        self._deadline = Deadline(seconds)
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._ended = False

    def remaining(self) -> float:
        """The seconds left, more than 0.

        Raises:
            TimeoutError: no time is left, or the connection was ended.
        """
        left = self._deadline.remaining()
        if left <= 0 or self._ended:
            raise TimeoutError
        return left

    def hold(self, connected: socket.socket) -> None:
        """Sets the socket that `end` shuts down, and its timeout.

        Raises:
            TimeoutError: no time is left; nothing must be sent any more.
        """
        with self._lock:
            self._socket = connected
        connected.settimeout(self.remaining())

    def end(self) -> None:
        """Ends the request: reads and writes on the socket return at once. For use from another thread."""
        with self._lock:
            self._ended = True
            if self._socket is not None:
                with suppress(OSError):  # the socket may be closed by now
                    # Not SSLSocket.shutdown, which removes the encryption while the other thread reads.
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


def call(work: Callable[[Connection], None], seconds: float, receiver: str) -> None:
    """Runs `work` with a connection that is ended after `seconds`, whatever `work` then waits for.

    Args:
        work: makes the request on the connection.
        seconds: the time limit for everything, name look-ups included.
        receiver: the receiver's name for reasons.

    Raises:
        Undelivered: `work` raised any error, or ran out of time.
    """
    connection = Connection(seconds)
    try:
        call_within(seconds, lambda: work(connection))
    except TimeoutError:
        raise Undelivered(f"{receiver} did not answer in full within {seconds:.1f} s") from None
    except Undelivered:
        raise
    except (Exception, SystemExit) as error:  # its text may contain the URL or a text of the receiver
        raise Undelivered(f"the message could not be sent to {receiver} ({type(error).__name__})") from None
    finally:
        connection.end()


def post(to: Target, body: bytes, headers: Mapping[str, str], connection: Connection) -> None:
    """Sends a POST request. When this returns, the receiver has answered with a status 2xx.

    Args:
        to: the URL.
        body: the body.
        headers: the headers; `Host` and `Content-Length` are added.
        connection: the connection for the request.

    Raises:
        Undelivered: the receiver did not accept the request, or its answer was incomplete.
        TimeoutError: no time is left.
    """
    with exchange("POST", to, body, headers, connection) as response:
        check(to.where, response.status, response.getheader("Retry-After"))
        read = response.read(ANSWER_BYTES)
        if len(read) < ANSWER_BYTES and response.length:
            raise http.client.IncompleteRead(read, response.length)


@contextmanager
def exchange(
    method: str, to: Target, body: bytes | None, headers: Mapping[str, str], connection: Connection
) -> Iterator[http.client.HTTPResponse]:
    """Sends a request; in the block, its answer is read.

    Raises:
        Undelivered: there was no answer, or reading it failed in the block.
        TimeoutError: no time is left.
    """
    try:
        with (
            closing(connect(to, connection)) as connected,
            closing(http.client.HTTPConnection(to.host, to.port)) as client,
        ):
            client.sock = connected
            client.request(method, to.path, body, {**headers, "Host": to.where})
            with closing(client.getresponse()) as response:
                yield response
    except ssl.SSLCertVerificationError as error:
        raise Undelivered(f"the certificate of {to.where} is not valid: {error.verify_message[:100]}") from None
    except TimeoutError:
        raise
    except (OSError, http.client.HTTPException) as error:
        connection.remaining()  # raises TimeoutError if another thread has ended the connection
        what = "made an error in TLS" if isinstance(error, ssl.SSLError) else "gave no HTTP answer"
        raise Undelivered(f"{to.where} closed the connection, or {what} ({type(error).__name__})") from None


def connect(to: Target, connection: Connection) -> socket.socket:
    """A socket to the first reachable address of the host; for https, an encrypted one."""
    found = resolve(to.host, to.port)
    for left, address in zip(range(len(found), 0, -1), found, strict=True):
        try:
            # An address that does not answer must leave time for the next ones.
            connected = socket.create_connection((address, to.port), timeout=connection.remaining() / left)
        except OSError:
            connection.remaining()
            continue
        try:
            connection.hold(connected)
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return _encrypt(connected, to.host, connection) if to.secure else connected
        except BaseException:
            connected.close()
            raise
    raise Undelivered(f"nothing answers at {to.where}")


def _encrypt(connected: socket.socket, host: str, connection: Connection) -> ssl.SSLSocket:
    # Checks certificate and host name. Small images have no authorities but those of certifi, which requests installs.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    with suppress(ImportError):
        import certifi

        context.load_verify_locations(certifi.where())
    encrypted = context.wrap_socket(connected, server_hostname=host, do_handshake_on_connect=False)
    try:
        connection.hold(encrypted)
        encrypted.do_handshake()
    except BaseException:
        encrypted.close()
        raise
    return encrypted


def resolve(host: str, port: int) -> list[str]:
    """The addresses of `host` as text, in the order in which they should be tried.

    Connect to these addresses: a second look-up of the name could return others, which were not checked. There is no
    time limit but the system resolver's own.

    Raises:
        Undelivered: the name does not resolve, or one of its addresses is not allowed.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # UnicodeError: the name has an empty or overlong part
        raise Undelivered(f"the host name {host} does not resolve") from None
    addresses = list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))
    if not all(is_allowed(address) for address in addresses):
        raise Undelivered(f"{host} is a link-local or metadata address; messages are not sent there")
    return addresses


def is_allowed(address: str) -> bool:
    """Whether messages may be sent to an address.

    They may not be sent to metadata services of cloud machines, most of which have link-local addresses
    (169.254.0.0/16, fe80::/10), nor to IPv6 addresses that wrap one of these.
    """
    parsed = ip_address(address)
    inner = _wrapped(parsed) if isinstance(parsed, IPv6Address) else None
    return not any(one.is_link_local or one in _METADATA for one in (parsed, inner) if one is not None)


def _wrapped(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address to which an IPv6 address leads; None if there is none."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def check(receiver: str, status: int, retry_after: str | None) -> None:
    """Raises an error unless the status says that the receiver accepted the message.

    Args:
        receiver: the receiver's name. Its own words are not repeated, because they may contain our secrets.
        status: the HTTP status.
        retry_after: the header Retry-After, which counts with 429 and 503.

    Raises:
        Undelivered: the status is not 2xx.
    """
    if 200 <= status <= 299:
        return
    answered = f"{receiver} answered {status} {http.client.responses.get(status, '')}".rstrip()
    if 300 <= status <= 399:
        raise Undelivered(f"{answered}; redirects are not followed")
    asked = seconds(retry_after, datetime.now(UTC)) if retry_after is not None and status in (429, 503) else None
    raise Undelivered(answered, asked)
