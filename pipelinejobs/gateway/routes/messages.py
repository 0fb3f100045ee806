"""The actor's messages: `POST` and `GET .../{actor}/messages`."""

from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from time import monotonic
from typing import Any, cast

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from pipelinejobs.core import outcome
from pipelinejobs.core.outcome import Outcome
from pipelinejobs.core.permission import Permission
from pipelinejobs.core.verdict import STATUSES, Verdict
from pipelinejobs.gateway import actor_names, schemas
from pipelinejobs.gateway.deliveries import UNREAD, may_be_report, parameters_of
from pipelinejobs.gateway.http.envelope import Dialect, dialect, failure, success
from pipelinejobs.gateway.http.http_errors import HttpError
from pipelinejobs.gateway.parts import GatewayParts
from pipelinejobs.gateway.routes.call import (
    CREDENTIALS,
    ActorName,
    Call,
    Reader,
    admit,
    answers,
    parts_of,
    scope_of,
)
from pipelinejobs.messages.body import MAX_BYTES, WRAPPING, is_wrapping
from pipelinejobs.messages.delivery import Delivery
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.errors import Unavailable
from pipelinejobs.util.log import logger
from pipelinejobs.util.redaction import HIDDEN

_PARAMETERS = [
    {"name": name, "in": "query", "required": False, "schema": {"type": "string"}, "description": meaning}
    for name, meaning in (
        ("uuid", "The job."),
        ("event", "The event's name; `name` is the same."),
        ("token", "The job's token, or an administrative one."),
        ("status", "A job system's word for the job's state; `state` is the same."),
        ("note", "Text for the history."),
        ("session", "Text for the history that correlates."),
        ("x_event_id", "The sender's own id of the event, by which a repetition is known."),
    )
]
_HEADER = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "The same as x_event_id.",
}
_BODY = {
    "content": {"application/json": {"schema": {}}, "application/x-www-form-urlencoded": {"schema": {}}},
    "description": "A JSON event, a job system's callback, or an event's data; see message.jsonschema.",
}


def router(spoken: Dialect) -> APIRouter:
    """The routes in one dialect."""
    routes = APIRouter(tags=["messages"])
    refused: dict[str, Any] = {"model": schemas.failure(schemas.Refusal, spoken.value)}
    documented = answers(schemas.Message, spoken, 409, body=True)
    documented |= {status: refused for status in documented if status not in (200, 404)}
    routes.add_api_route(
        "/{actor}/messages",
        post,
        methods=["POST"],
        summary="Send a message; the answer comes when its event is durable",
        responses=documented,
        dependencies=CREDENTIALS,
        openapi_extra={"parameters": [*_PARAMETERS, _HEADER], "requestBody": _BODY},
    )
    routes.add_api_route(
        "/{actor}/messages",
        get,
        methods=["GET"],
        summary="How many messages wait",
        responses=answers(schemas.Mailbox, spoken),
        dependencies=CREDENTIALS,
    )
    return routes


async def post(request: Request, actor: ActorName) -> Response:
    """Takes a message."""
    parts, spoken, execution = parts_of(request), dialect(request), actor_names.new_id()
    at, began = datetime.now(UTC), monotonic()
    deadline = Deadline(parts.settings.limits.request)
    scope = scope_of(parts, actor)
    query = request.scope["query_string"]
    try:
        call = await admit(request, [scope], Permission.EXECUTE, deadline)
    except HttpError as error:
        return _refused(parts, spoken, error, Outcome(Verdict.UNAUTHORISED, error.reason, execution), began)
    except Unavailable as error:
        return _put_off(parts, spoken, error, execution, began)
    unread = Delivery(
        id=execution,
        parameters=parameters_of(query),
        sender=call.principal.user,
        literal=False,
        content_type=request.headers.get("content-type"),
        content_encoding=request.headers.get("content-encoding"),
        event_id=request.headers.get("idempotency-key"),
    )
    try:
        of_report = partial(may_be_report, query)
        with await parts.bodies.read(request, deadline.remaining(), of_report=of_report) as body:
            delivery = unread._replace(body=body.bytes, missing=body.missing)
            came = await parts.deliveries.take(delivery, at, began, deadline)
            return _answered(call, came, is_too_large=body.missing is not None or len(body.bytes) > MAX_BYTES)
    except HttpError as error:
        told = Outcome(Verdict.MALFORMED, error.reason, execution)
        parts.deliveries.keep_unread(unread._replace(missing=error.reason), told)
        return _refused(parts, spoken, error, told, began)
    except Unavailable as error:
        return _put_off(parts, spoken, error, execution, began)


async def get(call: Reader) -> JSONResponse:
    """Tells how many messages wait."""
    links = call.links(self=f"{call.actor_url}/messages")
    result: schemas.Mailbox = {"messages": call.parts.batcher.inside, "_links": links}
    return success(result, schemas.Mailbox, call.spoken)


def _refused(parts: GatewayParts, spoken: Dialect, error: HttpError, told: Outcome, began: float) -> Response:
    """The answer to a request that is refused before its message is read, counted and logged."""
    parts.metrics.delivered(told.verdict, UNREAD, monotonic() - began)
    fields = {"execution": told.execution, "verdict": told.verdict.value, "status": int(error.status)}
    log = logger.error if told.verdict is Verdict.UNAVAILABLE else logger.warning
    log(told.reason, extra={"fields": fields})
    return failure(error.status, told.reason, _refusal(told), spoken, error.headers)


def _put_off(parts: GatewayParts, spoken: Dialect, error: Unavailable, execution: str, began: float) -> Response:
    """The answer to a request that should be sent again."""
    told = outcome.unavailable(error, execution)
    return _refused(parts, spoken, HttpError(HTTPStatus.SERVICE_UNAVAILABLE, error.reason), told, began)


def _answered(call: Call, came: Outcome, *, is_too_large: bool) -> Response:
    """The answer to a message that was judged."""
    if STATUSES[came.verdict] == HTTPStatus.OK:
        return success(_result(call, came), schemas.Message, call.spoken)
    is_too_large = is_too_large and came.verdict is Verdict.MALFORMED
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE if is_too_large else HTTPStatus(STATUSES[came.verdict])
    error = HttpError(status, came.reason)
    return failure(error.status, came.reason, _refusal(came), call.spoken, error.headers)


def _result(call: Call, came: Outcome) -> schemas.Message:
    return {
        "executionId": came.execution,
        "msg": _shown(came.message),
        "verdict": cast("Any", came.verdict.value),
        "reason": came.reason,
        "job": {"uuid": came.uuid or "", "state": came.state, "lastEvent": came.last_event},
        "_links": call.links(
            self=f"{call.actor_url}/executions/{came.execution}", messages=f"{call.actor_url}/messages"
        ),
    }


def _shown(message: dict[str, Any] | None) -> Any:
    """The message as Abaco repeats it, but for the token in it."""
    if message is None:
        return ""
    if is_wrapping(message):
        return message[WRAPPING]
    return message | {"token": HIDDEN} if "token" in message else message


def _refusal(told: Outcome) -> schemas.Refusal:
    verdict = cast("Any", told.verdict.value)
    return {"verdict": verdict, "reason": told.reason, "executionId": told.execution}
