"""TCP proxies in front of the members of a replica set, so that a member can be cut off from the network.

Members and gateways reach a member only through its proxy's port. A proxy in the mode CUT closes its connections and
refuses new ones. In the mode HOLE it accepts data and passes nothing on, like a network that has gone down. A member's
own outgoing connections go through the other members' proxies, so it is cut off in one direction only, which is the
harder case.
"""

import asyncio
import threading
from enum import Enum
from typing import Final

_PIECE: Final = 64 * 1024
HOST: Final = "127.0.0.1"


class Mode(Enum):
    """What a proxy does with connections."""

    OPEN = "open"
    CUT = "cut"
    HOLE = "hole"


class Proxy:
    """One proxy. It listens on `port`."""

    def __init__(self, target: int) -> None:
        self.port = 0
        self.mode = Mode.OPEN
        self._target = target
        self._lines: set[asyncio.StreamWriter] = set()
        self._opened = asyncio.Event()
        self._server: asyncio.Server | None = None

    async def listen(self) -> None:
        """Starts to listen on a free port."""
        self._opened.set()
        self._server = await asyncio.start_server(self._serve, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def turn(self, mode: Mode) -> None:
        """Changes the mode. Call it in the event loop."""
        self.mode = mode
        if mode is Mode.HOLE:
            self._opened.clear()
            return
        self._opened.set()
        if mode is Mode.CUT:
            for line in self._lines:
                line.transport.abort()

    def close(self) -> None:
        """Stops listening, and closes all connections."""
        if self._server is not None:
            self._server.close()
        self.turn(Mode.CUT)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.mode is Mode.CUT:
            writer.transport.abort()
            return
        try:
            onward, away = await asyncio.open_connection(HOST, self._target)
        except OSError:
            writer.transport.abort()
            return
        self._lines |= {writer, away}
        try:
            await asyncio.gather(self._pump(reader, away), self._pump(onward, writer))
        finally:
            self._lines -= {writer, away}

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while piece := await source.read(_PIECE):
                await self._opened.wait()
                sink.write(piece)
                await sink.drain()
        except OSError:
            pass
        finally:
            sink.transport.abort()


class Proxies:
    """Runs proxies in a thread of their own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxies", daemon=True)
        self._thread.start()
        self._proxies: list[Proxy] = []

    def before(self, target: int) -> Proxy:
        """Starts a proxy in front of this port."""
        proxy = Proxy(target)
        asyncio.run_coroutine_threadsafe(proxy.listen(), self._loop).result(10)
        self._proxies.append(proxy)
        return proxy

    def turn(self, proxy: Proxy, mode: Mode) -> None:
        """Changes the mode of a proxy."""
        self._loop.call_soon_threadsafe(proxy.turn, mode)

    def close(self) -> None:
        """Closes all proxies."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _end(self) -> None:
        for proxy in self._proxies:
            proxy.close()
        lines = asyncio.all_tasks() - {asyncio.current_task()}
        for line in lines:
            line.cancel()
        await asyncio.gather(*lines, return_exceptions=True)
