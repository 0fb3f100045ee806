"""The limits of one connection, on real sockets."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import uvicorn

from pipelinejobs.gateway.http.connection_limits import HEADER_BYTES, HEADER_FIELDS, ConnectionLimits
from pipelinejobs.gateway.http.protocol import limited
from support.gateway import eventually, raw

GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
CLOSING = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
LARGE = 50 * 1024 * 1024


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answers with what it was sent; `/large` with very much, `/early` before it has read anything, `/late` late."""
    body = b""
    if scope["path"] != "/early":
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
    if scope["path"] == "/large":
        body = b"x" * LARGE
    if scope["path"] == "/late":
        await asyncio.sleep(0.3)
    length = str(len(body)).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
    await send({"type": "http.response.body", "body": body})


@contextmanager
def server(**limits: Any) -> Iterator[uvicorn.Server]:
    listening = socket.create_server(("127.0.0.1", 0))
    given: dict[str, Any] = {"most_connections": 100, "header_seconds": 0.5, "stall_seconds": 0.5} | limits
    config = uvicorn.Config(
        app,
        http=limited(ConnectionLimits(version="test", **given)),
        ws="none",
        lifespan="off",
        loop="uvloop",
        log_config=None,
        timeout_keep_alive=20,
    )
    running = uvicorn.Server(config)

    def run() -> None:
        with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            runner.run(running.serve(sockets=[listening]))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        eventually(lambda: running.started)
        running.port = listening.getsockname()[1]  # type: ignore[attr-defined]
        yield running
    finally:
        running.should_exit = True
        thread.join(30)
        listening.close()
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with server() as running:
        yield running.port  # type: ignore[attr-defined]


def refusal(answer: bytes, status: int) -> str:
    """The reason in an answer that the protocol itself writes."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), answer
    assert b"content-type: application/json" in head
    assert b"connection: close" in head
    assert b"content-length: %d" % len(body) in head
    told = json.loads(body)
    assert (told["result"], told["status"], told["version"]) == (None, "error", "test")
    reason: str = told["message"]
    return reason


class TestHeader:
    def test_nothing_comes(self, port: int) -> None:
        assert raw(port, b"") == b""

    @pytest.mark.parametrize("part", [b"G", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: h\r\n"])
    def test_a_part_comes(self, port: int, part: bytes) -> None:
        assert "did not arrive within 0.5 s" in refusal(raw(port, part), 408)

    def test_it_drips(self, port: int) -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            began = time.monotonic()
            with suppress(OSError):
                for byte in CLOSING * 100:
                    connection.sendall(bytes([byte]))
                    time.sleep(0.03)
                    if time.monotonic() - began > 15:
                        break
            assert time.monotonic() - began < 15

    def test_a_later_request_on_the_same_line(self, port: int) -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            connection.sendall(GET)
            assert connection.recv(4096).startswith(b"HTTP/1.1 200")
            time.sleep(1)  # idle, for longer than a header may take
            connection.sendall(GET[:10])
            refusal(connection.recv(4096), 408)
            assert connection.recv(4096) == b""

    @pytest.mark.parametrize(
        "request_",
        [
            b"GET /" + b"x" * (HEADER_BYTES + 10) + b" HTTP/1.1\r\nHost: h\r\n\r\n",
            b"GET / HTTP/1.1\r\nX: " + b"x" * (HEADER_BYTES + 10) + b"\r\n\r\n",
            b"GET / HTTP/1.1\r\nX: " + b"x" * (4 * HEADER_BYTES),
            b"GET / HTTP/1.1\r\n" + b"".join(b"X%d: %s\r\n" % (n, b"x" * 2000) for n in range(40)) + b"\r\n",
        ],
        ids=["url", "field", "endless", "fields"],
    )
    def test_it_is_too_large(self, port: int, request_: bytes) -> None:
        answer = raw(port, request_)
        if answer:  # where more was on its way, the line may be reset before anything is read
            assert refusal(answer, 431) == f"header: is larger than {HEADER_BYTES} bytes"

    def test_too_many_fields(self, port: int) -> None:
        fields = b"".join(b"X%d: 1\r\n" % number for number in range(HEADER_FIELDS + 1))
        assert "holds more than 100 fields" in refusal(raw(port, b"GET / HTTP/1.1\r\n" + fields + b"\r\n"), 431)

    def test_as_much_as_it_may_be(self, port: int) -> None:
        fields = b"".join(b"X%d: %s\r\n" % (n, b"x" * 600) for n in range(HEADER_FIELDS - 2))
        answer = raw(port, b"GET / HTTP/1.1\r\n" + fields + b"Connection: close\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200")


@pytest.mark.promise("S11")
@pytest.mark.parametrize(
    "request_",
    [
        b"nonsense\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\nx",
        b"GET / HTTP/1.1\r\nX : y\r\n\r\n",
        b"GET / HTTP/1.1\r\n X: y\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
def test_what_is_not_http(port: int, request_: bytes) -> None:
    assert refusal(raw(port, request_), 400)


def test_requests_behind_each_other(port: int) -> None:
    assert raw(port, GET + GET + CLOSING).count(b"HTTP/1.1 200") == 3


class TestAClientThatSaysItIsDone:
    """The client closes its direction of the connection and waits for the answer, as `nc -N` does."""

    LATE = b"POST /late HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"

    def test_it_gets_its_answer_and_the_line_ends(self, port: int) -> None:
        began = time.monotonic()
        answer = raw(port, self.LATE, close=True)
        assert answer.startswith(b"HTTP/1.1 200")
        assert b"connection: close" in answer
        assert answer.endswith(b"\r\n\r\nhello")
        assert time.monotonic() - began < 5

    def test_all_of_them(self, port: int) -> None:
        answer = raw(port, self.LATE + GET + self.LATE, close=True)
        assert answer.count(b"HTTP/1.1 200") == 3

    def test_one_that_breaks_off_is_refused_after_the_answers_before_it(self, port: int) -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            connection.sendall(self.LATE + GET[:10])
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            while piece := connection.recv(4096):
                answer += piece
        assert answer.startswith(b"HTTP/1.1 200")
        assert "the request is incomplete" in refusal(answer[answer.index(b"HTTP/1.1 400") :], 400)

    def test_one_that_has_gone_is_let_go_of(self) -> None:
        with server() as running:
            port: int = running.port  # type: ignore[attr-defined]
            with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
                connection.sendall(self.LATE)
                eventually(lambda: len(running.server_state.connections) == 1)
            eventually(lambda: len(running.server_state.connections) == 0)


class TestUpgrade:
    """Java's HTTP client asks for an upgrade to HTTP/2 with each plain HTTP request."""

    def post(self, body: bytes, upgrade: bytes = b"h2c") -> bytes:
        return (
            b"POST / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: %s\r\n"
            b"HTTP2-Settings: AAEAAEAA\r\nContent-Length: %d\r\n\r\n%s" % (upgrade, len(body), body)
        )

    @pytest.mark.parametrize("upgrade", [b"h2c", b"websocket"])
    def test_it_is_not_done_and_nothing_is_lost(self, port: int, upgrade: bytes) -> None:
        request = self.post(b"one", upgrade) + self.post(b"two", upgrade) + self.post(b"", upgrade) + CLOSING
        answer = raw(port, request)
        assert answer.count(b"HTTP/1.1 200") == 4
        assert b"\r\n\r\none" in answer
        assert b"\r\n\r\ntwo" in answer

    def test_one_after_the_other(self, port: int) -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            for body in (b"one", b"two"):
                connection.sendall(self.post(body))
                assert connection.recv(4096).endswith(body)


