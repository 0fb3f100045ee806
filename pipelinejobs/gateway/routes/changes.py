"""`/changes`: the change feed as server-sent events. Best effort: a client that needs every change reads the jobs."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus
from time import monotonic
from typing import Any, Final

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from pipelinejobs.core.views import plain
from pipelinejobs.gateway import schemas
from pipelinejobs.gateway.http.envelope import Dialect
from pipelinejobs.gateway.http.http_errors import HttpError
from pipelinejobs.gateway.routes.call import CREDENTIALS, JobsReader, answers
from pipelinejobs.gateway.tasks.change_feed import ChangeFeed, Listener, TooManyListeners
from pipelinejobs.util.deadline import Deadline

_MEDIA_TYPE: Final = "text/event-stream"
_LONGEST_SECONDS: Final = 3600.0
"""Longest duration of a stream. The client then connects again, and its credential is checked again."""
_QUIET_SECONDS: Final = 15.0
"""Longest time without output. A comment is sent then, so that proxies do not close the connection."""
_CHECK_SECONDS: Final = 10.0
"""Time between two checks of the client's permission."""


def router() -> APIRouter:
    """The route."""
    routes = APIRouter(tags=["jobs"])
    documented = answers(schemas.Jobs, Dialect.V2)
    documented[200] = {"content": {_MEDIA_TYPE: {"schema": {"type": "string"}}}, "description": "A stream of events."}
    routes.add_api_route(
        "/changes",
        get,
        methods=["GET"],
        summary="Stream the changes of jobs",
        response_class=StreamingResponse,
        responses=documented,
        dependencies=CREDENTIALS,
    )
    return routes


async def get(call: JobsReader) -> StreamingResponse:
    """Streams the changes of jobs from now on, for at most an hour. The data of each event is a summary of the job."""
    return await stream(call.parts.feed)


async def stream(feed: ChangeFeed, may_go_on: Callable[[], Awaitable[bool]] | None = None) -> StreamingResponse:
    """An answer that streams the changes from now on.

    Args:
        feed: the change feed.
        may_go_on: called about every 10 seconds; False ends the stream, because the client has lost the permission.

    Raises:
        HttpError: 503 if too many clients listen already.
    """
    try:
        listener = await feed.listen()
    except TooManyListeners as error:
        raise HttpError(HTTPStatus.SERVICE_UNAVAILABLE, error.reason) from None
    return StreamingResponse(_events(feed, listener, may_go_on), media_type=_MEDIA_TYPE)


async def _events(
    feed: ChangeFeed, listener: Listener, may_go_on: Callable[[], Awaitable[bool]] | None
) -> AsyncIterator[bytes]:
    """The stream, in bytes."""
    deadline = Deadline(_LONGEST_SECONDS)
    checked = monotonic()
    try:
        yield b": changes of jobs, best effort\n\n"
        while not deadline.passed():
            change = await listener.next(_QUIET_SECONDS)
            if may_go_on is not None and monotonic() - checked >= _CHECK_SECONDS:
                if not await may_go_on():
                    break
                checked = monotonic()
            if change is not None:
                yield _event("job", plain(change))
            elif listener.ended:
                break
            else:
                yield b": quiet\n\n"
        yield _event(
            "end", {"message": "this stream has ended; connect again, and read the jobs to see missed changes"}
        )
    finally:
        feed.leave(listener)


def _event(name: str, content: Any) -> bytes:
    return f"event: {name}\ndata: {json.dumps(content)}\n\n".encode()
