"""Jobs, for users with the READ permission: `/jobs`, `/jobs/{uuid}`, `/jobs/{uuid}/history`, `/jobs/{uuid}/explain`."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import cache, partial
from http import HTTPStatus
from inspect import signature
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BeforeValidator, WithJsonSchema

from fsm.lifecycle import STATES
from pipelinejobs.core.views import plain
from pipelinejobs.diagnose import snapshot
from pipelinejobs.gateway import schemas
from pipelinejobs.gateway.http.envelope import Dialect, success
from pipelinejobs.gateway.http.http_errors import HttpError
from pipelinejobs.gateway.routes import job_wait
from pipelinejobs.gateway.routes.call import CREDENTIALS, Call, JobsReader, JobToken, answers
from pipelinejobs.messages.fields import UUID_PATTERN
from pipelinejobs.store import history, listing
from pipelinejobs.store.listing import Filter
from pipelinejobs.util import duration, spelling
from pipelinejobs.util.errors import Malformed
from pipelinejobs.util.secret import Secret

if TYPE_CHECKING:
    State = str
else:
    State = Literal[tuple(STATES)]  # type checkers cannot know the states of the lifecycle

Found = TypeVar("Found")

Uuid = Annotated[str, Path(description="The uuid of the job.", pattern=f"^{UUID_PATTERN}$")]
Limit = Annotated[int, Query(description="The largest number of jobs.", ge=1, le=200)]
Cursor = Annotated[str | None, Query(description="`next` of the previous page.", min_length=1, max_length=500)]
Text = Annotated[str | None, Query(description="Text in the job's names and paths.", min_length=1, max_length=200)]
Duration = Annotated[
    float | None,
    BeforeValidator(duration.seconds),
    WithJsonSchema({"type": "string"}),
    Query(description="Only jobs that are CREATED or RUNNING and had no event for this long: 90m, 6h, 2d."),
]
Moment = Annotated[datetime | None, Query(description="A time; UTC if it has no time zone.")]

_NOT_IN_QUERY = frozenset({"call", "request", "uuid", "prefer"})
"""What routes take that is no parameter of the query."""


def router() -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["jobs"])
    for path, call, shape, summary in (
        ("/jobs", get_all, schemas.Jobs, "List jobs, the most recently changed first"),
        ("/jobs/{uuid}", get_one, schemas.Job, "Get one job"),
        ("/jobs/{uuid}/history", get_history, schemas.History, "Get the history of a job, oldest entry first"),
        ("/jobs/{uuid}/explain", get_explanation, schemas.Explanation, "Explain the state of a job"),
    ):
        routes.add_api_route(
            path,
            call,
            methods=["GET"],
            summary=summary,
            responses=answers(shape, Dialect.V2),
            dependencies=CREDENTIALS,
        )
    return routes


async def get_all(
    call: JobsReader,
    request: Request,
    state: Annotated[State | None, Query(description="Only jobs in this state.")] = None,
    pipeline: Annotated[
        str | None, Query(description="Only jobs of this pipeline.", pattern=f"^{UUID_PATTERN}$")
    ] = None,
    text: Text = None,
    since: Moment = None,
    before: Moment = None,
    quiet_for: Duration = None,
    overdue: Annotated[
        bool, Query(description="Only jobs that run for longer than the job system's own limit.")
    ] = False,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> JSONResponse:
    """A page of jobs, without soft-deleted ones."""
    _refuse_misspelt(request.query_params, get_all)
    wanted = Filter(
        states=(state,) if state is not None else (),
        pipeline=pipeline,
        text=text,
        updated_since=_utc(since),
        updated_before=_utc(before),
        quiet_for=quiet_for,
        overdue=overdue,
    )
    find = partial(call.parts.store.listing.page, wanted, limit, cursor)
    try:
        return await _answered(call, find, _listed, schemas.Jobs)
    except Malformed as error:
        raise HttpError(HTTPStatus.BAD_REQUEST, error.reason) from None


async def get_one(
    request: Request,
    call: JobsReader,
    uuid: Uuid,
    token: JobToken,
    until: job_wait.Until = None,
    wait: job_wait.Wait = None,
    revision: job_wait.Revision = None,
    prefer: job_wait.Prefer = None,
) -> JSONResponse:
    """One job, without its history and its secrets: at once, or with `wait` once it is in a state or has changed.

    With `until`, `reached` is true if the job is in one of the states, or was since the request came, or since
    `revision`; `never`, at once, if no event but an administrative one (`reset`, `ready`) leads there; false otherwise,
    after `wait` seconds. Repeat the request then.
    """
    _refuse_misspelt(request.query_params, get_one)
    wished = job_wait.wish(until, wait, revision, prefer, call.parts.settings.limits.wait)
    find = _shown_to(call, uuid, token, partial(call.parts.store.jobs.outline, uuid))
    return await job_wait.answer(call.parts, request, uuid, wished, find)


async def get_history(
    call: JobsReader,
    uuid: Uuid,
    token: JobToken,
    offset: Annotated[int, Query(description="How many entries to skip.", ge=0, le=2**31)] = 0,
    limit: Annotated[
        int, Query(description="The largest number of entries; a page has at most 4 MiB.", ge=1, le=1000)
    ] = 200,
) -> JSONResponse:
    """A part of the history: at most `limit` entries and 4 MiB, but at least one entry if any is left."""
    find = _shown_to(call, uuid, token, partial(call.parts.store.history.page, uuid, offset, limit))
    return await _answered(call, find, partial(_part, uuid), schemas.History)


async def get_explanation(call: JobsReader, uuid: Uuid, token: JobToken) -> JSONResponse:
    """Why the job is in its state, its refused events, its possible next events, and its outbox messages."""
    facts = partial(snapshot.facts, call.parts.store, uuid, call.parts.settings.reconcile.after)
    find = _shown_to(call, uuid, token, facts)
    return await _answered(call, find, plain, schemas.Explanation)


def _shown_to(
    call: Call, uuid: str, token: Secret | None, find: Callable[[], Found | None]
) -> Callable[[], Found | None]:
    """`find`; if the request shows a token that is none of the job's, the job is not found.

    An unknown job and a wrong token look alike.
    """
    if token is None:
        return find
    return lambda: find() if call.parts.manager.is_shown(uuid, token, call.principal.user) else None


async def _answered(
    call: Call, find: Callable[[], Found | None], shown: Callable[[Found], Any], shape: Any
) -> JSONResponse:
    """Answers with what `find` finds.

    The answer is made in a thread, because a large job takes long and would delay other requests.

    Args:
        find: asks the database; None if there is no such job.
        shown: turns what was found into the result.
        shape: the type of the result.

    Raises:
        HttpError: 404 if there is no such job, 503 if the database cannot be asked.
    """

    def answer() -> JSONResponse | None:
        found = find()
        return None if found is None else success(shown(found), shape)

    answered = await call.ask(answer)
    if answered is None:
        raise HttpError(HTTPStatus.NOT_FOUND, "not found: no such job")
    return answered


def _refuse_misspelt(given: Iterable[str], route: Callable[..., Any]) -> None:
    """Refuses a name that is nearly that of a parameter: without a filter all jobs would match, without `wait` none is
    waited for.

    Raises:
        HttpError: 400; it says which name may be meant.
    """
    known = _parameters(route)
    for name in given:
        if name in known:
            continue
        near = next((one for one in known if spelling.mistakes(name, one) <= spelling.MOST), None)
        if near is not None:
            raise HttpError(HTTPStatus.BAD_REQUEST, f"parameter {name[:64]!a}: is not known; did you mean {near}?")


@cache
def _parameters(route: Callable[..., Any]) -> tuple[str, ...]:
    """The names of a route's parameters in the query."""
    return tuple(name for name in signature(route).parameters if name not in _NOT_IN_QUERY)


def _part(uuid: str, page: history.HistoryPage) -> dict[str, Any]:
    shown = [
        {"uuid": entry.uuid, "name": entry.name, "date": plain(entry.date), "data": plain(entry.data)}
        for entry in page.entries
    ]
    return {"uuid": uuid, "entries": shown, "next": page.next}


def _listed(page: listing.JobPage) -> dict[str, Any]:
    return {"jobs": [_in_list(job) for job in page.jobs], "next": page.next}


def _in_list(job: dict[str, Any]) -> dict[str, Any]:
    return {
        "uuid": plain(job.get("uuid")),
        "state": _text(job.get("state")),
        "lastEvent": _text(job.get("last_event")),
        "updated": _text(plain(job.get("updated"))),
        "pipelineUuid": _text(job.get("pipeline_uuid")),
        "archivePath": _text(job.get("archive_path")),
        "session": _text(job.get("session")),
        "owner": _text(job.get("owner")),
    }


def _text(value: Any) -> str | None:
    """A stored value as text. Another program may have stored a value of another type."""
    return None if value is None else str(value)


def _utc(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError:
        raise HttpError(HTTPStatus.BAD_REQUEST, "parameter: the time is out of range") from None
