"""Health: `/healthz`, `/readyz`, `/metrics`. They need no credential; no answer names a job or a user."""

from functools import partial
from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from pipelinejobs.gateway import metrics, schemas
from pipelinejobs.gateway.http.envelope import success
from pipelinejobs.gateway.http.http_errors import HttpError
from pipelinejobs.gateway.routes.call import Documented, parts_of
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.errors import Unavailable


def router() -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["health"])
    living: Documented = {200: {"model": schemas.envelope(schemas.Life)}}
    healthy: Documented = {200: {"model": schemas.envelope(schemas.Health)}}
    unready: Documented = {503: {"model": schemas.failure(None)}}
    text: Documented = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}
    routes.add_api_route("/healthz", alive, methods=["GET"], summary="Whether the process is alive", responses=living)
    routes.add_api_route(
        "/readyz",
        ready,
        methods=["GET"],
        summary="Whether the database answers and has its indexes",
        responses=healthy | unready,
    )
    routes.add_api_route(
        "/metrics",
        counted,
        methods=["GET"],
        summary="Metrics for Prometheus",
        response_class=Response,
        responses=text | unready,
    )
    return routes


async def alive() -> JSONResponse:
    """Answers 200 as long as the process can answer at all."""
    return success({"alive": True}, schemas.Life)


async def ready(request: Request) -> JSONResponse:
    """Answers 200 if this gateway can handle messages, else 503 with the reasons."""
    parts = parts_of(request)
    try:
        problems = await parts.health_checks.run(parts.problems, parts.settings.limits.request)
    except Unavailable as error:
        problems = [error.reason]
    if problems:
        raise HttpError(HTTPStatus.SERVICE_UNAVAILABLE, "; ".join(problems))
    return success({"ready": True, "problems": []}, schemas.Health)


async def counted(request: Request) -> Response:
    """The metrics, in the text format of Prometheus."""
    parts = parts_of(request)
    deadline = Deadline(parts.settings.limits.request)
    text = await parts.health_checks.run(partial(parts.metrics.text), deadline.remaining())
    return Response(text, media_type=metrics.CONTENT_TYPE)
