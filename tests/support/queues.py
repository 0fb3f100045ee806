"""An actors API with a queue: what is posted to an actor's messages is given to processes of the actor, once each.

It does what Abaco does with a message (contract of Abaco 1.9): the query becomes environment variables, the object
under `message` becomes `MSG` as a Python literal, and whatever the exit code is, the message does not come again.
"""

import json
import queue
import threading
from collections.abc import Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import parse_qsl, urlsplit

from support.process import CheckedAbaco
from tools.demo.abaco import Abaco, Execution

ACTOR_ID: Final = "G1p783PxpalBB"
ACCESS_TOKEN: Final = "canary-access-token-31c7"


class ActorQueue:
    """Listens, queues, and runs the actor while it is used as a context manager.

    Attributes:
        executions: the finished runs.
        parameters: the query of every message that was posted here over HTTP, in the order of their coming.
        keys: their headers `Idempotency-Key`.
        status: the HTTP status of the answers; a message that is answered otherwise than 200 is not queued.
    """

    def __init__(self, workers: int) -> None:
        self.executions: list[Execution] = []
        self.parameters: list[dict[str, str]] = []
        self.keys: list[str] = []
        self.status = 200
        self._messages: queue.Queue[tuple[Any, Mapping[str, str]] | None] = queue.Queue()
        self._actor: CheckedAbaco | None = None
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._threads = [threading.Thread(target=self._work) for _ in range(workers)]
        self._threads.append(threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}))

    @property
    def url(self) -> str:
        """The address of the API."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def runs(self, abaco: CheckedAbaco) -> CheckedAbaco:
        """Gives messages to this actor from now on, which learns where this API is."""
        names = {**abaco.names, "_abaco_api_server": self.url, "_abaco_access_token": ACCESS_TOKEN}
        abaco.hidden.add(ACCESS_TOKEN)
        self._actor = CheckedAbaco(
            environment=abaco.environment, username=abaco.username, names=names, hidden=abaco.hidden
        )
        return self._actor

    def put(self, body: Any, parameters: Mapping[str, str]) -> None:
        """Queues a message."""
        self._messages.put((body, parameters))

    def wait(self) -> None:
        """Returns when nothing is queued or run any more."""
        self._messages.join()

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(queue.Empty):
            while True:  # a failed test leaves messages
                self._messages.get_nowait()
                self._messages.task_done()
        for _ in self._threads[1:]:
            self._messages.put(None)
        self._server.shutdown()
        self._server.server_close()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while (message := self._messages.get()) is not None:
            try:
                assert self._actor is not None
                # Not CheckedAbaco.send: what is wrong with a run is to be seen by the test, not in this thread.
                self.executions.append(Abaco.send(self._actor, *message))
            finally:
                self._messages.task_done()


def _handler(served: ActorQueue) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            address = urlsplit(self.path)
            parameters = dict(parse_qsl(address.query, keep_blank_values=True))
            ours = address.path == f"/actors/v2/{ACTOR_ID}/messages"
            status = served.status if ours and self.headers["Authorization"] else 404
            if status == 200:
                served.parameters.append(parameters)
                served.keys.append(self.headers["Idempotency-Key"])
                served.put(body["message"], parameters)
            answer = b'{"message": "The request was successful", "result": {}, "status": "success", "version": "1.9"}'
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Logs nothing."""

    return Handler
