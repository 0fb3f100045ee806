"""`/pages/changes`: the change feed for open pages."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipelinejobs.gateway.http.http_errors import HttpError
from pipelinejobs.gateway.pages.visitor import visit_of, visitor_of
from pipelinejobs.gateway.routes import changes
from pipelinejobs.util.deadline import Deadline


async def get(request: Request) -> Response:
    """The stream of `GET /changes`; it ends with the session."""
    visit = await visit_of(request)

    async def may_go_on() -> bool:
        deadline = Deadline(visit.parts.settings.limits.request)
        try:
            return await visitor_of(request, visit.parts, deadline) is not None
        except HttpError:  # the database does not answer now; the browser connects again
            return False

    return await changes.stream(visit.parts.feed, may_go_on)


ROUTES: Final = [Route("/changes", get, methods=["GET"])]
