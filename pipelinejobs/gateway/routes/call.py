"""The common beginning of all routes: the actor in the URL, the principal, and the deadline."""

import re
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, Final, TypeVar

from fastapi import Depends, Header, Path, Query, Request
from fastapi.security import APIKeyHeader, APIKeyQuery, HTTPBearer

from pipelinejobs.core.permission import Permission
from pipelinejobs.gateway import schemas
from pipelinejobs.gateway.auth.credentials import NONCE, TAPIS_HEADER, credentials_of
from pipelinejobs.gateway.auth.principal import Principal
from pipelinejobs.gateway.http.envelope import Dialect, dialect_of
from pipelinejobs.gateway.http.http_errors import HttpError
from pipelinejobs.gateway.parts import GatewayParts
from pipelinejobs.gateway.tasks.worker_pool import WorkerPool
from pipelinejobs.store.connection import within
from pipelinejobs.util import spelling
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.errors import Unavailable, WrongSetting
from pipelinejobs.util.secret import Secret

Result = TypeVar("Result")

_HOST: Final = re.compile(r"[A-Za-z0-9.:\[\]_-]{1,255}")

ActorName = Annotated[str, Path(description="The actor's id or alias.")]

CREDENTIALS: Final = [
    Depends(HTTPBearer(auto_error=False, description="A static token, or a token of TACC or of Tapis v3.")),
    Depends(APIKeyQuery(name=NONCE, auto_error=False, scheme_name="nonce", description="A nonce.")),
    Depends(APIKeyHeader(name=TAPIS_HEADER, auto_error=False, scheme_name="tapis", description="A token of Tapis v3.")),
]
"""Documentation for openapi.json only: the authenticator checks the credentials."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """An admitted request.

    Attributes:
        parts: the parts of the gateway.
        dialect: of the request's path.
        principal: the user who sent it.
        api: the base address of links.
        deadline: when the sender gives up.
    """

    parts: GatewayParts
    dialect: Dialect
    principal: Principal
    api: str
    deadline: Deadline

    @property
    def actor_url(self) -> str:
        """The URL of the actor."""
        path = "v3/actors" if self.dialect is Dialect.V3 else "actors/v2"
        return f"{self.api}/{path}/{self.parts.names.id}"

    def links(self, /, **more: str) -> dict[str, str]:
        """The `_links` of a result: `owner`, and the given ones."""
        profiles = "v3/oauth2/profiles" if self.dialect is Dialect.V3 else "profiles/v2"
        return {"owner": f"{self.api}/{profiles}/{self.principal.user}", **more}

    async def ask(self, question: Callable[[], Result]) -> Result:
        """Calls `question`, which may ask the database, in a thread and within the request's deadline.

        Raises:
            HttpError: 503 if the database cannot be asked.
        """
        return await asked(self.parts, question, self.deadline)


async def asked(
    parts: GatewayParts, question: Callable[[], Result], deadline: Deadline, pool: WorkerPool | None = None
) -> Result:
    """See `Call.ask`; in a thread of this pool, by default of `parts.reads`."""
    try:
        return await (pool or parts.reads).run(partial(_within, deadline, question), deadline.remaining())
    except (Unavailable, WrongSetting) as error:
        reason = error.reason if isinstance(error, Unavailable) else "the gateway's database is not set up correctly"
        raise HttpError(HTTPStatus.SERVICE_UNAVAILABLE, reason) from None


def parts_of(request: Request) -> GatewayParts:
    """The parts of the gateway that serves the request."""
    parts: GatewayParts = request.app.state.parts
    return parts


def api_of(request: Request) -> str:
    """The base address of links: `gateway.api_server`, else the address in the request."""
    configured = parts_of(request).settings.gateway.api_server
    if configured is not None:
        return configured
    host = request.headers.get("host", "")
    if not _HOST.fullmatch(host):
        host = ":".join(map(str, request.scope.get("server") or ("localhost",)))
    return f"{request.scope['scheme']}://{host}"


def scope_of(parts: GatewayParts, name: str) -> str:
    """The scope that a nonce needs in a URL with this actor's name.

    Raises:
        HttpError: 404 if the gateway does not serve this actor.
    """
    scope = parts.names.scope(name)
    if scope is None:
        known = (parts.names.id, *parts.names.aliases)
        near = [one for one in known if spelling.mistakes(name, one) <= spelling.MOST]
        hint = f"; did you mean {near[0]}?" if near else ""
        raise HttpError(HTTPStatus.NOT_FOUND, f"not found: no actor {name[:64]!a} is served here{hint}")
    return scope


async def admit(request: Request, scopes: Collection[str], required: Permission, deadline: Deadline) -> Call:
    """Admits a request.

    Raises:
        HttpError: 401 without a valid credential, 403 if the principal lacks the permission.
        Unavailable: the credential cannot be checked now.
    """
    parts, dialect = parts_of(request), dialect_of(request)
    principal = await parts.authenticator.admit(credentials_of(request), scopes, required, dialect, deadline)
    return Call(parts=parts, dialect=dialect, principal=principal, api=api_of(request), deadline=deadline)


def actor_call(required: Permission) -> Callable[[Request, str], Awaitable[Call]]:
    """The FastAPI dependency of routes with an actor in their URL."""

    async def call(request: Request, actor: ActorName) -> Call:
        parts = parts_of(request)
        deadline = Deadline(parts.settings.limits.request)
        return await admit(request, [scope_of(parts, actor)], required, deadline)

    return call


async def reader_call(request: Request) -> Call:
    """The FastAPI dependency of routes without an actor in their URL: READ, by a nonce of the actor or of any alias."""
    parts = parts_of(request)
    return await admit(request, parts.names.scopes, Permission.READ, Deadline(parts.settings.limits.request))


Documented = dict[int | str, dict[str, Any]]
"""The documented answers of a route, by status."""

Reader = Annotated[Call, Depends(actor_call(Permission.READ))]
Owner = Annotated[Call, Depends(actor_call(Permission.UPDATE))]
JobsReader = Annotated[Call, Depends(reader_call)]


def job_token(
    header: Annotated[str | None, Header(alias="X-Job-Token", description="A token of the job.")] = None,
    token: Annotated[str | None, Query(description="The same, as in a callback URL; the header is preferred.")] = None,
) -> Secret | None:
    """The FastAPI dependency of routes about one job: the token of the job that the request shows; None without one."""
    shown = (header or "").strip() or token
    return Secret(shown) if shown else None


JobToken = Annotated[Secret | None, Depends(job_token)]


def answers(result: Any, dialect: Dialect, *others: int, body: bool = False) -> Documented:
    """The documented answers of a route, for openapi.json.

    Args:
        result: the type of its result.
        dialect: of the route.
        others: further statuses, besides those of every route.
        body: whether the route reads a body.
    """
    failed = {"model": schemas.failure(None, dialect.value)}
    common = [400, 401, 403, 404, 503, *others] + ([408, 413] if body else [])
    documented: Documented = {200: {"model": schemas.envelope(result, dialect.value)}}
    return documented | dict.fromkeys(sorted(common), failed)


def _within(deadline: Deadline, question: Callable[[], Result]) -> Result:
    with within(deadline.remaining()):
        return question()
