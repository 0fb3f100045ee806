"""`/jobs/{uuid}` with `until`, `wait` or `revision`: answers once the job is as the reader asks, or in time."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, Final, NamedTuple

from fastapi import Header, Query, Request
from fastapi.responses import JSONResponse

from pipelinejobs.core import waiting
from pipelinejobs.core.job import MOST_EVENTS
from pipelinejobs.core.views import plain, public_job
from pipelinejobs.core.waiting import Mark
from pipelinejobs.gateway import schemas
from pipelinejobs.gateway.http.connection_limits import GONE
from pipelinejobs.gateway.http.envelope import success
from pipelinejobs.gateway.http.http_errors import HttpError
from pipelinejobs.gateway.parts import GatewayParts
from pipelinejobs.gateway.routes.call import asked
from pipelinejobs.gateway.tasks.waiters import TooManyWaiters, Waiter
from pipelinejobs.util.deadline import Deadline

_LAST_SECONDS: Final = 2.0
"""The time for the last read if the gateway ends."""

_PREFERRED: Final = re.compile(r"(?i)(?:^|,)\s*wait\s*=\s*([0-9]{1,9})\s*(?:,|;|$)")

Until = Annotated[
    list[str] | None,
    Query(description="Answer once the job is in one of these states; several are separated by commas."),
]
Wait = Annotated[
    float | None,
    Query(
        description="Wait so many seconds for the state, or without `until` for any change; at most `limits.wait`.",
        ge=0,
        allow_inf_nan=False,
    ),
]
Revision = Annotated[
    int | None,
    Query(
        description="The `revision` that the reader knows; answer at once if it differs. With `until`, a state that "
        "the job has entered since counts.",
        ge=0,
        le=MOST_EVENTS,
    ),
]
Prefer = Annotated[
    str | None,
    Header(description="`wait=N` (RFC 7240), beside `until` or `revision`; the parameter `wait` is preferred."),
]


class Wish(NamedTuple):
    """What the reader of a job waits for.

    Attributes:
        states: wanted states; None: any change.
        revision: the revision that the reader knows; None if the reader gives none.
        seconds: how long to wait; 0: not at all.
    """

    states: frozenset[str] | None = None
    revision: int | None = None
    seconds: float = 0.0


def wish(
    until: list[str] | None, seconds: float | None, revision: int | None, prefer: str | None, longest: float
) -> Wish:
    """What the parameters of a request ask for.

    Args:
        until, seconds, revision: the parameters `until`, `wait` and `revision`.
        prefer: the header Prefer. Without `until` and `revision` it does not count: it then asks for a quick answer.
        longest: the setting `limits.wait`; a longer wait is cut to it.

    Raises:
        Malformed: `until` names no state of the lifecycle.
    """
    states = None if until is None else waiting.states(until, "parameter until")
    if seconds is None and (states or revision is not None) and (found := _PREFERRED.search(prefer or "")):
        seconds = float(found[1])
    return Wish(states, revision, min(seconds or 0.0, longest))


class _Look(NamedTuple):
    """The job as it was read, and the answer; None if it is not yet as the reader asks."""

    mark: Mark
    answer: JSONResponse | None


async def answer(
    parts: GatewayParts, request: Request, uuid: str, wished: Wish, find: Callable[[], dict[str, Any] | None]
) -> JSONResponse:
    """Answers at once if the job is as the reader asks, else once it is, or after `wished.seconds` as it is then.

    If the gateway ends, or the client closes the connection or its sending side, the wait ends at once. The reader's
    permission was checked before, and is not checked again: a wait is short (`limits.wait`).

    Args:
        parts: the parts of the gateway.
        request: the request, whose client may go away.
        uuid: the job's uuid.
        wished: what the reader waits for.
        find: reads the document of the job; None if there is none, or none that the reader may read.

    Raises:
        HttpError: 404 if there is no such job; 503 if too many requests wait, or the database cannot be asked.
    """
    look = partial(_looked, parts, wished, find)
    if wished.seconds > 0:
        async with _waiter(parts, request, uuid) as waiter:  # before the first read, so that no change is missed
            deadline = Deadline(wished.seconds)
            first = last = await look()
            while last.answer is None and (change := await waiter.next(deadline.remaining())) is not None:
                if _matters(change, last.mark, wished):
                    last = await look(first.mark)
        if last.answer is not None:
            return last.answer
        last = await look(first.mark, is_last=True)
    else:
        last = await look(is_last=True)
    assert last.answer is not None
    return last.answer


@asynccontextmanager
async def _waiter(parts: GatewayParts, request: Request, uuid: str) -> AsyncIterator[Waiter]:
    """A waiter for the job that ends when the client goes away."""
    gone: asyncio.Future[None] = request.scope[GONE]
    try:
        async with parts.feed.waiter(uuid) as waiter:

            def end(_: object) -> None:
                waiter.end()

            gone.add_done_callback(end)
            try:
                yield waiter
            finally:
                gone.remove_done_callback(end)
    except TooManyWaiters as error:
        raise HttpError(HTTPStatus.SERVICE_UNAVAILABLE, error.reason) from None


def _matters(change: dict[str, Any], known: Mark, wished: Wish) -> bool:
    """Whether a change may be what the reader waits for, so that the job has to be read again."""
    told = waiting.told(change)
    if wished.states is not None and wished.revision is None:
        return waiting.may_have_reached(told, known, wished.states)
    return not told.is_same(known)


async def _looked(
    parts: GatewayParts,
    wished: Wish,
    find: Callable[[], dict[str, Any] | None],
    since: Mark | None = None,
    *,
    is_last: bool = False,
) -> _Look:
    """Reads the job. Waiters have threads of their own: when a thousand of them end at once, others are not delayed.

    Args:
        parts, wished, find: as for `answer`.
        since: the job's mark when the wait began; None: it begins now.
        is_last: whether to answer in any case.
    """
    deadline = Deadline(parts.settings.limits.request)
    if parts.stopping:
        deadline = deadline.at_most(_LAST_SECONDS)
    pool = parts.waiters_reads if wished.seconds > 0 else parts.reads
    look = await asked(parts, partial(_look, wished, find, since, is_last=is_last), deadline, pool)
    if look is None:
        raise HttpError(HTTPStatus.NOT_FOUND, "not found: no such job")
    return look


def _look(
    wished: Wish, find: Callable[[], dict[str, Any] | None], since: Mark | None, *, is_last: bool
) -> _Look | None:
    """What is read and answered, in a thread: a large job takes long, and would delay other requests."""
    document = find()
    if document is None:
        return None
    mark = waiting.mark(document)
    shown: dict[str, Any] = {"revision": mark.revision}
    is_due = is_last or (wished.revision is not None and mark.revision != wished.revision)
    if wished.states is not None:
        begin = since or mark if wished.revision is None else Mark(None, wished.revision, None)
        shown["reached"] = waiting.reached(document, wished.states, begin)
        is_due = is_due or shown["reached"] is not False
    elif since is not None and wished.revision is None:
        is_due = is_due or not mark.is_same(since)
    return _Look(mark, success(plain(public_job(document)) | shown, schemas.Job) if is_due else None)
