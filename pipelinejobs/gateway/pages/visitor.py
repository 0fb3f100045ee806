"""Who requests a page: the session of the cookie, its user's permission, and where a form comes from."""

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from http import HTTPStatus
from typing import Final, TypeVar
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request

from pipelinejobs.core.permission import Permission
from pipelinejobs.core.tokens import same
from pipelinejobs.gateway.http.http_errors import HttpError
from pipelinejobs.gateway.parts import GatewayParts
from pipelinejobs.gateway.routes import call
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.errors import PipelineJobsError
from pipelinejobs.util.secret import Secret

Result = TypeVar("Result")

BASE: Final = "/pages"
"""The path of the pages; the cookie is valid for no other."""

_MOST_FIELDS: Final = 20
_MOST_BYTES: Final = 32 * 1024
"""Of a form: room for the longest token, each character encoded as three, and for the longest address to return to."""


class SignInNeeded(PipelineJobsError):
    """The request has no session, or its session has ended."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """A user who is signed in.

    Attributes:
        form: a text that forms carry, so that only pages of this session can send them.
    """

    user: str
    permission: Permission
    form: str = field(repr=False)

    @property
    def may_resend(self) -> bool:
        """Whether the user may send messages again."""
        return self.permission >= Permission.UPDATE


@dataclass(frozen=True, slots=True)
class Visit:
    """One request for a page."""

    request: Request
    parts: GatewayParts
    visitor: Visitor
    deadline: Deadline

    async def ask(self, question: Callable[[], Result]) -> Result:
        """Calls `question`, which may ask the database, in a thread and within the time that is left.

        Raises:
            HttpError: the database cannot be asked.
        """
        return await call.asked(self.parts, question, self.deadline)


async def visit_of(request: Request) -> Visit:
    """The request of a user who is signed in and has the READ permission.

    Raises:
        SignInNeeded: the request has no session, or the credential of its session is no longer valid.
        HttpError: the database cannot be asked.
    """
    parts = call.parts_of(request)
    deadline = Deadline(parts.settings.limits.request)
    visitor = await visitor_of(request, parts, deadline)
    if visitor is None:
        raise SignInNeeded
    return Visit(request, parts, visitor, deadline)


async def visitor_of(request: Request, parts: GatewayParts, deadline: Deadline) -> Visitor | None:
    """The user who is signed in; None without a valid session.

    The permission is looked up each time, so that the sessions of a deleted credential end with it.
    """
    cookie = cookie_of(request)
    if cookie is None:
        return None

    def find() -> Visitor | None:
        session = parts.store.sessions.find(cookie)
        if session is None:
            return None
        principal = parts.authenticator.recheck(session.user, session.by, session.handle, parts.names.scopes)
        if principal is None or principal.permission < Permission.READ:
            return None
        return Visitor(principal.user, principal.permission, form_text(cookie))

    return await call.asked(parts, find, deadline)


def cookie_name(request: Request) -> str:
    """The cookie's name. With TLS its prefix makes browsers refuse such a cookie from a plain HTTP server."""
    return "__Secure-pipelinejobs" if is_secure(request) else "pipelinejobs"


def cookie_of(request: Request) -> Secret | None:
    """The id of the session in the cookie."""
    text = request.cookies.get(cookie_name(request), "")
    return Secret(text) if text else None


def is_secure(request: Request) -> bool:
    """Whether the browser uses TLS: to the gateway, or to the proxy that is configured as its address."""
    api = call.parts_of(request).settings.gateway.api_server or ""
    return request.scope["scheme"] == "https" or api.startswith("https:")


def form_text(session: Secret) -> str:
    """The text that forms of this session carry. The session's id cannot be derived from it."""
    return sha256(f"form-1|{session.reveal()}".encode()).hexdigest()[:32]


def address_of(request: Request) -> str:
    """The path and query that were asked for."""
    path: str = request.scope["path"]
    query = request.scope["query_string"].decode("latin-1")
    return f"{path}?{query}" if query else path


def require_own_form(request: Request) -> None:
    """Refuses a form that a page of another site has sent; every browser says where a form comes from.

    Raises:
        HttpError: it comes from another site, or the request does not say from where.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    configured = call.parts_of(request).settings.gateway.api_server
    ours = {request.headers.get("host", ""), urlsplit(configured or "").netloc} - {""}
    by_site = site is None or site == "same-origin"
    by_origin = origin is None or _netloc(origin) in ours
    if (site is None and origin is None) or not by_site or not by_origin:
        raise HttpError(HTTPStatus.FORBIDDEN, "This form was not sent by a page of this gateway; nothing was done.")


async def form_of(request: Request, deadline: Deadline) -> dict[str, str]:
    """The fields of a form, each once.

    Raises:
        HttpError: it is no form, or not sent by a page of this gateway.
    """
    require_own_form(request)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise HttpError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "A form was expected; nothing was done.")
    with await call.parts_of(request).bodies.read(request, deadline.remaining()) as body:
        if len(body.bytes) > _MOST_BYTES:
            raise HttpError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The form is too large; nothing was done.")
        try:
            pairs = parse_qsl(body.bytes.decode("ascii"), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
        except ValueError:
            raise HttpError(HTTPStatus.BAD_REQUEST, "The form cannot be read; nothing was done.") from None
    return dict(pairs)


async def form_of_session(request: Request, form: str, deadline: Deadline) -> dict[str, str]:
    """The fields of a form that a page of this session has sent.

    Args:
        form: the text that the forms of this session carry.

    Raises:
        HttpError: it is another form.
    """
    fields = await form_of(request, deadline)
    if not same(fields.pop("form", ""), form):
        raise HttpError(HTTPStatus.FORBIDDEN, "This form is of another session; load the page again. Nothing was done.")
    return fields


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""
