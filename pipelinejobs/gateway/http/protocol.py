"""uvicorn's HTTP/1.1 with limits that it lacks: on what a client sends, how long it takes, and what it leaves unread.

This module uses names of uvicorn that are not part of its documented interface. requirements-gateway.txt allows only
versions that have them, and test_uvicorn_names.py names the one that is missing in another version.
"""

import asyncio
from collections import deque
from enum import Enum, auto
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from pipelinejobs.gateway.http.connection_limits import (
    GONE,
    HEADER_BYTES,
    HEADER_FIELDS,
    MOST_PIPELINED,
    ConnectionLimits,
)
from pipelinejobs.gateway.http.request_refused import RequestRefused, check_request, header_too_large
from pipelinejobs.gateway.http.transport import Transport
from pipelinejobs.gateway.http.write_watch import WriteWatch

if TYPE_CHECKING:
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

_LAST_SECONDS: Final = 0.5


def limited(limits: ConnectionLimits) -> type[HttpToolsProtocol]:
    """The protocol class with these limits, for the argument `http` of `uvicorn.Config`."""

    class Configured(_Limited):
        _limits = limits
        _open: ClassVar[set[_Limited]] = set()
        _lingering: ClassVar[set[_Limited]] = set()

    return Configured


class _Due(Enum):
    """What the client has to send next, within a time limit."""

    NOTHING = auto()
    HEADER = auto()
    REST_OF_BODY = auto()
    NEXT_REQUEST = auto()


