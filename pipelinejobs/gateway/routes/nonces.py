"""Nonces of the actor and of its aliases: `.../{actor}/nonces[/{id}]` and `.../aliases/{alias}/nonces[/{id}]`."""

from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import JSONResponse

from pipelinejobs.core.permission import Permission
from pipelinejobs.gateway import schemas
from pipelinejobs.gateway.http.envelope import Dialect, success, time
from pipelinejobs.gateway.http.http_errors import HttpError
from pipelinejobs.gateway.routes import nonce_request
from pipelinejobs.gateway.routes.call import CREDENTIALS, Call, admit, answers, parts_of, scope_of
from pipelinejobs.store.nonces import NewNonce, Nonce
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.errors import Malformed

_BODY: Final = {
    "requestBody": {
        "description": "All fields are optional.",
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "level": {"type": "string", "enum": [permission.name for permission in Permission]},
                        "maxUses": {"type": "integer", "description": "How often it can be used; -1: without limit."},
                        "description": {"type": "string", "maxLength": nonce_request.LONGEST_DESCRIPTION},
                        "expiresIn": {
                            "type": "integer",
                            "description": "Seconds until it expires; default: never.",
                        },
                    },
                }
            }
        },
    }
}

NonceName = Annotated[str, Path(description="The nonce's id or handle.", min_length=1, max_length=128)]


@dataclass(frozen=True, slots=True)
class _Collection:
    """The collection of nonces in the URL of a request.

    Attributes:
        call: the request.
        scope: the scope of its nonces.
        kind: `Actor` or `Alias`.
        url: its URL.
    """

    call: Call
    scope: str
    kind: str
    url: str

    @property
    def name(self) -> str:
        return self.scope.partition(":")[2]


def _of_actor(required: Permission) -> Any:
    async def collection(request: Request, actor: Annotated[str, Path(min_length=1, max_length=128)]) -> _Collection:
        call = await _admitted(request, actor, required)
        # As on Abaco: an alias in this URL means its actor, so the nonces are the actor's.
        return _Collection(call, f"actor:{call.parts.names.id}", "Actor", f"{call.actor_url}/nonces")

    return collection


def _of_alias(required: Permission) -> Any:
    async def collection(request: Request, alias: Annotated[str, Path(min_length=1, max_length=128)]) -> _Collection:
        if scope_of(parts_of(request), alias).startswith("actor:"):
            raise HttpError(HTTPStatus.NOT_FOUND, "not found: this is the actor's id, not an alias")
        call = await _admitted(request, alias, required)
        base = call.actor_url.rpartition("/")[0]
        return _Collection(call, f"alias:{alias}", "Alias", f"{base}/aliases/{alias}/nonces")

    return collection


async def _admitted(request: Request, name: str, required: Permission) -> Call:
    parts = parts_of(request)
    return await admit(request, [scope_of(parts, name)], required, Deadline(parts.settings.limits.request))


def router(dialect: Dialect) -> APIRouter:
    """The routes in one dialect. Those of aliases come first, because `aliases` would fit as an actor's name."""
    routes = APIRouter(tags=["nonces"])
    for prefix, collection in (("/aliases/{alias}", _of_alias), ("/{actor}", _of_actor)):
        _add(routes, f"{prefix}/nonces", dialect, collection(Permission.READ), collection(Permission.UPDATE))
    return routes


def _add(routes: APIRouter, path: str, dialect: Dialect, reader: Any, owner: Any) -> None:
    """The four routes of one collection of nonces."""

    async def get_all(nonces: Annotated[_Collection, Depends(reader)]) -> JSONResponse:
        found = await nonces.call.ask(partial(nonces.call.parts.store.nonces.of, nonces.scope))
        return _success(nonces, [_shown(nonces, nonce) for nonce in found], list[schemas.Nonce], "nonces retrieved")

    async def post(request: Request, nonces: Annotated[_Collection, Depends(owner)]) -> JSONResponse:
        return await _make(request, nonces)

    async def get(nonces: Annotated[_Collection, Depends(reader)], nonce: NonceName) -> JSONResponse:
        found = await nonces.call.ask(partial(nonces.call.parts.store.nonces.find, nonces.scope, nonce))
        if found is None:
            raise _no_nonce()
        return _success(nonces, _shown(nonces, found), schemas.Nonce, "nonce retrieved")

    async def delete(nonces: Annotated[_Collection, Depends(owner)], nonce: NonceName) -> JSONResponse:
        if not await nonces.call.ask(partial(nonces.call.parts.store.nonces.delete, nonces.scope, nonce)):
            raise _no_nonce()
        return _success(nonces, None, None, "nonce deleted")

    def add(sub_path: str, call: Any, method: str, shape: Any, summary: str, **more: Any) -> None:
        documented = answers(shape, dialect, body=method == "POST")
        routes.add_api_route(
            path + sub_path,
            call,
            methods=[method],
            summary=summary,
            responses=documented,
            dependencies=CREDENTIALS,
            **more,
        )

    add("", get_all, "GET", list[schemas.Nonce], "List the nonces, also spent and expired ones")
    add("", post, "POST", schemas.Nonce, "Make a nonce; its id is shown only in this answer", openapi_extra=_BODY)
    add("/{nonce}", get, "GET", schemas.Nonce, "Get one nonce")
    add("/{nonce}", delete, "DELETE", None, "Delete a nonce")


async def _make(request: Request, nonces: _Collection) -> JSONResponse:
    call = nonces.call
    try:
        with await call.parts.bodies.read(request, call.deadline.remaining()) as body:
            kind = request.headers.get("content-type")
            # In a thread, because parsing a body of a megabyte would delay other requests.
            asked = await call.ask(partial(nonce_request.read, body.bytes, kind, alias=nonces.kind == "Alias"))
    except Malformed as error:
        raise HttpError(HTTPStatus.BAD_REQUEST, error.reason) from None
    tenant = call.parts.names.tenant
    new = NewNonce(
        scope=nonces.scope,
        tenant=tenant.lower() if call.dialect is Dialect.V3 else tenant,
        level=asked.level,
        max_uses=asked.max_uses,
        description=asked.description,
        seconds=asked.seconds,
        owner=call.principal.user,
        by_operator=call.principal.by == "operator",
    )
    secret, nonce = await call.ask(partial(call.parts.store.nonces.make, new))
    return _success(nonces, _shown(nonces, nonce) | {"id": secret.reveal()}, schemas.Nonce, "nonce created")


def _success(nonces: _Collection, result: Any, shape: Any, what: str) -> JSONResponse:
    return success(result, shape, nonces.call.dialect, f"{nonces.kind} {what} successfully.")


def _no_nonce() -> HttpError:
    return HttpError(HTTPStatus.NOT_FOUND, "Nonce does not exist.")


def _shown(nonces: _Collection, nonce: Nonce) -> schemas.Nonce:
    result: schemas.Nonce = {
        "id": nonce.handle,
        "level": nonce.level.name,
        "maxUses": nonce.max_uses,
        "description": nonce.description,
        "owner": nonce.owner,
        "roles": [],
        "apiServer": nonces.call.api,
        "createTime": time(nonce.created),
        "lastUseTime": time(nonce.last_used),
        "expireTime": time(nonce.expires),
        "currentUses": nonce.used,
        "remainingUses": nonce.remaining,
        "_links": nonces.call.links(self=f"{nonces.url}/{nonce.handle}", actor=nonces.call.actor_url),
    }
    if nonces.kind == "Actor":
        result["actorId"] = nonces.name
    else:
        result["alias"] = nonces.name
    return result
