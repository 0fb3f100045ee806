"""A manager that answers as it is told, or not as a server should, for tests of senders."""

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

PATH: Final = "/actors/v2/jobs-manager.prod/messages"


@dataclass(frozen=True)
class Asked:
    """A request as it arrived."""

    target: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def parameters(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query))

    @property
    def key(self) -> str:
        """The event's id, which must be the same in both places."""
        assert self.headers["Idempotency-Key"] == self.parameters["x_event_id"]
        return self.parameters["x_event_id"]


Reply = Callable[[BaseHTTPRequestHandler, Asked], None]


@dataclass
class Manager:
    """Answers each request with the next reply of its script; the last one stays.

    Attributes:
        url: its messages.
        asked: what was asked, in order.
    """

    url: str
    script: list[Reply]
    asked: list[Asked] = field(default_factory=list)

    @property
    def events(self) -> list[str]:
        """The names of the events that arrived, repetitions included."""
        return [one.body["name"] for one in self.asked]


def answer(status: int, body: object, **headers: str) -> Reply:
    """A reply with this status and JSON, or bytes."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()

    def reply(handler: BaseHTTPRequestHandler, _: Asked) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(raw)))
        handler.end_headers()
        handler.wfile.write(raw)

    return reply


def success(verdict: str = "applied", state: str | None = "RUNNING", reason: str = "done") -> Reply:
    """What the gateway answers to an event that it takes."""
    job = {"uuid": "", "state": state, "lastEvent": "run"}
    result = {"executionId": "N4xBQWo8YyO7y", "verdict": verdict, "reason": reason, "job": job}
    return answer(200, {"message": "fine", "result": result, "status": "success", "version": "1"})


def refusal(status: int, verdict: str, reason: str = "no") -> Reply:
    """What the gateway answers to an event that it refuses."""
    result = {"executionId": "N4xBQWo8YyO7y", "verdict": verdict, "reason": reason}
    return answer(status, {"message": reason, "result": result, "status": "error", "version": "1"})


ABACO: Final = answer(
    200,
    {
        "message": "The request was successful",
        "result": {"executionId": "N4xBQWo8YyO7y", "msg": "x", "_links": {}},
        "status": "success",
        "version": "1.9.0",
    },
)
"""What Abaco answers: only that it has the message."""

TAKEN: Final = success()
UNAVAILABLE: Final = refusal(503, "unavailable")


def drop(handler: BaseHTTPRequestHandler, _: Asked) -> None:
    """Hangs up without an answer."""
    handler.close_connection = True


def half(handler: BaseHTTPRequestHandler, _: Asked) -> None:
    """Announces a longer answer than it sends, and closes the connection."""
    handler.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{"status": "success", "result": {')
    handler.close_connection = True


def drip(handler: BaseHTTPRequestHandler, asked: Asked) -> None:
    """Sends a good answer, so slowly that each piece comes in time and the whole does not."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(40):
        handler.wfile.write(b"X-%d: x\r\n" % number)
        time.sleep(0.1)
    body = json.dumps({"result": {"executionId": "x", "verdict": "applied"}, "status": "success"}).encode()
    handler.wfile.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))


class Judge:
    """Applies each event once by its id, and refuses those of some names; what a real manager does in short."""

    def __init__(self, *refused: str) -> None:
        self.applied: list[tuple[str, str]] = []
        self._refused = refused
        self._lock = threading.Lock()

    def __call__(self, handler: BaseHTTPRequestHandler, asked: Asked) -> None:
        name, uuid = asked.body["name"], asked.body["uuid"]
        if name in self._refused:
            refusal(409, "illegal", f"{name} is not allowed")(handler, asked)
            return
        with self._lock:
            known = (uuid, asked.key) in self.applied
            if not known:
                self.applied.append((uuid, asked.key))
        success("duplicate" if known else "applied")(handler, asked)


@contextmanager
def manager(*script: Reply, port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[Manager]:
    """Serves on 127.0.0.1, with TLS where it is given."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.do_POST()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0"))) or b"{}"
            asked = Asked(self.path, dict(self.headers), json.loads(body))
            with lock:
                served.asked.append(asked)
                reply = served.script.pop(0) if len(served.script) > 1 else served.script[0]
            with suppress(OSError):  # the sender may have gone
                reply(self, asked)

        def log_message(self, *_: Any) -> None:
            pass

    lock = threading.Lock()
    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        served = Manager(
            f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_address[1]}{PATH}", list(script)
        )
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()