class _Limited(HttpToolsProtocol):
    """One connection.

    Attributes:
        left: whether nothing more is read or written. Bytes already written are still being sent.
    """

    _limits: ClassVar[ConnectionLimits]
    _open: ClassVar[set["_Limited"]]
    _lingering: ClassVar[set["_Limited"]]  # connections that left, and wait for the client to close

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.left = False
        self._real: asyncio.Transport
        self._unanswered: deque[RequestResponseCycle] = deque()
        self._refusal: RequestRefused | None = None
        self._in_body = False
        self._loose = 0  # bytes received since the last complete header, piece of a body, or message
        self._due = _Due.NOTHING
        self._clock: asyncio.TimerHandle | None = None
        self._watch: WriteWatch
        self._gone: asyncio.Future[None]  # for the application: see `GONE`
        self._last: asyncio.TimerHandle | None = None  # set when the server ends: no request after the next one

    # The connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        self._real = transport
        self._gone = self.loop.create_future()
        self._watch = WriteWatch(self.loop, transport, self._limits.stall_seconds)
        self._open.add(self)
        super().connection_made(cast(asyncio.Transport, Transport(transport, lambda: self.left, self.leave)))
        # Lingering connections do not count: refused clients that try again and again must not keep others out.
        if len(self._open) - len(self._lingering) > self._limits.most_connections:
            self._refuse(RequestRefused(HTTPStatus.SERVICE_UNAVAILABLE, "too many connections; try again"))
        else:
            self._expect()

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio asks whether to keep it open
        """The client sends no more, but may wait for its answers. If an answer has begun, the client counts as gone."""
        self._has_gone()
        if not self.left and self._refusal is None and (self._in_body or self._loose):
            self._refuse(RequestRefused(HTTPStatus.BAD_REQUEST, "the request is incomplete"))
        has_tls = self._real.get_extra_info("sslcontext") is not None
        if self.left or not self._unanswered or self._unanswered[0].response_started or has_tls:
            return False  # TLS cannot be closed in one direction
        if self._refusal is None:  # a refusal would be sent last, and close the connection
            self.cycle.keep_alive = False
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.left = True
        self._has_gone()
        self._set_clock(_Due.NOTHING)
        self._watch.stop()
        if self._last is not None:
            self._last.cancel()
        self._open.discard(self)
        self._lingering.discard(self)
        for cycle in self._unanswered:  # uvicorn informs only the latest
            _disconnect(cycle)
        self._unanswered.clear()
        self.pipeline.clear()
        super().connection_lost(exc)

    def _has_gone(self) -> None:
        if not self._gone.done():
            self._gone.set_result(None)

    def shutdown(self) -> None:
        """The server ends. A request that is already arriving is still answered; uvicorn would cut it off."""
        if self._unanswered or self._in_body:
            super().shutdown()
        elif self._last is None and not self.left:
            self._last = self.loop.call_later(_LAST_SECONDS, self._nothing_more_came)

    def _nothing_more_came(self) -> None:
        if not self._unanswered and not self._in_body:
            self.leave()

    def leave(self) -> None:
        """Closes the connection once the written bytes are sent, or once the client takes too long to read them."""
        if self.left:
            return
        self.left = True
        self._set_clock(_Due.NOTHING)
        half_read = self._in_body or self._loose > 0 or self._refusal is not None
        if half_read and len(self._lingering) < self._limits.most_connections and not self._real.is_closing():
            # Closing a socket that holds unread bytes resets the connection, and the client may lose the answer. So
            # only our direction is closed, and received bytes are thrown away until the client closes.
            self._lingering.add(self)
            if self._real.can_write_eof():
                self._real.write_eof()
            self.flow.resume_reading()
            self._watch.start(self._limits.linger_seconds, ends=True)
        else:
            self._real.close()
            self._watch.start(self._limits.stall_seconds, ends=True)

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
                    raise header_too_large(f"is larger than {HEADER_BYTES} bytes")
        except RequestRefused as refusal:
            self._refuse(refusal)
        except httptools.HttpParserCallbackError as error:
            why = error.__context__
            unreadable = RequestRefused(HTTPStatus.BAD_REQUEST, "the URL of the request cannot be read")
            self._refuse(why if isinstance(why, RequestRefused) else unreadable)
        except httptools.HttpParserError as error:
            self._refuse(RequestRefused(HTTPStatus.BAD_REQUEST, f"the request is not valid HTTP: {error}"))
        self._expect()

    def _feed(self, data: bytes) -> None:
        while data:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                # The parser stops here, since another protocol may follow; it would read the body as the next request.
                # So the request is parsed again without its header Upgrade.
                data = self._without_upgrade() + data[upgrade.args[0] :]
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn has it
            else:
                return

    def _without_upgrade(self) -> bytes:
        first = b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        fields = [b"%b: %b" % field for field in self.headers if field[0] != b"upgrade"]
        return b"\r\n".join([first, *fields, b"", b""])

    def on_message_begin(self) -> None:
        self._loose = self._loose or 1
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_body:
            return  # a trailer: it must not change the header fields that were already checked
        super().on_header(name, value)
        if len(self.headers) > HEADER_FIELDS:
            raise header_too_large(f"holds more than {HEADER_FIELDS} fields")

    def on_headers_complete(self) -> None:
        self._loose = 0
        self._set_clock(_Due.NOTHING)  # the next header has its own time
        check_request(self.parser.get_method(), self.parser.get_http_version(), self.headers)
        if self.parser.should_upgrade():
            return  # `_feed` parses it again
        self.scope[GONE] = self._gone  # type: ignore[typeddict-unknown-key]
        super().on_headers_complete()
        self._in_body = True
        if self._last is not None:
            self.cycle.keep_alive = False
        self._unanswered.append(self.cycle)
        if len(self._unanswered) > MOST_PIPELINED:
            raise RequestRefused(HTTPStatus.SERVICE_UNAVAILABLE, "too many requests in one connection; try again")

    def on_body(self, body: bytes) -> None:
        self._loose = 0
        if not self.parser.should_upgrade():
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._loose = 0
        self._in_body = False
        if not self.parser.should_upgrade():
            super().on_message_complete()

    # What is answered

    def on_response_complete(self) -> None:
        self._unanswered.popleft()
        super().on_response_complete()
        if self.timeout_keep_alive_task is not None:  # uvicorn's timer, which any byte would stop; `_clock` replaces it
            self.timeout_keep_alive_task.cancel()
        self._send_refusal()
        self._expect()

    def _refuse(self, refusal: RequestRefused) -> None:
        """Reads no more, and sends the refusal after the answers to the requests before it."""
        self._refusal = refusal.with_traceback(None)  # the frames of a traceback would keep this connection in memory
        if self._in_body:
            cycle = self.cycle
            if not cycle.response_complete:
                _disconnect(cycle)
                self._unanswered.pop()
                if self.pipeline:
                    self.pipeline.popleft()
            if cycle.response_started:  # the client has the answer, or its beginning
                self.leave()
                return
        self._send_refusal()

    def _send_refusal(self) -> None:
        if self._refusal is None or self._unanswered or self.left:
            return
        self._real.write(self._refusal.answer(self._limits.version, self.server_state.default_headers))
        self.leave()

    # Slow clients

    def _expect(self) -> None:
        """Sets the timer for what the client has to send next. A running timer for the same thing is kept."""
        if self.left or self._refusal is not None:
            due = _Due.NOTHING
        elif self._in_body:  # before the answer, the application limits the time of a body
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
            seconds = self.config.timeout_keep_alive if due is _Due.NEXT_REQUEST else self._limits.header_seconds
            self._clock = self.loop.call_later(seconds, self._late)

    def _late(self) -> None:
        if self._due is _Due.HEADER and self.flow.read_paused:  # the client is not late: the gateway has paused reading
            self._set_clock(_Due.HEADER)
        elif self._due is _Due.HEADER and self._loose:
            reason = f"header: did not arrive within {self._limits.header_seconds:.3g} s"
            self._refuse(RequestRefused(HTTPStatus.REQUEST_TIMEOUT, reason))
        else:
            self.leave()

    def pause_writing(self) -> None:
        super().pause_writing()
        if not self.left:
            self._watch.start(self._limits.stall_seconds)

    def resume_writing(self) -> None:
        super().resume_writing()
        if not self.left:
            self._watch.stop()


def _disconnect(cycle: "RequestResponseCycle") -> None:
    """Lets the application know that the client no longer waits for the answer."""
    cycle.disconnected = True
    cycle.message_event.set()
