"""What every route begins with: the actor in the URL, the principal, and the deadline."""

import re
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, Final, TypeVar

from fastapi import Depends, Path, Request
from fastapi.security import APIKeyHeader, APIKeyQuery, HTTPBearer

from pipelinejobs.core.permission import Permission
from pipelinejobs.gateway import schemas
from pipelinejobs.gateway.auth.credentials import NONCE, TAPIS_HEADER, credentials_of
from pipelinejobs.gateway.auth.principal import Principal
from pipelinejobs.gateway.http.envelope import Dialect, dialect
from pipelinejobs.gateway.http.http_errors import HttpError
from pipelinejobs.gateway.parts import GatewayParts
from pipelinejobs.store.connection import within
from pipelinejobs.util import spelling
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.errors import Unavailable, WrongSetting

Result = TypeVar("Result")

_HOST: Final = re.compile(r"[A-Za-z0-9.:\[\]_-]{1,255}")

ActorName = Annotated[str, Path(description="The actor's id or an alias of it.")]

CREDENTIALS: Final = [
    Depends(HTTPBearer(auto_error=False, description="A static token, or a token of TACC or of Tapis v3.")),
    Depends(APIKeyQuery(name=NONCE, auto_error=False, scheme_name="nonce", description="A nonce.")),
    Depends(APIKeyHeader(name=TAPIS_HEADER, auto_error=False, scheme_name="tapis", description="A token of Tapis v3.")),
]
"""Documentation for openapi.json only: the authenticator checks the credentials."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request that was admitted.

    Attributes:
        parts: the gateway.
        spoken: the dialect of its path.
        principal: who sent it.
        api: the address that links begin with.
        deadline: when the sender gives up.
    """

    parts: GatewayParts
    spoken: Dialect
    principal: Principal
    api: str
    deadline: Deadline

    @property
    def actor_url(self) -> str:
        """The actor's own address."""
        path = "v3/actors" if self.spoken is Dialect.V3 else "actors/v2"
        return f"{self.api}/{path}/{self.parts.names.id}"

    def links(self, /, **more: str) -> dict[str, str]:
        """The links of a result."""
        profiles = "v3/oauth2/profiles" if self.spoken is Dialect.V3 else "profiles/v2"
        return {"owner": f"{self.api}/{profiles}/{self.principal.user}", **more}

    async def ask(self, question: Callable[[], Result]) -> Result:
        """Calls `question`, which may ask the database, in a thread and within the time that is left.

        Raises:
            HttpError: the database cannot be asked.
        """
        return await asked(self.parts, question, self.deadline)


async def asked(parts: GatewayParts, question: Callable[[], Result], deadline: Deadline) -> Result:
    """See `Call.ask`."""
    try:
        return await parts.reads.run(partial(_within, deadline, question), deadline.remaining())
    except (Unavailable, WrongSetting) as error:
        reason = error.reason if isinstance(error, Unavailable) else "the gateway's database is not set up correctly"
        raise HttpError(HTTPStatus.SERVICE_UNAVAILABLE, reason) from None


def parts_of(request: Request) -> GatewayParts:
    """The parts of the application."""
    parts: GatewayParts = request.app.state.parts
    return parts


def api_of(request: Request) -> str:
    """The address that links begin with: the configured one, otherwise the one in the request."""
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
        HttpError: there is no such actor here.
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
        HttpError: it shows no valid credential, or its principal lacks the permission.
    """
    parts, spoken = parts_of(request), dialect(request)
    principal = await parts.authenticator.admit(credentials_of(request), scopes, required, spoken, deadline)
    return Call(parts=parts, spoken=spoken, principal=principal, api=api_of(request), deadline=deadline)


def actor_call(required: Permission) -> Callable[[Request, str], Awaitable[Call]]:
    """The dependency of routes with an actor in their URL."""

    async def call(request: Request, actor: ActorName) -> Call:
        parts = parts_of(request)
        deadline = Deadline(parts.settings.limits.request)
        return await admit(request, [scope_of(parts, actor)], required, deadline)

    return call


async def reader_call(request: Request) -> Call:
    """What routes without an actor in their URL need: the READ permission, by a nonce of the actor or of any alias."""
    parts = parts_of(request)
    return await admit(request, parts.names.scopes, Permission.READ, Deadline(parts.settings.limits.request))


Documented = dict[int | str, dict[str, Any]]
"""The documented answers of a route, by status."""

Reader = Annotated[Call, Depends(actor_call(Permission.READ))]
Owner = Annotated[Call, Depends(actor_call(Permission.UPDATE))]
JobsReader = Annotated[Call, Depends(reader_call)]


def answers(result: Any, spoken: Dialect, *others: int, body: bool = False) -> Documented:
    """The documented answers of a route, for openapi.json.

    Args:
        result: the shape of its result.
        others: statuses besides those that every route has.
        body: whether it reads a body.
    """
    failed = {"model": schemas.failure(None, spoken.value)}
    common = [400, 401, 403, 404, 503, *others] + ([408, 413] if body else [])
    documented: Documented = {200: {"model": schemas.envelope(result, spoken.value)}}
    return documented | dict.fromkeys(sorted(common), failed)


def _within(deadline: Deadline, question: Callable[[], Result]) -> Result:
    with within(deadline.remaining()):
        return question()
