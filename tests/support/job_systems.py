"""Stand-ins for the job systems: servers on loopback that answer questions about jobs as the real ones do.

    with StandInAgave() as agave:
        agave.jobs["4023-007"] = "RUNNING"
        agave.next(error(500), html)            # the next two questions; then it answers well again
        reconcile = agave.section(rate=100)     # or agave.environment(), for a process

Tokens, passwords and refresh tokens are canaries: a test that shows one of them fails.
"""

import json
import socket
import threading
import time
from abc import ABC, abstractmethod
from base64 import b64encode
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from types import TracebackType
from typing import Any, ClassVar, Final, Self
from urllib.parse import parse_qs

from pipelinejobs.settings.reconcile import ReconcileSection
from pipelinejobs.util.secret import Secret
from support.canaries import plant

_LONGEST: Final = 60.0
"""Seconds after which a hanging answer gives up, so that no failing test leaves a thread for ever."""


@dataclass(frozen=True)
class Received:
    """A request as it came; the names of its headers are in lower case, `at` is monotonic."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def token(self) -> str | None:
        """The access token that it shows."""
        shown = self.headers.get("x-tapis-token") or self.headers.get("authorization", "").removeprefix("Bearer ")
        return shown or None


Reply = Callable[["_Handler"], None]
"""What is done with a request instead of a good answer."""


class StandIn(ABC):
    """A job system, which serves while it is used as a context manager.

    Attributes:
        jobs: the status of each job, by its id; tests change it at will, also backwards.
        forbidden: ids of jobs that exist and are answered with 403.
        refused: ids of jobs that are answered with 401, whatever the token.
        not_found: the `status` in the envelope of a 404: `error` or `success`; both occur.
        extra: further members of every `result`.
        life: how many seconds a renewed token lives, as told in `expires_in`; None: not told, and without an end.
        before_answer: called with the id of each job before its question is answered, in the server's thread: to hold
            an answer back, or to do something between question and answer.
        received: all requests, oldest first.
    """

    system: ClassVar[str]
    _numbers = count(1)

    def __init__(self) -> None:
        self.jobs: dict[str, str] = {}
        self.forbidden: set[str] = set()
        self.refused: set[str] = set()
        self.not_found = "error"
        self.extra: dict[str, Any] = {}
        self.life: float | None = None
        self.before_answer: Callable[[str], None] | None = None
        self.received: list[Received] = []
        self.over = threading.Event()
        self.token = self._new("access")
        self._valid: dict[str, float] = {self.token: float("inf")}
        self._script: list[Reply] = []
        self._always: Reply | None = None
        self._renewing: list[Reply] = []
        self._lock = threading.RLock()
        served = type("_Handler", (_Handler,), {"stand_in": self})
        self._server = _Server(("127.0.0.1", 0), served)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def url(self) -> str:
        """The server's address, for `reconcile.*_server`."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def host(self) -> str:
        """Host and port, as reasons name the server."""
        return self.url.removeprefix("http://")

    @property
    def asked(self) -> list[str]:
        """The ids of the jobs that were asked about, in order; also those that got no good answer."""
        return [one.path.split("/")[-2] for one in self.received if one.path.endswith("/status")]

    @property
    def renewals(self) -> list[Received]:
        """The requests for a new token."""
        return [one for one in self.received if one.method == "POST"]

    def next(self, *replies: Reply) -> None:
        """The next questions about jobs get these replies, one each."""
        self._script.extend(replies)

    def always(self, reply: Reply | None) -> None:
        """All questions about jobs get this reply from now on; None: good answers again."""
        self._always = reply

    def next_renewals(self, *replies: Reply) -> None:
        """The next requests for a token get these replies, one each."""
        self._renewing.extend(replies)

    def expire(self) -> None:
        """From now on no token is valid any more that was given so far."""
        with self._lock:
            self._valid.clear()

    def section(self, *, account: bool = False, **more: Any) -> ReconcileSection:
        """Settings that ask this server.

        Args:
            account: whether tokens have to be got and renewed; else the present token is given.
            more: further settings of the section.
        """
        values: dict[str, Any] = {f"{self.system}_server": self.url, **more}
        for name, value in self._given(account):
            values[name] = value if name.endswith("_user") else Secret(value)
        return ReconcileSection(**values)

    def environment(self, *, account: bool = False, **more: object) -> dict[str, str]:
        """The same as variables of a process."""
        values: dict[str, object] = {f"{self.system}_server": self.url, **dict(self._given(account)), **more}
        return {f"_REACTOR_RECONCILE_{name.upper()}": str(value) for name, value in values.items()}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()  # waits for the threads of requests
        self._thread.join()

    def respond(self, handler: "_Handler", request: Received) -> None:
        """Answers a request."""
        with self._lock:
            self.received.append(request)
            is_question = request.path.endswith("/status") and request.method == "GET"
            script = self._script if is_question else self._renewing
            reply = script.pop(0) if script else self._always if is_question else None
        if is_question and self.before_answer is not None:
            self.before_answer(request.path.split("/")[-2])
        if reply is not None:
            reply(handler)
        elif is_question:
            handler.say(*self._status(request))
        else:
            handler.say(*self._renewed(request))

    def _status(self, request: Received) -> tuple[int, object]:
        job = request.path.split("/")[-2]
        if request.path != self._path(job):
            return 404, "<html>no such page</html>"
        with self._lock:
            is_valid = self._valid.get(self._shown(request) or "", 0.0) > time.monotonic()
        if not is_valid or job in self.refused:
            return 401, self._unauthorised()
        if job in self.forbidden:
            return 403, self._envelope("error", f"User does not have permission to view job {job}", None)
        if job not in self.jobs:
            return 404, self._envelope(self.not_found, f"No job found with job id {job}", None)
        return 200, self._envelope("success", None, self._result(job, self.jobs[job]) | self.extra)

    def _grant(self) -> str:
        """A new access token, which is valid from now on."""
        token = self._new("access")
        with self._lock:
            self._valid[token] = float("inf") if self.life is None else time.monotonic() + self.life
        return token

    def _new(self, kind: str) -> str:
        secret = f"canary-{self.system}-{kind}-{next(self._numbers)}-{id(self):x}"
        plant(secret)
        return secret

    def _envelope(self, status: str, message: str | None, result: object) -> dict[str, Any]:
        return {"status": status, "message": message, "version": "1.8.2", "result": result}

    @abstractmethod
    def _path(self, job: str) -> str: ...

    @abstractmethod
    def _shown(self, request: Received) -> str | None: ...

    @abstractmethod
    def _unauthorised(self) -> object: ...

    @abstractmethod
    def _result(self, job: str, status: str) -> dict[str, Any]: ...

    @abstractmethod
    def _renewed(self, request: Received) -> tuple[int, object]: ...

    @abstractmethod
    def _given(self, account: bool) -> list[tuple[str, str]]: ...


