"""HTTP/1.1 as uvicorn speaks it, with the limits that it lacks: on what a client sends, how long it takes, and what
it leaves unread.
"""

import asyncio
import json
from collections import deque
from dataclasses import dataclass
from enum import Enum, auto
from http import HTTPStatus
from typing import Any, ClassVar, Final, cast

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from pipelinejobs.gateway.http.http_errors import RETRY_SECONDS
from pipelinejobs.gateway.http.transport import Transport

HEADER_BYTES: Final = 64 * 1024
"""How much of a request may come before its header is complete. The trailer of a body is held to it too."""

HEADER_FIELDS: Final = 100

MOST_PIPELINED: Final = 16
"""How many requests of one connection may be unanswered; each takes far more memory than the bytes it came in."""

_PROGRESS_BYTES: Final = 16 * 1024
_LAST_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a client may do.

    Attributes:
        version: what our own answers give as theirs.
        most_connections: how many may be open.
        header_seconds: in which a header must arrive, and what is left of a body after the answer.
        stall_seconds: in which a client must take something of what it is sent.
        linger_seconds: how long a refused client is given to read why.
    """

    version: str
    most_connections: int
    header_seconds: float = 10.0
    stall_seconds: float = 30.0
    linger_seconds: float = 2.0


def limited(limits: Limits) -> type[HttpToolsProtocol]:
    """The protocol with these limits, for uvicorn's `http`."""

    class Configured(_Limited):
        _limits = limits
        _lingering: ClassVar[set[_Limited]] = set()

    return Configured


