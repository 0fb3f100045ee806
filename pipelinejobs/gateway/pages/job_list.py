"""`/pages/jobs`: the list of jobs, the most recently changed first."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fsm.lifecycle import STATES
from pipelinejobs.gateway.pages import filters, templates, times
from pipelinejobs.gateway.pages.visitor import visit_of
from pipelinejobs.messages.fields import is_uuid
from pipelinejobs.store.listing import JobPage
from pipelinejobs.util.errors import Malformed

_PAGE: Final = 50


async def get(request: Request) -> Response:
    """A page of jobs, without soft-deleted ones."""
    visit = await visit_of(request)
    query = request.query_params
    asked = filters.read(query.getlist("state"), query, datetime.now(UTC))
    cursor = query.get("cursor") or None

    def answer() -> Response:
        content: dict[str, Any] = {
            "here": "jobs",
            "filters": asked,
            "states": STATES,
            "accepted": times.ACCEPTED,
            "jobs": [],
            "older": None,
            "is_first": cursor is None,
            "wrong_cursor": False,
        }
        status = HTTPStatus.OK if asked.filter is not None else HTTPStatus.BAD_REQUEST
        if asked.filter is not None:
            try:
                page = visit.parts.store.listing.page(asked.filter, _PAGE, cursor)
                content |= {"jobs": _listed(page), "older": asked.query(cursor=page.next) if page.next else None}
            except Malformed:  # the cursor; the filter was checked above
                status, content["wrong_cursor"] = HTTPStatus.BAD_REQUEST, True
        return templates.page("jobs.html", content, visitor=visit.visitor, status=status)

    return await visit.ask(answer)


def _listed(page: JobPage) -> list[dict[str, Any]]:
    return [
        {
            "uuid": job.get("uuid"),
            "has_page": is_uuid(job.get("uuid")),
            "state": job.get("state"),
            "last_event": job.get("last_event"),
            "updated": job.get("updated"),
            "pipeline": job.get("pipeline_uuid") if is_uuid(job.get("pipeline_uuid")) else None,
            "path": job.get("archive_path"),
            "session": job.get("session"),
            "owner": job.get("owner"),
        }
        for job in page.jobs
    ]


ROUTES: Final = [Route("/jobs", get, methods=["GET"])]