class StandInAgave(StandIn):
    """Agave, and Aloe: `GET /jobs/v2/{id}/status`, `POST /token`.

    Attributes:
        refresh_token: the one that is valid now.
        rotates: whether each renewal gives a new refresh token, after which the former one is refused.
    """

    system = "agave"

    def __init__(self) -> None:
        super().__init__()
        self.client_key, self.client_secret = self._new("client-key"), self._new("client-secret")
        self.refresh_token = self._new("refresh")
        self.rotates = True

    def _path(self, job: str) -> str:
        return f"/jobs/v2/{job}/status"

    def _shown(self, request: Received) -> str | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return token if scheme == "Bearer" else None

    def _unauthorised(self) -> object:
        return {"fault": {"code": 900904, "message": "Invalid Credentials", "description": "Access Token Expired"}}

    def _result(self, job: str, status: str) -> dict[str, Any]:
        return {"id": job, "status": status, "_links": {"self": {"href": f"{self.url}/jobs/v2/{job}"}}}

    def _renewed(self, request: Received) -> tuple[int, object]:
        if request.path != "/token":
            return 404, "<html>no such page</html>"
        client = b64encode(f"{self.client_key}:{self.client_secret}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {client}":
            return 401, {"error": "invalid_client", "error_description": "Client Authentication failed"}
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        with self._lock:  # of two requests with the same refresh token, one is refused
            if (form.get("grant_type"), form.get("refresh_token")) != ("refresh_token", self.refresh_token):
                return 400, {"error": "invalid_grant", "error_description": "Provided Authorization Grant is invalid"}
            if self.rotates:
                self.refresh_token = self._new("refresh")
            token = {"access_token": self._grant(), "refresh_token": self.refresh_token, "token_type": "bearer"}
        return 200, token | ({} if self.life is None else {"expires_in": self.life}) | {"scope": "default"}

    def _given(self, account: bool) -> list[tuple[str, str]]:
        if not account:
            return [("agave_token", self.token)]
        client = [("agave_client_key", self.client_key), ("agave_client_secret", self.client_secret)]
        return [*client, ("agave_refresh_token", self.refresh_token)]


class StandInTapis(StandIn):
    """Tapis v3: `GET /v3/jobs/{id}/status`, `POST /v3/oauth2/tokens`.

    Attributes:
        user, password: of the only account.
        condition: the `result.condition` of every job; None: absent.
    """

    system = "tapis"

    def __init__(self) -> None:
        super().__init__()
        self.not_found = "success"
        self.user, self.password = "watcher", self._new("password")
        self.condition: str | None = None

    def _path(self, job: str) -> str:
        return f"/v3/jobs/{job}/status"

    def _shown(self, request: Received) -> str | None:
        return request.headers.get("x-tapis-token")

    def _unauthorised(self) -> object:
        return self._envelope("error", "TAPIS_SECURITY_JWT_EXPIRED The token has expired.", None)

    def _result(self, job: str, status: str) -> dict[str, Any]:
        return {"status": status} | ({} if self.condition is None else {"condition": self.condition})

    def _renewed(self, request: Received) -> tuple[int, object]:
        if request.path != "/v3/oauth2/tokens":
            return 404, "<html>no such page</html>"
        asked = json.loads(request.body)
        if asked != {"username": self.user, "password": self.password, "grant_type": "password"}:
            return 401, self._envelope("error", "Invalid username/password combination.", None)
        token: dict[str, Any] = {"access_token": self._grant(), "expires_at": "2030-01-01T00:00:00+00:00", "jti": "x"}
        token |= {} if self.life is None else {"expires_in": self.life}
        return 200, self._envelope("success", "Token created successfully.", {"access_token": token})

    def _given(self, account: bool) -> list[tuple[str, str]]:
        return (
            [("tapis_user", self.user), ("tapis_password", self.password)] if account else [("tapis_token", self.token)]
        )


class _Server(ThreadingHTTPServer):
    """Waits for its threads when it is closed."""

    daemon_threads = False


class _Handler(BaseHTTPRequestHandler):
    """Reads a request and has it answered."""

    protocol_version = "HTTP/1.1"
    stand_in: ClassVar[StandIn]

    def say(self, status: int, body: object, headers: Mapping[str, str] | None = None) -> None:
        """Answers with JSON; a text or bytes are sent as they are."""
        raw = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        kind = "text/html" if isinstance(body, str) else "application/json"
        for name, value in {"Content-Type": kind, "Content-Length": str(len(raw)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    def _respond(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Received(self.command, self.path, headers, body, time.monotonic())
        with suppress(OSError):  # the asker may have gone
            self.stand_in.respond(self, request)

    do_GET = do_POST = _respond  # noqa: N815

    def log_message(self, *_: Any) -> None:
        pass


def says(status: int, body: object = "", **headers: str) -> Reply:
    """Answers with this status, this body (JSON, or a text or bytes as they are) and these headers."""
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler: handler.say(status, body, fields)


def error(status: int, **headers: str) -> Reply:
    """A failure in the envelope of the job systems."""
    body = {"status": "error", "message": "Something failed.", "version": "1.8.2", "result": None}
    return says(status, body, **headers)


def too_many(seconds: int) -> Reply:
    """429, with the time to wait."""
    return error(429, Retry_After=str(seconds))


def redirect(url: str) -> Reply:
    """307 to another address."""
    return says(307, Location=url)


html: Final = says(200, "<!DOCTYPE html><html><title>Maintenance</title><p>We will be back soon.</html>")
"""A page of a proxy in front of the job system, with status 200."""


def hang(handler: _Handler) -> None:
    """Sends the head of an answer and no more, until the test is over."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n")
    handler.close_connection = True
    handler.stand_in.over.wait(_LONGEST)


def drop(handler: _Handler) -> None:
    """Hangs up without an answer."""
    handler.close_connection = True


def cut(handler: _Handler) -> None:
    """Announces a longer answer than it sends: what is sent would be a whole answer."""
    body = b'{"status": "success", "result": {"status": "FINISHED"}}'
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + body)
    handler.close_connection = True


def flood(handler: _Handler) -> None:
    """Sends an answer without end, until the asker closes the connection."""
    handler.wfile.write(b'HTTP/1.1 200 OK\r\n\r\n{"status": "success", "result": {"status": "FINISHED", "x": "')
    handler.close_connection = True
    while not handler.stand_in.over.is_set():
        handler.wfile.write(b"x" * 65536)


def free_address() -> str:
    """The URL of a loopback port at which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"
