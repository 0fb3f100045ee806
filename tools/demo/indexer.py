"""A stand-in for the Indexer: an HTTP server on this machine that records the messages that it receives."""

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, slots=True)
class Received:
    """One received request."""

    path: str
    headers: dict[str, str]
    body: Any


@dataclass(slots=True)
class Indexer:
    """The stand-in. It listens while it is used as a context manager.

    Attributes:
        status: the HTTP status that it answers with; may be changed at any time.
        delay: seconds that it takes to answer.
        received: the received requests, oldest first.
    """

    status: int = 200
    delay: float = 0.0
    received: list[Received] = field(default_factory=list)
    _server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """The messages URL."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.server_port}/actors/v2/jobs-indexer.prod/messages?x-nonce=SD2E_demo"

    def __enter__(self) -> "Indexer":
        indexer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                text = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                indexer.received.append(Received(self.path, dict(self.headers), json.loads(text)))
                answer = json.dumps({"status": "success", "message": "", "version": "demo", "result": {}}).encode()
                time.sleep(indexer.delay)
                self.send_response(indexer.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
