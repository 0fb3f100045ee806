"""A gateway in this process, served to real sockets, for tests."""

import asyncio
import dataclasses
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import sha256
from typing import Any, Final

import httpx

from pipelinejobs import bootstrap, runtime
from pipelinejobs.core.permission import Permission
from pipelinejobs.gateway import server
from pipelinejobs.gateway.parts import GatewayParts
from pipelinejobs.settings import Settings, load
from support.canaries import assert_hidden
from support.process import environment

ALIAS: Final = "jobs-manager.prod"
OTHER_ALIAS: Final = "manager.other"
ACTOR: Final = "G1p783PxpalBB"
TOKENS: Final = {
    permission.name: f"pj-canary-{permission.name.lower()}-5f2e91" for permission in Permission if permission
}
"""A static token for each permission."""

_START_SECONDS: Final = 30.0


def grants() -> str:
    """The setting gateway.tokens for these tokens; the users are called reader, sender and owner."""
    users = {"READ": "reader", "EXECUTE": "sender", "UPDATE": "owner"}
    return ",".join(
        f"{users[permission]}:{permission}:sha256:{sha256(token.encode()).hexdigest()}"
        for permission, token in TOKENS.items()
    )


def settings(uri: str, database: str, **more: str) -> Settings:
    """The settings of a gateway; `more` are variables by the names of their settings, dots as `__`."""
    variables = {f"_REACTOR_{name.upper().replace('__', '_')}": value for name, value in more.items()}
    own = environment(
        uri,
        database,
        _REACTOR_GATEWAY_PORT="0",
        _REACTOR_GATEWAY_ACTOR_ID=ACTOR,
        _REACTOR_GATEWAY_ALIASES=OTHER_ALIAS,
        _REACTOR_GATEWAY_TOKENS=grants(),
    )
    return load({**own, **variables})


@dataclasses.dataclass
class Gateway:
    """A running gateway.

    Attributes:
        url: its base URL.
        parts: what it consists of; tests inspect these, or break them.
        client: an HTTP client without a credential.
    """

    url: str
    parts: GatewayParts
    client: httpx.Client

    @property
    def port(self) -> int:
        """The port, on 127.0.0.1."""
        return int(self.url.rpartition(":")[2])

    def ask(self, method: str, path: str, permission: str | None = "UPDATE", **more: Any) -> httpx.Response:
        """A request with the static token of this permission, or with none."""
        headers = {"Authorization": f"Bearer {TOKENS[permission]}"} if permission else {}
        answer = self.client.request(method, path, headers={**headers, **more.pop("headers", {})}, **more)
        assert_hidden(f"{answer.headers}{answer.text}", f"the answer to {method} {path}")
        return answer

    def post(
        self,
        body: Any = None,
        parameters: Mapping[str, str] | None = None,
        *,
        name: str = ALIAS,
        base: str = "/actors/v2",
        permission: str | None = "EXECUTE",
        **more: Any,
    ) -> httpx.Response:
        """Posts a message: JSON, or bytes as they are."""
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", **more.pop("headers", {})}
        path = f"{base}/{name}/messages"
        return self.ask("POST", path, permission, content=content, params=parameters, headers=headers, **more)


@contextmanager
def serving(configured: Settings) -> Iterator[Gateway]:
    """Serves a gateway in a thread of this process; it ends gracefully."""
    services = bootstrap.services(configured, runtime.context({"LOCALONLY": "1"}))
    parts = GatewayParts(services)
    parts.start()
    listening = server.listen(configured.gateway)
    url = server.address(configured.gateway, listening)
    ready = threading.Event()
    config = server.configured(parts)
    running = server.GatewayServer(config, parts, ready.set)

    def run() -> None:
        with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            runner.run(running.serve(sockets=[listening]))

    thread = threading.Thread(target=run, name="gateway")
    thread.start()
    try:
        assert ready.wait(_START_SECONDS)
        with httpx.Client(base_url=url, timeout=30, verify=False, trust_env=False) as client:
            yield Gateway(url, parts, client)
            if not running.should_exit:
                metrics = httpx.get(f"{url}/metrics", verify=False, trust_env=False)
                assert_hidden(metrics.text, "/metrics")
    finally:
        running.should_exit = True
        thread.join(_START_SECONDS)
        parts.close(configured.limits.drain)
        listening.close()
        assert not thread.is_alive()


def raw(port: int, request: bytes, *, seconds: float = 20.0, close: bool = False) -> bytes:
    """The bytes received in answer to these bytes, until the server closes the connection, or for `seconds`."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        connection.sendall(request)
        if close:
            connection.shutdown(socket.SHUT_WR)
        received = b""
        end = time.monotonic() + seconds
        with suppress(TimeoutError, ConnectionResetError):
            while time.monotonic() < end and (piece := connection.recv(65536)):
                received += piece
        return received


def eventually(true: Any, seconds: float = 20.0) -> Any:
    """Calls `true` until it returns a true value, and returns that; fails after some time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = true()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"it did not come true within {seconds} s: {true}")
