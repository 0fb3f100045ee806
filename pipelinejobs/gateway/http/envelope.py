"""Abaco's envelope around every JSON answer, in its two dialects."""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from fastapi import Request
from fastapi.responses import JSONResponse

from pipelinejobs import __version__
from pipelinejobs.gateway import schemas

DONE: Final = "The request was successful"


class JsonLine(JSONResponse):
    """JSON and an end of line, so that a shell's prompt begins on a line of its own."""

    def render(self, content: Any) -> bytes:
        """The body."""
        return super().render(content) + b"\n"


class Dialect(StrEnum):
    """The two forms of Abaco's answers: version 2 in camel case, Actors v3 in snake case and with a fifth key."""

    V2 = "v2"
    V3 = "v3"


def dialect(request: Request) -> Dialect:
    """The dialect of a request's path."""
    return Dialect.V3 if request.scope["path"].startswith("/v3/") else Dialect.V2


def success(result: Any, shape: Any, spoken: Dialect = Dialect.V2, message: str = DONE) -> JSONResponse:
    """An answer of status 200.

    Args:
        result: the result, of this shape.
        shape: one of `gateway.schemas`.
    """
    return JsonLine(_wrapped(message, "success", result, shape, spoken))


def failure(
    status: int,
    reason: str,
    result: schemas.Refusal | None = None,
    spoken: Dialect = Dialect.V2,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """An answer that says why the request was not done."""
    return JsonLine(_wrapped(reason, "error", result, schemas.Refusal, spoken), status, headers)


def time(moment: datetime | None) -> str:
    """A time as Abaco writes it: UTC, to the millisecond; a time that is not set is the text `None`."""
    if moment is None:
        return "None"
    utc = moment.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"


def _wrapped(message: str, status: str, result: Any, shape: Any, spoken: Dialect) -> dict[str, Any]:
    if spoken is Dialect.V3:
        result = schemas.with_snake_keys(result, shape)
    whole = {"message": message, "result": result, "status": status, "version": __version__}
    return whole | ({"metadata": {}} if spoken is Dialect.V3 else {})
