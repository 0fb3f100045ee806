"""Executions, one for each message: `GET .../{actor}/executions[/{id}[/logs]]`."""

import json
from http import HTTPStatus
from time import sleep
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query
from fastapi.responses import JSONResponse

from pipelinejobs.gateway import schemas
from pipelinejobs.gateway.http.envelope import Dialect, success, time
from pipelinejobs.gateway.http.http_errors import HttpError
from pipelinejobs.gateway.routes.call import CREDENTIALS, Call, Reader, answers
from pipelinejobs.store.executions import Execution

_LOGS: Final = "Logs retrieved successfully."
_FLUSH_SECONDS: Final = 2.0
_KEPT_SECONDS: Final = 0.15
"""Time in which another worker process usually stores an execution after its answer."""

ExecutionId = Annotated[str, Path(description="The id of the execution.", min_length=1, max_length=128)]
Limit = Annotated[int, Query(description="The largest number of executions, the newest.", ge=1, le=1000)]


def router(dialect: Dialect) -> APIRouter:
    """The routes in one dialect."""
    routes = APIRouter(tags=["executions"])
    for path, call, shape, summary in (
        ("/{actor}/executions", get_all, schemas.Executions, "List the newest executions"),
        ("/{actor}/executions/{execution}", get_one, schemas.Execution, "Get one execution"),
        ("/{actor}/executions/{execution}/logs", get_logs, schemas.Logs, "Get the log of an execution"),
    ):
        routes.add_api_route(
            path, call, methods=["GET"], summary=summary, responses=answers(shape, dialect), dependencies=CREDENTIALS
        )
    return routes


async def get_all(call: Reader, limit: Limit = 100) -> JSONResponse:
    """The newest executions, and how many are stored."""
    names, store = call.parts.names, call.parts.store

    def look() -> tuple[list[Execution], int]:
        call.parts.executions.flush(_FLUSH_SECONDS)
        return store.executions.newest(names.id, limit), store.executions.count()

    found, total = await call.ask(look)
    result: schemas.Executions = {
        "actorId": names.id,
        "apiServer": call.api,
        "owner": call.principal.user,
        "executions": [_brief(execution) for execution in found],
        "totalExecutions": max(total, len(found)),
        "totalCpu": 0,
        "totalIo": 0,
        "totalRuntime": sum(map(_seconds, found)),
        "_links": call.links(self=f"{call.actor_url}/executions"),
    }
    return success(result, schemas.Executions, call.dialect)


async def get_one(call: Reader, execution: ExecutionId) -> JSONResponse:
    """One execution."""
    found = await _find(call, execution)
    url = f"{call.actor_url}/executions/{found.id}"
    result: schemas.Execution = {
        **_brief(found),
        "actorId": found.actor,
        "executor": found.executor,
        "workerId": found.gateway,
        "runtime": _seconds(found),
        "cpu": 0,
        "io": 0,
        "exitCode": found.exit_code,
        "finalState": {"Status": "exited", "Running": False, "ExitCode": found.exit_code},
        "apiServer": call.api,
        "_links": call.links(self=url, logs=f"{url}/logs"),
    }
    return success(result, schemas.Execution, call.dialect)


async def get_logs(call: Reader, execution: ExecutionId) -> JSONResponse:
    """The verdict line that a one-shot run would have written, without `last_event`, which is not stored."""
    found = await _find(call, execution)
    line = {
        "verdict": found.verdict,
        "uuid": found.job,
        "event": found.event,
        "state": found.state,
        "reason": found.reason,
        "execution": found.id,
    }
    url = f"{call.actor_url}/executions/{found.id}"
    result: schemas.Logs = {
        "logs": f"{json.dumps(line)}\n",
        "_links": call.links(self=f"{url}/logs", execution=url),
    }
    return success(result, schemas.Logs, call.dialect, _LOGS)


async def _find(call: Call, execution: str) -> Execution:
    def look() -> Execution | None:
        call.parts.executions.flush(_FLUSH_SECONDS)  # a very recent execution may not be stored yet
        found = call.parts.store.executions.find(call.parts.names.id, execution)
        if found is None:
            sleep(_KEPT_SECONDS)  # another worker process may be about to store it
            found = call.parts.store.executions.find(call.parts.names.id, execution)
        return found

    found = await call.ask(look)
    if found is None:
        raise HttpError(HTTPStatus.NOT_FOUND, "not found: no such execution, or it has expired, or was a dry run")
    return found


def _brief(execution: Execution) -> schemas.ExecutionInBrief:
    return {
        "id": execution.id,
        "status": "COMPLETE",
        "messageReceivedTime": time(execution.received),
        "startTime": time(execution.started),
        "finishTime": time(execution.finished),
    }


def _seconds(execution: Execution) -> int:
    return round((execution.finished - execution.started).total_seconds())
