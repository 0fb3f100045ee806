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
from pipelinejobs.gateway.http.envelope import Dialect, dialect_of, failure, success
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
from pipelinejobs.messages import parameters
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
        ("event", "The event's name (also accepted as `name`)."),
        ("token", "The job's token, or an administrative one."),
        ("status", "The status that a job system reports (also accepted as `state`)."),
        ("note", "Text for the history."),
        ("session", "Text for the history, to correlate events."),
        ("x_event_id", "The sender's own id of the event; an event that is sent again with it is applied once."),
        ("dry_run", "If `true`, the verdict is answered as it would be, and nothing is written; default `false`."),
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
    "description": "An event, a callback of a job system, or the data of an event; see message.jsonschema.",
}


def router(dialect: Dialect) -> APIRouter:
    """The routes in one dialect."""
    routes = APIRouter(tags=["messages"])
    refused: dict[str, Any] = {"model": schemas.failure(schemas.Refusal, dialect.value)}
    documented = answers(schemas.Message, dialect, 409, body=True)
    documented |= {status: refused for status in documented if status not in (200, 404)}
    routes.add_api_route(
        "/{actor}/messages",
        post,
        methods=["POST"],
        summary="Send a message; the answer comes once its event is durable",
        responses=documented,
        dependencies=CREDENTIALS,
        openapi_extra={"parameters": [*_PARAMETERS, _HEADER], "requestBody": _BODY},
    )
    routes.add_api_route(
        "/{actor}/messages",
        get,
        methods=["GET"],
        summary="Count the pending messages",
        responses=answers(schemas.Mailbox, dialect),
        dependencies=CREDENTIALS,
    )
    return routes


async def post(request: Request, actor: ActorName) -> Response:
    """Handles a message: admits the request, reads the body, and answers with the verdict."""
    parts, dialect, execution = parts_of(request), dialect_of(request), actor_names.new_id()
    at, began = datetime.now(UTC), monotonic()
    deadline = Deadline(parts.settings.limits.request)
    scope = scope_of(parts, actor)
    query = request.scope["query_string"]
    try:
        call = await admit(request, [scope], Permission.EXECUTE, deadline)
    except HttpError as error:
        refusal = Outcome(Verdict.UNAUTHORISED, error.reason, execution, dry_run=_is_dry(query))
        return _refused(parts, dialect, error, refusal, began)
    except Unavailable as error:
        return _put_off(parts, dialect, outcome.unavailable(error, execution, dry_run=_is_dry(query)), began)
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
            judged = await parts.deliveries.take(delivery, at, began, deadline)
            return _answered(call, judged, is_too_large=body.missing is not None or len(body.bytes) > MAX_BYTES)
    except HttpError as error:
        refusal = Outcome(Verdict.MALFORMED, error.reason, execution, dry_run=_is_dry(query))
        parts.deliveries.keep_unread(unread._replace(missing=error.reason), refusal)
        return _refused(parts, dialect, error, refusal, began)
    except Unavailable as error:
        return _put_off(parts, dialect, outcome.unavailable(error, execution, dry_run=_is_dry(query)), began)


async def get(call: Reader) -> JSONResponse:
    """How many messages are being judged or are pending."""
    links = call.links(self=f"{call.actor_url}/messages")
    result: schemas.Mailbox = {"messages": call.parts.batcher.inside, "_links": links}
    return success(result, schemas.Mailbox, call.dialect)


def _refused(parts: GatewayParts, dialect: Dialect, error: HttpError, refusal: Outcome, began: float) -> Response:
    """Answers, counts and logs a request that is refused before its message is read."""
    parts.metrics.delivered(refusal.verdict, UNREAD, monotonic() - began, dry_run=refusal.dry_run)
    fields: dict[str, Any] = {"execution": refusal.execution, "verdict": refusal.verdict.value}
    fields |= {"status": int(error.status), **({"dry_run": True} if refusal.dry_run else {})}
    log = logger.error if refusal.verdict is Verdict.UNAVAILABLE else logger.warning
    log(refusal.reason, extra={"fields": fields})
    return failure(error.status, refusal.reason, _refusal(refusal), dialect, error.headers)


def _put_off(parts: GatewayParts, dialect: Dialect, refusal: Outcome, began: float) -> Response:
    """Answers, counts and logs a request that the sender should send again."""
    return _refused(parts, dialect, HttpError(HTTPStatus.SERVICE_UNAVAILABLE, refusal.reason), refusal, began)


def _answered(call: Call, judged: Outcome, *, is_too_large: bool) -> Response:
    """The answer to a judged message."""
    if STATUSES[judged.verdict] == HTTPStatus.OK:
        return success(_result(call, judged), schemas.Message, call.dialect)
    is_too_large = is_too_large and judged.verdict is Verdict.MALFORMED
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE if is_too_large else HTTPStatus(STATUSES[judged.verdict])
    error = HttpError(status, judged.reason)
    return failure(error.status, judged.reason, _refusal(judged), call.dialect, error.headers)


def _is_dry(query: bytes) -> bool:
    """Whether the URL of a message asks for a dry run."""
    return bool(parameters.dry_run(parameters_of(query)))


def _result(call: Call, judged: Outcome) -> schemas.Message:
    messages = f"{call.actor_url}/messages"
    result: schemas.Message = {
        "executionId": judged.execution,
        "msg": _shown(judged.message),
        "verdict": cast("Any", judged.verdict.value),
        "reason": judged.reason,
        "job": {"uuid": judged.uuid or "", "state": judged.state, "lastEvent": judged.last_event},
        "_links": call.links(self=f"{call.actor_url}/executions/{judged.execution}", messages=messages),
    }
    if judged.dry_run:
        result["dry_run"] = True
        result["job"]["stateAfter"] = judged.state_after
        result["_links"] = call.links(messages=messages)  # no execution is kept
    return result


def _shown(message: dict[str, Any] | None) -> Any:
    """The message as Abaco repeats it in its answer, with the token hidden."""
    if message is None:
        return ""
    if is_wrapping(message):
        return message[WRAPPING]
    return message | {"token": HIDDEN} if "token" in message else message


def _refusal(refusal: Outcome) -> schemas.Refusal:
    verdict = cast("Any", refusal.verdict.value)
    result: schemas.Refusal = {"verdict": verdict, "reason": refusal.reason, "executionId": refusal.execution}
    return {**result, "dry_run": True} if refusal.dry_run else result