class _Refused(Exception):
    """The request that is being read is not wanted."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class _Due(Enum):
    """What the client has to send in time."""

    NOTHING = auto()
    HEADER = auto()
    REST_OF_BODY = auto()
    NEXT_REQUEST = auto()


class _Limited(HttpToolsProtocol):
    """One connection.

    Attributes:
        left: nothing is read or said any more; what was said is still being sent.
    """

    _limits: ClassVar[Limits]
    _lingering: ClassVar[set["_Limited"]]  # those that left, but wait for their client to do so too

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.left = False
        self._real: asyncio.Transport
        self._unanswered: deque[RequestResponseCycle] = deque()
        self._refusal: tuple[HTTPStatus, str] | None = None
        self._in_body = False
        self._loose = 0  # bytes that came since the last header, piece of a body, or message was complete
        self._due = _Due.NOTHING
        self._clock: asyncio.TimerHandle | None = None
        self._watcher: asyncio.TimerHandle | None = None
        self._last: asyncio.TimerHandle | None = None  # set at the server's end: no request after the next

    # The connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        self._real = transport
        super().connection_made(cast(asyncio.Transport, Transport(transport, lambda: self.left, self.leave)))
        # Those that linger do not count: refused clients that try again and again must not keep others out.
        if len(self.connections) - len(self._lingering) > self._limits.most_connections:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "too many connections; try again")
        else:
            self._expect()

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio asks whether to keep it open
        """The client sends no more, but may wait for answers. Once one has begun, it is taken to have gone."""
        if not self.left and self._refusal is None and (self._in_body or self._loose):
            self._refuse(HTTPStatus.BAD_REQUEST, "the request breaks off")
        if self.left or not self._unanswered or self._unanswered[0].response_started or self.scheme == "https":
            return False  # TLS has no half of a line that could stay open
        if self._refusal is None:  # which would be said last
            self.cycle.keep_alive = False
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.left = True
        self._set_clock(_Due.NOTHING)
        self._stop_watching()
        if self._last is not None:
            self._last.cancel()
        self._lingering.discard(self)
        for cycle in self._unanswered:  # uvicorn tells only the latest
            _disconnect(cycle)
        self._unanswered.clear()
        self.pipeline.clear()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """The server's end. A request that is on its way already is still answered; uvicorn would cut its line."""
        if self._unanswered or self._in_body:
            super().shutdown()
        elif self._last is None and not self.left:
            self._last = self.loop.call_later(_LAST_SECONDS, self._nothing_more_came)

    def _nothing_more_came(self) -> None:
        if not self._unanswered and not self._in_body:
            self.leave()

    def leave(self) -> None:
        """Closes the connection after what was written is sent, or not taken in time."""
        if self.left:
            return
        self.left = True
        self._set_clock(_Due.NOTHING)
        half_read = self._in_body or self._loose > 0 or self._refusal is not None
        if half_read and len(self._lingering) < self._limits.most_connections and not self._real.is_closing():
            # To close a socket that holds unread bytes is to reset it, and the client may lose the answer. So we only
            # say that we are done, and throw away what comes until the client closes.
            self._lingering.add(self)
            if self._real.can_write_eof():
                self._real.write_eof()
            self.flow.resume_reading()
            self._watch(self._limits.linger_seconds)
        else:
            self._real.close()
            self._watch(self._limits.stall_seconds)

    # What is read

    def data_received(self, data: bytes) -> None:
        if self.left or self._refusal is not None:
            return
        at = 0
        try:
            while at < len(data):
                piece = data[at : at + HEADER_BYTES - self._loose]
                at += len(piece)
                self._loose += len(piece)
                self._feed(piece)
                if self._loose >= HEADER_BYTES:
                    raise _too_large(f"is larger than {HEADER_BYTES} bytes")
        except _Refused as refused:
            self._refuse(refused.status, refused.reason)
        except httptools.HttpParserCallbackError as error:
            why = error.__context__
            if isinstance(why, _Refused):
                self._refuse(why.status, why.reason)
            else:
                self._refuse(HTTPStatus.BAD_REQUEST, "the request's target cannot be read")
        except httptools.HttpParserError as error:
            self._refuse(HTTPStatus.BAD_REQUEST, f"the request is not HTTP as it should be: {error}")
        self._expect()

    def _feed(self, data: bytes) -> None:
        while data:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                # The parser takes what follows for another protocol, and would take the body for the next request.
                # So the request is read again, as if it had not asked.
                data = self._without_upgrade() + data[upgrade.args[0] :]
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn has it
            else:
                return

    def _without_upgrade(self) -> bytes:
        first = b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        fields = [b"%b: %b" % field for field in self.headers if field[0] != b"upgrade"]
        return b"\r\n".join([first, *fields, b"", b""])

    def _should_upgrade(self) -> bool:
        return True  # so that uvicorn leaves to us every request for which the parser says so

    def on_message_begin(self) -> None:
        self._loose = self._loose or 1
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_body:
            return  # a trailer; what decided on the request must not change afterwards
        super().on_header(name, value)
        if len(self.headers) > HEADER_FIELDS:
            raise _too_large(f"holds more than {HEADER_FIELDS} fields")

    def on_headers_complete(self) -> None:
        self._loose = 0
        self._set_clock(_Due.NOTHING)  # the next header has its own time
        self._check()
        if self.parser.should_upgrade():
            return
        super().on_headers_complete()
        self._in_body = True
        if self._last is not None:
            self.cycle.keep_alive = False
        self._unanswered.append(self.cycle)
        if len(self._unanswered) > MOST_PIPELINED:
            raise _Refused(HTTPStatus.SERVICE_UNAVAILABLE, "too many requests at once on one connection; try again")

    def _check(self) -> None:
        # Two lengths, or a length and chunks, are refused by the parser. But it lets through codings that nobody here
        # undoes, and finds others only after the application was called.
        codings = [value.lower() for name, value in self.headers if name == b"transfer-encoding"]
        version = self.parser.get_http_version()
        if version not in ("1.0", "1.1"):
            raise _Refused(HTTPStatus.BAD_REQUEST, "HTTP/1.1 is spoken here")
        if codings and (codings != [b"chunked"] or version == "1.0"):
            raise _Refused(HTTPStatus.BAD_REQUEST, "Transfer-Encoding: can only be chunked, and not in HTTP/1.0")
        if self.parser.get_method() == b"CONNECT":
            raise _Refused(HTTPStatus.BAD_REQUEST, "this is no proxy")

    def on_body(self, body: bytes) -> None:
        self._loose = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._loose = 0
        self._in_body = False
        super().on_message_complete()

    # What is answered

    def on_response_complete(self) -> None:
        self._unanswered.popleft()
        super().on_response_complete()
        self._unset_keepalive_if_required()  # any byte would stop that clock for good; ours are different
        self._say_refusal()
        self._expect()

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        """Reads no more, and says why after the requests before have been answered."""
        self._refusal = (status, reason)
        if self._in_body:
            cycle = self.cycle
            if not cycle.response_complete:
                _disconnect(cycle)
                self._unanswered.pop()
                if self.pipeline:
                    self.pipeline.popleft()
            if cycle.response_started:  # it has its answer, or the beginning of one
                self.leave()
                return
        self._say_refusal()

    def _say_refusal(self) -> None:
        if self._refusal is None or self._unanswered or self.left:
            return
        status, reason = self._refusal
        content = {"message": reason, "result": None, "status": "error", "version": self._limits.version}
        body = json.dumps(content).encode()
        fields = [
            *self.server_state.default_headers,
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"connection", b"close"),
        ]
        if status is HTTPStatus.SERVICE_UNAVAILABLE:
            fields.append((b"retry-after", b"%d" % RETRY_SECONDS))
        self._real.write(STATUS_LINE[status] + b"".join(b"%b: %b\r\n" % field for field in fields) + b"\r\n" + body)
        self.leave()

    # Clients that keep us waiting

    def _expect(self) -> None:
        """Sets the clock for what the client has to do next; what it is doing already keeps its time."""
        if self.left or self._refusal is not None:
            due = _Due.NOTHING
        elif self._in_body:  # before the answer, the time of a body is the application's
            due = _Due.REST_OF_BODY if self.cycle.response_complete else _Due.NOTHING
        elif self._loose or self.cycle is None:
            due = _Due.HEADER
        else:
            due = _Due.NOTHING if self._unanswered else _Due.NEXT_REQUEST
        if due is not self._due:
            self._set_clock(due)

    def _set_clock(self, due: _Due) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None
        self._due = due
        if due is not _Due.NOTHING:
            seconds = self.timeout_keep_alive if due is _Due.NEXT_REQUEST else self._limits.header_seconds
            self._clock = self.loop.call_later(seconds, self._late)

    def _late(self) -> None:
        if self._due is _Due.HEADER and self.flow.read_paused:  # it is we who do not read
            self._set_clock(_Due.HEADER)
        elif self._due is _Due.HEADER and self._loose:
            reason = f"header: did not arrive within {self._limits.header_seconds:.3g} s"
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, reason)
        else:
            self.leave()

    def pause_writing(self) -> None:
        super().pause_writing()
        if not self.left:
            self._watch(self._limits.stall_seconds)

    def resume_writing(self) -> None:
        super().resume_writing()
        if not self.left:
            self._stop_watching()

    def _watch(self, seconds: float) -> None:
        """Looks in so many seconds whether the client has taken anything of what it is sent."""
        self._stop_watching()
        self._watcher = self.loop.call_later(seconds, self._look, self._real.get_write_buffer_size())

    def _look(self, before: int) -> None:
        waiting = self._real.get_write_buffer_size()
        if waiting and before - waiting >= _PROGRESS_BYTES:
            self._watch(self._limits.stall_seconds)
        elif waiting or self.left:
            self._real.abort()

    def _stop_watching(self) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
            self._watcher = None


def _disconnect(cycle: RequestResponseCycle) -> None:
    """Lets the application know that nobody waits for its answer."""
    cycle.disconnected = True
    cycle.message_event.set()


def _too_large(what: str) -> _Refused:
    return _Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"header: {what}")