class TestAnswersThatDoNotWait:
    def test_the_rest_of_the_request_is_read_and_the_line_goes_on(self, port: int) -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            connection.sendall(b"POST /early HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n")
            assert connection.recv(4096).startswith(b"HTTP/1.1 200")
            connection.sendall(b"hello")
            connection.sendall(CLOSING)
            assert connection.recv(4096).startswith(b"HTTP/1.1 200")

    def test_but_not_for_long(self, port: int) -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            connection.sendall(b"POST /early HTTP/1.1\r\nHost: h\r\nContent-Length: 500000\r\n\r\n")
            assert connection.recv(4096).startswith(b"HTTP/1.1 200")

            def is_cut() -> bool:
                try:
                    connection.sendall(b"x")
                except OSError:
                    return True
                return False

            eventually(is_cut)


@pytest.mark.promise("F15")
@pytest.mark.parametrize("used", [False, True], ids=["fresh", "kept"])
def test_a_request_that_is_on_its_way_at_the_end_is_answered(used: bool) -> None:
    with server(header_seconds=20) as running:
        port: int = running.port  # type: ignore[attr-defined]
        with (
            socket.create_connection(("127.0.0.1", port), timeout=20) as connection,
            socket.create_connection(("127.0.0.1", port), timeout=20) as idle,
        ):
            if used:
                connection.sendall(GET)
                assert connection.recv(4096).startswith(b"HTTP/1.1 200")
            eventually(lambda: len(running.server_state.connections) == 2)
            protocol = next(
                one
                for one in running.server_state.connections
                if one.client == connection.getsockname()  # type: ignore[union-attr]
            )
            running.should_exit = True
            eventually(lambda: getattr(protocol, "_last", None))
            connection.sendall(GET)
            answer = b""
            while piece := connection.recv(4096):
                answer += piece
            assert answer.startswith(b"HTTP/1.1 200")
            assert b"connection: close" in answer
            assert idle.recv(4096) == b""


def test_too_many_connections() -> None:
    with server(most_connections=5, header_seconds=30) as running:
        port: int = running.port  # type: ignore[attr-defined]
        held = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(5)]
        eventually(lambda: len(running.server_state.connections) == 5)
        answer = raw(port, CLOSING)
        assert "too many connections" in refusal(answer, 503)
        assert b"retry-after: 1" in answer
        for connection in held:
            connection.sendall(GET)
            assert connection.recv(4096).startswith(b"HTTP/1.1 200")
            connection.close()
        eventually(lambda: raw(port, CLOSING).startswith(b"HTTP/1.1 200"))


@pytest.mark.promise("F16")
@pytest.mark.parametrize("keep", [b"", b"Connection: close\r\n"], ids=["kept", "closing"])
def test_a_client_that_does_not_read_its_answer(keep: bytes) -> None:
    with server() as running:
        port: int = running.port  # type: ignore[attr-defined]
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            connection.sendall(b"GET /large HTTP/1.1\r\nHost: h\r\n" + keep + b"\r\n")
            eventually(lambda: len(running.server_state.connections) == 1)
            eventually(lambda: len(running.server_state.connections) == 0)


def test_one_that_reads_slowly_gets_it_all() -> None:
    with server(stall_seconds=2.0) as running:
        port: int = running.port  # type: ignore[attr-defined]
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            connection.sendall(b"GET /large HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            received = 0
            began = time.monotonic()
            while piece := connection.recv(1024 * 1024):
                received += len(piece)
                time.sleep(0.03)
            assert received > LARGE
            assert time.monotonic() - began > 1.0
