"""Serves the gateway: the listening socket, TLS, signals, and a graceful end."""

import asyncio
import errno
import os
import signal
import socket
from collections.abc import Callable
from types import FrameType
from typing import Final

import uvicorn

from pipelinejobs import __version__
from pipelinejobs.gateway.app import served
from pipelinejobs.gateway.http import systemd
from pipelinejobs.gateway.http.connection_limits import ConnectionLimits
from pipelinejobs.gateway.http.protocol import limited
from pipelinejobs.gateway.parts import GatewayParts
from pipelinejobs.settings.gateway import GatewaySection
from pipelinejobs.util import log
from pipelinejobs.util.errors import WrongSetting

_BACKLOG: Final = 1024
_KEEP_ALIVE_SECONDS: Final = 30


def listen(gateway: GatewaySection) -> socket.socket:
    """The listening socket: the one that systemd passed, else a new one at the address in the settings.

    Raises:
        WrongSetting: the address cannot be used, or systemd did not pass exactly one listening socket.
    """
    inherited = systemd.inherited_socket()
    if inherited is not None:
        return inherited
    try:
        found = socket.getaddrinfo(gateway.host, gateway.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError:
        raise WrongSetting("gateway.host", f"{gateway.host} is not an address of this machine") from None
    family, _, _, _, address = found[0]
    try:
        return socket.create_server(address[:2], family=family, backlog=_BACKLOG)
    except PermissionError:
        raise WrongSetting("gateway.port", f"this user may not listen at port {gateway.port}") from None
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            raise WrongSetting("gateway.host", f"{gateway.host} is not an address of this machine") from None
        why = os.strerror(error.errno) if error.errno else str(error)  # without the address that newer Pythons add
        problem = (
            f"cannot listen at {gateway.host} port {gateway.port}: {why}; choose another with --port (make: PORT=)"
        )
        raise WrongSetting("gateway.port", problem) from None


def address(gateway: GatewaySection, listening: socket.socket) -> str:
    """The URL for clients on this machine."""
    host, port = listening.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - what is listened at is the user's choice
    scheme = "https" if gateway.tls_certificate is not None else "http"
    return f"{scheme}://{f'[{shown}]' if ':' in shown else shown}:{port}"


class GatewayServer(uvicorn.Server):
    """uvicorn's server, which prepares the gateway's parts for the end before it ends itself."""

    def __init__(
        self,
        config: uvicorn.Config,
        parts: GatewayParts,
        ready: Callable[[], None],
        ending: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(config)
        self._parts = parts
        self._ready = ready
        self._ending = ending

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begins to serve, then calls `ready`."""
        await super().startup(sockets)
        if not self.should_exit:
            self._ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begins the graceful end after a signal. A second Ctrl-C ends at once."""
        self._parts.stopping = True
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Ends. Streams of changes are closed first, because they would not end by themselves."""
        self._parts.stopping = True
        self._ending()
        await self._parts.feed.close()
        await super().shutdown(sockets)


def configured(parts: GatewayParts) -> uvicorn.Config:
    """uvicorn's configuration for the gateway.

    Raises:
        WrongSetting: the certificate or its key cannot be used.
    """
    settings = parts.settings
    config = uvicorn.Config(
        served(parts),
        http=limited(ConnectionLimits(version=__version__, most_connections=settings.gateway.connections)),
        ws="none",
        loop="uvloop",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=max(1, int(settings.limits.drain)),
        ssl_certfile=settings.gateway.tls_certificate,
        ssl_keyfile=settings.gateway.tls_key,
    )
    try:
        config.load()
    except OSError as error:
        problem = f"it and its key cannot be used ({error.strerror or type(error).__name__})"
        raise WrongSetting("gateway.tls_certificate", problem) from None
    return config


def serve(
    parts: GatewayParts, listening: socket.socket, ready: Callable[[], None], ending: Callable[[], None] = lambda: None
) -> None:
    """Serves until SIGINT or SIGTERM, then finishes what was accepted. Call it in the main thread.

    Args:
        parts: the started parts of the gateway; they are closed at the end.
        listening: the socket to serve at.
        ready: called once, when the gateway serves requests.
        ending: called once, when the gateway accepts no more requests.

    Raises:
        WrongSetting: the certificate or its key cannot be used.
    """
    before = {number: signal.signal(number, _ignore) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        config = configured(parts)
        with log.alone(), asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            runner.run(GatewayServer(config, parts, ready, ending).serve(sockets=[listening]))
    finally:
        parts.close(parts.settings.limits.drain)
        for number, handler in before.items():
            signal.signal(number, handler)


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """Ignores a signal: uvicorn raises the signal once more after its end, when the parts still have to be closed."""
