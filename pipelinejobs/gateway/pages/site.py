"""The application of the pages: its routes, its error pages, and the header fields of its answers."""

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
from pipelinejobs.gateway.parts import GatewayParts
from pipelinejobs.util.errors import PipelineJobsError
from pipelinejobs.util.log import logger

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    # Not no-referrer: then a browser would send `Origin: null` with a page's own form, as for a form of another site
    # (see `visitor.require_own_form`). Other sites get no referrer either way.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Header fields of the pages, in addition to those of all answers of the gateway."""

_HOME: Final = f"{BASE}/jobs"
_ROUTES: Final = [*sign_in.ROUTES, *job_list.ROUTES, *job_page.ROUTES, *outbox.ROUTES, *live.ROUTES, *static.ROUTES]

PATHS: Final = tuple(BASE + route.path for route in _ROUTES)
"""The paths of all pages, with parameters in braces."""


def add_to(app: FastAPI, parts: GatewayParts) -> None:
    """Adds the pages to the gateway's application."""
    pages = Starlette(
        routes=[Route("/", _home), *_ROUTES, *outbox.OLD_ROUTES],
        exception_handlers={
            SignInNeeded: _sign_in,
            HttpError: _problem,
            PipelineJobsError: _unavailable,
            HTTPException: _http,
            Exception: _unexpected,
        },
    )
    pages.router.redirect_slashes = False
    pages.state.parts = parts
    app.add_api_route("/", _home, methods=["GET"], include_in_schema=False)
    app.add_api_route(BASE, _home, methods=["GET"], include_in_schema=False)
    app.mount(BASE, _PageHeaders(pages))


class _PageHeaders:
    """ASGI middleware that adds `HEADERS` to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answered = False

        async def with_headers(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        try:
            await self._app(scope, receive, with_headers)
        except Exception:
            if not answered:  # Starlette raises an exception again after it was logged and answered
                raise


async def _home(_: Request) -> Response:
    """Redirects to the list of jobs."""
    return RedirectResponse(_HOME, HTTPStatus.SEE_OTHER)


async def _sign_in(request: Request, _: Exception) -> Response:
    """Redirects to the sign-in form, which leads back to the page asked for. A script gets 401 instead."""
    if request.method not in ("GET", "HEAD") or _is_script(request):
        return _error_page(HTTPStatus.UNAUTHORIZED, "You are not signed in, or your session has ended.")
    back = quote(address_of(request), safe="/")
    return RedirectResponse(f"{BASE}/sign-in?next={back}", HTTPStatus.SEE_OTHER)


def _is_script(request: Request) -> bool:
    """Whether a script sent the request. Over plain HTTP, browsers send Sec-Fetch-Mode only to localhost."""
    is_fetch = request.headers.get("sec-fetch-mode", "navigate") != "navigate"
    return is_fetch or "x-script" in request.headers or request.headers.get("accept") == "text/event-stream"


async def _problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, HttpError)
    headers = {name: value for name, value in error.headers.items() if name == "Retry-After"}
    return _error_page(error.status, error.reason, headers)


async def _unavailable(_: Request, error: Exception) -> Response:
    assert isinstance(error, PipelineJobsError)
    return await _problem(_, HttpError(HTTPStatus.SERVICE_UNAVAILABLE, error.reason))


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    meant = paths.nearest(request.scope["path"], PATHS)
    no_page = "There is no such page" + (f"; did you mean {meant}?" if meant else ".")
    reasons = {HTTPStatus.NOT_FOUND: no_page, HTTPStatus.METHOD_NOT_ALLOWED: "This method is not allowed here."}
    status = HTTPStatus(error.status_code)
    return _error_page(status, reasons.get(status, status.phrase), dict(error.headers or {}))


async def _unexpected(_: Request, error: Exception) -> Response:
    logger.critical("unexpected error; this is a defect of the pages", exc_info=error)
    return _error_page(HTTPStatus.INTERNAL_SERVER_ERROR, "Unexpected error in the gateway; see its log.")


def _error_page(status: HTTPStatus, reason: str, headers: dict[str, str] | None = None) -> Response:
    return templates.page(
        "error.html", {"reason": reason, "phrase": status.phrase}, visitor=None, status=status, headers=headers
    )
