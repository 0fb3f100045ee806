"""A server that behaves as badly as a script tells it to, on real sockets of this machine."""

import socket
import ssl
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self
from urllib.parse import parse_qs, urlsplit

HOST: Final = "127.0.0.1"
_LONGEST: Final = 60.0
"""Seconds after which a hanging script gives up, so that no failing test leaves a thread for ever."""

Script = Callable[[socket.socket, threading.Event], None]
"""What to do with a connection whose request was read; the event says that the test is over."""


@dataclass(frozen=True, slots=True)
class Request:
    """A received request; the names of its headers are in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """The target without its query."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, list[str]]:
        """The target's query, decoded."""
        return parse_qs(urlsplit(self.target).query, keep_blank_values=True)


class RudeServer:
    """Listens on `port` while it is used as a context manager.

    Attributes:
        requests: those that came, oldest first.
        connections: how many were opened, whether a request came or not.
    """

    def __init__(self, script: Script, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self._script = script
        self._tls = tls
        self._over = threading.Event()
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads: list[threading.Thread] = []

    @property
    def url(self) -> str:
        """The address, without a path."""
        return f"{'http' if self._tls is None else 'https'}://{HOST}:{self.port}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(_LONGEST)

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, name="rude-server", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):  # the listener was closed
            while True:
                accepted = self._listener.accept()[0]
                self.connections += 1
                self._start(self._serve, accepted)

    def _serve(self, accepted: socket.socket) -> None:
        connection = accepted
        try:
            accepted.settimeout(_LONGEST)
            if self._tls is not None:
                connection = self._tls.wrap_socket(accepted, server_side=True)
            request = _read(connection)
            if request is not None:
                self.requests.append(request)
                self._script(connection, self._over)
        except OSError:
            pass  # the client has gone, which is what many tests are about
        finally:
            connection.close()


def _read(connection: socket.socket) -> Request | None:
    with connection.makefile("rb") as incoming:
        first = incoming.readline().decode("latin-1").split(" ")
        if len(first) < 2:
            return None
        headers = {}
        while (line := incoming.readline().decode("latin-1").strip()) != "":
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        return Request(first[0], first[1], headers, incoming.read(int(headers.get("content-length", 0))))


def answers(status: str = "200 OK", body: bytes = b"{}", **headers: str) -> Script:
    """Answers in full, and closes."""

    def script(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(_head(status, len(body), **headers) + body)

    return script


def says(*pieces: bytes) -> Script:
    """Sends these bytes, and closes."""

    def script(connection: socket.socket, over: threading.Event) -> None:
        for piece in pieces:
            connection.sendall(piece)

    return script


def then_hangs(beginning: bytes = b"") -> Script:
    """Sends these bytes, then nothing, and keeps the connection."""

    def script(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(beginning)
        over.wait(_LONGEST)

    return script


def then_drips(beginning: bytes, drop: bytes) -> Script:
    """Sends these bytes, then a drop ten times a second without end."""

    def script(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(beginning)
        while not over.wait(0.1):
            connection.sendall(drop)

    return script


def _head(status: str, length: int, **headers: str) -> bytes:
    fields = {"Content-Type": "application/json", "Content-Length": str(length)}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    return "\r\n".join(lines).encode()


def self_signed(directory: Path, name: str) -> tuple[Path, ssl.SSLContext]:
    """A fresh certificate for `name` and 127.0.0.1, signed by itself, and a server's context that shows it.

    Needs the command `openssl`.
    """
    certificate, key = directory / "certificate.pem", directory / "key.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -batch"
    subject = ["-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name},IP:{HOST}"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command.split(), *subject, *files], check=True, capture_output=True, timeout=60)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return certificate, context
