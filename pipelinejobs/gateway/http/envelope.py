"""Abaco's envelope around each JSON answer, in its two dialects."""

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
    """A JSON answer that ends with a newline, so that a shell prompt after it begins on its own line."""

    def render(self, content: Any) -> bytes:
        """The body, in bytes."""
        return super().render(content) + b"\n"


class Dialect(StrEnum):
    """The two forms of Abaco's answers: v2 has keys in camel case; v3 has them in snake case, and adds `metadata`."""

    V2 = "v2"
    V3 = "v3"


def dialect_of(request: Request) -> Dialect:
    """The dialect of a request's path."""
    return Dialect.V3 if request.scope["path"].startswith("/v3/") else Dialect.V2


def success(result: Any, shape: Any, dialect: Dialect = Dialect.V2, message: str = DONE) -> JSONResponse:
    """An answer of status 200.

    Args:
        result: the result, with the keys of v2.
        shape: its type, one of `gateway.schemas`.
        dialect: of the answer.
        message: the envelope's message.
    """
    return JsonLine(_wrapped(message, "success", result, shape, dialect))


def failure(
    status: int,
    reason: str,
    result: schemas.Refusal | None = None,
    dialect: Dialect = Dialect.V2,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """An answer of another status, which says why the request was refused or failed."""
    return JsonLine(_wrapped(reason, "error", result, schemas.Refusal, dialect), status, headers)


def time(moment: datetime | None) -> str:
    """A time as Abaco writes it: UTC, with milliseconds. None becomes the text `None`."""
    if moment is None:
        return "None"
    utc = moment.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"


def _wrapped(message: str, status: str, result: Any, shape: Any, dialect: Dialect) -> dict[str, Any]:
    if dialect is Dialect.V3:
        result = schemas.with_snake_keys(result, shape)
    whole = {"message": message, "result": result, "status": status, "version": __version__}
    return whole | ({"metadata": {}} if dialect is Dialect.V3 else {})
