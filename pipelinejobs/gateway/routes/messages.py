"""The actor's messages: `POST` and `GET .../{actor}/messages`."""

from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from time import monotonic
from typing import Any, cast

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from pipelinejobs.core.outcome import Answer
from pipelinejobs.core.permission import Permission
from pipelinejobs.core.verdict import Verdict
from pipelinejobs.gateway import actor_names, schemas
from pipelinejobs.gateway.deliveries import Arrived, Taken, may_be_report, parameters_of
from pipelinejobs.gateway.http.envelope import Dialect, dialect, failure, success
from pipelinejobs.gateway.http.http_errors import RETRY_SECONDS, STATUSES, Problem
from pipelinejobs.gateway.routes.call import (
    CREDENTIALS,
    ActorName,
    Call,
    Reader,
    admit,
    answers,
    scope_of,
    service_of,
)
from pipelinejobs.messages.body import MAX_BYTES, WRAPPING, is_wrapping
from pipelinejobs.messages.delivery import Delivery
from pipelinejobs.util.deadline import Deadline
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
    service, spoken, execution = service_of(request), dialect(request), actor_names.new_id()
    at, began = datetime.now(UTC), monotonic()
    deadline = Deadline(service.settings.limits.request)
    place = scope_of(service, actor)
    query = request.scope["query_string"]
    call: Call | None = None
    try:
        call = await admit(request, [place], Permission.EXECUTE, deadline)
        of_report = partial(may_be_report, query)
        with await service.bodies.read(request, deadline.remaining(), of_report=of_report) as body:
            arrived = Arrived(
                execution=execution,
                user=call.principal.user,
                body=body.bytes,
                missing=body.missing,
                content_type=request.headers.get("content-type"),
                content_encoding=request.headers.get("content-encoding"),
                event_id=request.headers.get("idempotency-key"),
                query=query,
                at=at,
                began=began,
                deadline=deadline,
            )
            taken = await service.deliveries.take(arrived)
            return _answered(call, taken, is_too_large=body.missing is not None or len(body.bytes) > MAX_BYTES)
    except Problem as problem:
        given = Answer(verdict=problem.verdict, reason=problem.reason, execution=execution)
        if call is not None and given.verdict is Verdict.MALFORMED:
            parameters = parameters_of(query)
            lost = Delivery(id=execution, parameters=parameters, sender=call.principal.user, missing=given.reason)
            service.deliveries.keep_unread(lost, given.reason)
        service.metrics.delivered(given.verdict, "unread", monotonic() - began)
        fields = {"execution": execution, "verdict": given.verdict.value, "status": int(problem.status)}
        log = logger.error if given.verdict is Verdict.UNAVAILABLE else logger.warning
        log(problem.reason, extra={"fields": fields})
        return failure(problem.status, problem.reason, _refusal(given), spoken, problem.headers)


async def get(call: Reader) -> JSONResponse:
    """Tells how many messages wait."""
    links = call.links(self=f"{call.actor_url}/messages")
    result: schemas.Mailbox = {"messages": call.service.events.inside, "_links": links}
    return success(result, schemas.Mailbox, call.spoken)


def _answered(call: Call, taken: Taken, *, is_too_large: bool) -> Response:
    """The answer to a message that was taken."""
    status = STATUSES[taken.answer.verdict]
    if status is HTTPStatus.BAD_REQUEST and is_too_large:
        status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    if status is HTTPStatus.OK:
        return success(_result(call, taken), schemas.Message, call.spoken)
    headers = {"Retry-After": str(RETRY_SECONDS)} if status is HTTPStatus.SERVICE_UNAVAILABLE else None
    return failure(status, taken.answer.reason, _refusal(taken.answer), call.spoken, headers)


def _result(call: Call, taken: Taken) -> schemas.Message:
    given = taken.answer
    return {
        "executionId": given.execution,
        "msg": _shown(taken.message),
        "verdict": cast("Any", given.verdict.value),
        "reason": given.reason,
        "job": {"uuid": given.uuid or "", "state": given.state, "lastEvent": given.last_event},
        "_links": call.links(
            self=f"{call.actor_url}/executions/{given.execution}", messages=f"{call.actor_url}/messages"
        ),
    }


def _shown(message: dict[str, Any] | None) -> Any:
    """The message as Abaco repeats it, but for the token in it."""
    if message is None:
        return ""
    if is_wrapping(message):
        return message[WRAPPING]
    return message | {"token": HIDDEN} if "token" in message else message


def _refusal(given: Answer) -> schemas.Refusal:
    verdict = cast("Any", given.verdict.value)
    return {"verdict": verdict, "reason": given.reason, "executionId": given.execution}
