"""The FastAPI application: all routes, and the answers to their errors."""

from functools import cache
from http import HTTPStatus
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import ASGIApp

from pipelinejobs import __version__
from pipelinejobs.gateway.http import paths
from pipelinejobs.gateway.http.envelope import Dialect, dialect_of, failure
from pipelinejobs.gateway.http.fast_path import FastPath
from pipelinejobs.gateway.http.http_errors import HttpError
from pipelinejobs.gateway.http.parameter_errors import parameter_error
from pipelinejobs.gateway.http.security_headers import SecurityHeaders
from pipelinejobs.gateway.pages import site
from pipelinejobs.gateway.parts import GatewayParts
from pipelinejobs.gateway.routes import changes, executions, health, jobs, messages, nonces
from pipelinejobs.util.errors import Malformed, Unavailable, WrongSetting
from pipelinejobs.util.log import logger

_BASES: Final = {Dialect.V2: "/actors/v2", Dialect.V3: "/v3/actors"}


def application(parts: GatewayParts) -> FastAPI:
    """The application that serves the API and the pages of one gateway."""
    app = FastAPI(
        title="PipelineJobs Manager",
        version=__version__,
        description="The HTTP interface of the PipelineJobs Manager, an Abaco actor.",
        docs_url=None,  # this page and the next load scripts from another host
        redoc_url=None,
        redirect_slashes=False,  # clients repeat a redirected POST as a GET
    )
    app.state.parts = parts
    site.add_to(app, parts)  # before the API: FastAPI prepares each of its routes when it first looks at it
    for router, base in _routers():
        app.include_router(router, prefix=base)
    own = [base + route.path for router, base in _routers() for route in router.routes if isinstance(route, APIRoute)]
    app.state.paths = [*dict.fromkeys(own), *site.PATHS]
    app.add_exception_handler(HttpError, _problem)
    app.add_exception_handler(Malformed, _malformed)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Unavailable, _unavailable)
    app.add_exception_handler(WrongSetting, _unavailable)
    app.add_exception_handler(Exception, _unexpected)
    return app


@cache
def _routers() -> tuple[tuple[APIRouter, str], ...]:
    """The routes of the API with their prefixes. They belong to no particular gateway and are slow to make, so all
    gateways of a process share them."""
    of_actors = [
        (part.router(dialect), base) for dialect, base in _BASES.items() for part in (nonces, messages, executions)
    ]
    return (*((part.router(), "") for part in (health, jobs, changes)), *of_actors)


def served(parts: GatewayParts) -> ASGIApp:
    """The application as it is served: paths in one spelling, security headers, and the fast path for messages."""
    names = (parts.names.id, *parts.names.aliases)
    actors = {f"{base}/{name}/messages": name for base in _BASES.values() for name in names}
    fast = FastPath(application(parts), actors, messages.post, _unexpected)
    return paths.OneSpelling(SecurityHeaders(fast))


async def _problem(request: Request, error: Any) -> JSONResponse:
    return failure(error.status, error.reason, None, dialect_of(request), error.headers)


async def _malformed(request: Request, error: Any) -> JSONResponse:
    return failure(HTTPStatus.BAD_REQUEST, error.reason, None, dialect_of(request))


async def _invalid(request: Request, error: Any) -> JSONResponse:
    """Invalid parameters, in one sentence; FastAPI's own text would repeat their values."""
    reasons = "; ".join(map(parameter_error, error.errors()[:5]))
    return failure(HTTPStatus.BAD_REQUEST, reasons, None, dialect_of(request))


async def _http(request: Request, error: Any) -> JSONResponse:
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = ", ".join(_allowed(request))
        reason = f"{request.method} is not allowed here; allowed: {allowed}"
        return failure(error.status_code, reason, None, dialect_of(request), {"Allow": allowed})
    reason = str(error.detail)
    if error.status_code == HTTPStatus.NOT_FOUND:
        meant = paths.nearest(request.scope["path"], request.app.state.paths)
        reason = "not found: no such path" + (f"; did you mean {meant}?" if meant else "")
    return failure(error.status_code, reason, None, dialect_of(request), error.headers)


async def _unavailable(request: Request, error: Any) -> JSONResponse:
    return await _problem(request, HttpError(HTTPStatus.SERVICE_UNAVAILABLE, error.reason))


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    logger.critical("unexpected error; this is a defect of the gateway", exc_info=error)
    reason = "unexpected error in the gateway; the request may or may not have been carried out"
    return failure(HTTPStatus.INTERNAL_SERVER_ERROR, reason, None, dialect_of(request))


def _allowed(request: Request) -> list[str]:
    """The methods of all routes with this path; the framework names those of one route only."""
    return [
        method
        for method in ("DELETE", "GET", "POST")
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in request.app.routes)
    ]
