"""The pages' own small application: its routes, its errors as pages, and the headers of all its answers."""

from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipelinejobs.gateway.http import paths
from pipelinejobs.gateway.http.http_errors import HttpError
from pipelinejobs.gateway.pages import job_list, job_page, live, outbox, sign_in, static, templates
from pipelinejobs.gateway.pages.visitor import BASE, SignInNeeded, address_of
from pipelinejobs.gateway.service import Service
from pipelinejobs.util.errors import PipelineJobsError
from pipelinejobs.util.log import logger

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    # Not no-referrer: under that a browser says of a page's own form that it comes from nowhere, and it could not be
    # told from a stranger's (see `visit.require_own_form`). To other sites nothing is said either way.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Besides those of all answers of the gateway."""

_HOME: Final = f"{BASE}/jobs"
_ROUTES: Final = [*sign_in.ROUTES, *job_list.ROUTES, *job_page.ROUTES, *outbox.ROUTES, *live.ROUTES, *static.ROUTES]

PATHS: Final = tuple(BASE + route.path for route in _ROUTES)
"""The paths of all pages, with their parameters in braces."""


def add_to(app: FastAPI, service: Service) -> None:
    """Gives an application its pages."""
    pages = Starlette(
        routes=[Route("/", _home), *_ROUTES],
        exception_handlers={
            SignInNeeded: _sign_in,
            HttpError: _problem,
            PipelineJobsError: _unavailable,
            HTTPException: _http,
            Exception: _unexpected,
        },
    )
    pages.router.redirect_slashes = False
    pages.state.service = service
    app.add_api_route("/", _home, methods=["GET"], include_in_schema=False)
    app.add_api_route(BASE, _home, methods=["GET"], include_in_schema=False)
    app.mount(BASE, _Guarded(pages))


class _Guarded:
    """Says with every answer what a page may load, and who may show it: nothing from elsewhere, and nobody."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answered = False

        async def guarded(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        try:
            await self._app(scope, receive, guarded)
        except Exception:
            if not answered:  # else it was logged and answered, and Starlette raises it again all the same
                raise


async def _home(_: Request) -> Response:
    """Leads to the jobs."""
    return RedirectResponse(_HOME, HTTPStatus.SEE_OTHER)


async def _sign_in(request: Request, _: Exception) -> Response:
    """Who is not signed in is asked to, and comes back to where they wanted to go. A script is only told."""
    if request.method not in ("GET", "HEAD") or _is_script(request):
        return _said(HTTPStatus.UNAUTHORIZED, "You are not signed in, or no longer.")
    back = quote(address_of(request), safe="/")
    return RedirectResponse(f"{BASE}/sign-in?next={back}", HTTPStatus.SEE_OTHER)


def _is_script(request: Request) -> bool:
    """Whether our script asks. Over plain HTTP a browser says nothing of that by itself, but on its own machine."""
    said = request.headers.get("sec-fetch-mode", "navigate") != "navigate"
    return said or "x-script" in request.headers or request.headers.get("accept") == "text/event-stream"


async def _problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, HttpError)
    headers = {name: value for name, value in error.headers.items() if name == "Retry-After"}
    return _said(error.status, error.reason, headers)


async def _unavailable(_: Request, error: Exception) -> Response:
    assert isinstance(error, PipelineJobsError)
    return await _problem(_, HttpError(HTTPStatus.SERVICE_UNAVAILABLE, error.reason))


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    meant = paths.nearest(request.scope["path"], PATHS)
    no_page = "There is no such page" + (f"; did you mean {meant}?" if meant else ".")
    reasons = {HTTPStatus.NOT_FOUND: no_page, HTTPStatus.METHOD_NOT_ALLOWED: "That is not done here."}
    status = HTTPStatus(error.status_code)
    return _said(status, reasons.get(status, status.phrase), dict(error.headers or {}))


async def _unexpected(_: Request, error: Exception) -> Response:
    logger.critical("unexpected error; this is a defect of the pages", exc_info=error)
    return _said(HTTPStatus.INTERNAL_SERVER_ERROR, "Unexpected error in the gateway; its log says more.")


def _said(status: HTTPStatus, reason: str, headers: dict[str, str] | None = None) -> Response:
    return templates.page(
        "problem.html", {"reason": reason, "phrase": status.phrase}, visitor=None, status=status, headers=headers
    )
