"""A small HTTP client for receivers that cannot be trusted to behave: one request, no redirects, a limit on all of it.

It is made of the standard library's client, which tries once, follows no redirect, logs nothing, and takes no proxy and
no password file from where other libraries look for them. All messages to actors go through here, agavepy's included.
"""

import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

from pipelinejobs.util.deadline import Deadline, call_within
from pipelinejobs.util.errors import Undelivered
from pipelinejobs.util.record import shown

ANSWER_BYTES: Final = 64 * 1024
"""How much of an answer is read. We need nothing that it says, but an answer that breaks off does not count."""

LONGEST_WAIT: Final = 86_400.0
"""Seconds; a receiver that asks for more time is asked again after a day."""

_LONGEST_HOST: Final = 253  # RFC 1035

_METADATA: Final = frozenset({ip_address("fd00:ec2::254"), ip_address("100.100.100.200")})
"""Metadata services of cloud machines outside the link-local ranges: Amazon's over IPv6, and Alibaba's."""

_NAT64: Final = IPv6Network("64:ff9b::/96")


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
        Undelivered: it is not an absolute http or https URL, or holds characters that must be percent-encoded.
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
    """The socket of one request and the time that is left for it. Another thread can end it.

    A timeout on a socket limits one read; a server that sends a byte now and then never reaches it. To end the
    connection from outside ends such a request, and the thread that it runs in.
    """

    def __init__(self, seconds: float) -> None:
        self._deadline = Deadline(seconds)
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._ended = False

    def remaining(self) -> float:
        """Seconds left, more than 0.

        Raises:
            TimeoutError: none are left, or the connection was ended.
        """
        left = self._deadline.remaining()
        if left <= 0 or self._ended:
            raise TimeoutError
        return left

    def hold(self, connected: socket.socket) -> None:
        """Takes the socket that is shut down when the connection is ended, and gives it the time that is left.

        Raises:
            TimeoutError: the time is over; nothing must be sent any more.
        """
        with self._lock:
            self._socket = connected
        connected.settimeout(self.remaining())

    def end(self) -> None:
        """Ends the request: what reads or writes on the socket returns at once. For use from another thread."""
        with self._lock:
            self._ended = True
            if self._socket is not None:
                with suppress(OSError):  # it may be closed by now
                    # Not SSLSocket.shutdown, which takes the encryption away under the reading thread.
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


def call(work: Callable[[Connection], None], seconds: float, receiver: str) -> None:
    """Runs `work` with a connection that is ended after `seconds`, whatever it is waiting for: a host name that does
    not resolve, or a server that sends a byte now and then.

    Args:
        work: makes the request, and has its socket held by the connection.
        seconds: for everything.
        receiver: what a reason calls the other side.

    Raises:
        Undelivered: `work` raised it, or raised any other error, or ran out of time.
    """
    connection = Connection(seconds)
    try:
        call_within(seconds, lambda: work(connection))
    except TimeoutError:
        raise Undelivered(f"{receiver} did not answer in full within {seconds:.1f} s") from None
    except Undelivered:
        raise
    except (Exception, SystemExit) as error:  # its text may hold the URL, or words of the receiver
        raise Undelivered(f"the message could not be sent to {receiver} ({type(error).__name__})") from None
    finally:
        connection.end()


def post(to: Target, body: bytes, headers: Mapping[str, str], connection: Connection) -> None:
    """Posts `body`. When this returns, the receiver has answered 2xx, in full or more than is read.

    Args:
        to: where to.
        body: what to send.
        headers: what to send with it; `Host` and `Content-Length` are added.
        connection: holds the socket and the time that is left.

    Raises:
        Undelivered: anything else happened.
        TimeoutError: the time is over.
    """
    try:
        with (
            closing(connect(to, connection)) as connected,
            closing(http.client.HTTPConnection(to.host, to.port)) as client,
        ):
            client.sock = connected
            client.request("POST", to.path, body, {**headers, "Host": to.where})
            with closing(client.getresponse()) as response:
                check(to.where, response.status, response.getheader("Retry-After"))
                read = response.read(ANSWER_BYTES)
                if len(read) < ANSWER_BYTES and response.length:
                    raise http.client.IncompleteRead(read, response.length)
    except ssl.SSLCertVerificationError as error:
        raise Undelivered(f"the certificate of {to.where} is not valid: {error.verify_message[:100]}") from None
    except TimeoutError:
        raise
    except (OSError, http.client.HTTPException) as error:
        connection.remaining()  # where the connection was ended from outside, that is the reason
        what = "does not speak TLS as it should" if isinstance(error, ssl.SSLError) else "gave no HTTP answer"
        raise Undelivered(f"{to.where} broke off, or {what} ({type(error).__name__})") from None


def connect(to: Target, connection: Connection) -> socket.socket:
    """A socket, encrypted for https, to the first address of the host that can be reached."""
    found = resolve(to.host, to.port)
    for left, address in zip(range(len(found), 0, -1), found, strict=True):
        try:
            # An address that does not answer must leave time for the others.
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
    # Checks the certificate and the host name, against the system's authorities and those of certifi, which comes with
    # requests: small images have no others.
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
    """The addresses of `host` as texts, in the order in which they are to be tried.

    A name is looked up once, and the connection goes to the address that was checked: a second look-up could give
    another answer. This can take as long as the system's resolver likes.

    Raises:
        Undelivered: the name does not resolve, or one of its addresses is not allowed.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # the latter for names with an empty or an overlong part
        raise Undelivered(f"the host name {host} does not resolve") from None
    addresses = list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))
    if not all(is_allowed(address) for address in addresses):
        raise Undelivered(f"{host} is a link-local or metadata address; messages are not sent there")
    return addresses


def is_allowed(address: str) -> bool:
    """Whether messages are sent to an address: not to link-local ones (169.254.0.0/16, fe80::/10), where cloud machines
    have their metadata services, nor to such a service elsewhere; also not where IPv6 wraps one of them."""
    parsed = ip_address(address)
    inner = _wrapped(parsed) if isinstance(parsed, IPv6Address) else None
    return not any(one.is_link_local or one in _METADATA for one in (parsed, inner) if one is not None)


def _wrapped(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 address leads to."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def check(receiver: str, status: int, retry_after: str | None) -> None:
    """Returns when a status says that the message was taken.

    Args:
        receiver: what a reason calls the other side. Its own words are left out: it could repeat our secrets.
        status: the HTTP status.
        retry_after: the header of that name; it counts with 429 and 503.

    Raises:
        Undelivered: it was not taken.
    """
    if 200 <= status <= 299:
        return
    answered = f"{receiver} answered {status} {http.client.responses.get(status, '')}".rstrip()
    if 300 <= status <= 399:
        raise Undelivered(f"{answered}; redirects are not followed")
    asked = seconds(retry_after, datetime.now(UTC)) if retry_after is not None and status in (429, 503) else None
    raise Undelivered(answered, asked)


def seconds(retry_after: str, now: datetime) -> float | None:
    """Seconds to wait, from 0 to a day, of a number or an HTTP date (RFC 9110, 10.2.3).

    None where the header says nothing usable.
    """
    text = retry_after.strip()
    if text.isascii() and text.isdigit() and len(text) <= 9:
        return min(float(text), LONGEST_WAIT)
    if len(text) > 64:  # no date is that long
        return None
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:  # "-0000" says UTC, and nothing about the sender's zone
            moment = moment.replace(tzinfo=UTC)
        return min(max((moment - now).total_seconds(), 0.0), LONGEST_WAIT)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
