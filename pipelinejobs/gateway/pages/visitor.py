"""Who requests a page: the session in the cookie, the user's permission, and whether a form is the gateway's own."""

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
"""The path of the pages. The cookie is valid only below it."""

_MOST_FIELDS: Final = 20
_MOST_BYTES: Final = 32 * 1024
"""Largest form: the longest token with each character encoded as three, and the longest address to return to."""


class SignInNeeded(PipelineJobsError):
    """The request has no session, or its session has ended."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """A user who is signed in.

    Attributes:
        user: the user's name.
        permission: the highest permission that the user has.
        form: a secret in each form of this session, so that other sites cannot send such a form.
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
    """One request for a page by a user who is signed in."""

    request: Request
    parts: GatewayParts
    visitor: Visitor
    deadline: Deadline

    async def ask(self, question: Callable[[], Result]) -> Result:
        """Calls `question`, which may ask the database, in a thread and within the request's deadline.

        Raises:
            HttpError: 503 if the database cannot be asked.
        """
        return await call.asked(self.parts, question, self.deadline)


async def visit_of(request: Request) -> Visit:
    """Finds the user who is signed in, and checks the READ permission.

    Raises:
        SignInNeeded: the request has no session, or the credential of its session is no longer valid.
        HttpError: 503 if the database cannot be asked.
    """
    parts = call.parts_of(request)
    deadline = Deadline(parts.settings.limits.request)
    visitor = await visitor_of(request, parts, deadline)
    if visitor is None:
        raise SignInNeeded
    return Visit(request, parts, visitor, deadline)


async def visitor_of(request: Request, parts: GatewayParts, deadline: Deadline) -> Visitor | None:
    """The user who is signed in; None without a valid session.

    The permission is looked up for each request, so that a session ends when its credential is deleted.
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
    """The cookie's name. Because of the prefix `__Secure-`, browsers accept the cookie only over TLS."""
    return "__Secure-pipelinejobs" if is_secure(request) else "pipelinejobs"


def cookie_of(request: Request) -> Secret | None:
    """The session's secret id in the cookie; None without a cookie."""
    text = request.cookies.get(cookie_name(request), "")
    return Secret(text) if text else None


def is_secure(request: Request) -> bool:
    """Whether the browser uses TLS: to the gateway itself, or to the proxy at `gateway.api_server`."""
    api = call.parts_of(request).settings.gateway.api_server or ""
    return request.scope["scheme"] == "https" or api.startswith("https:")


def form_text(session: Secret) -> str:
    """The secret in forms of this session. The session's id cannot be derived from it."""
    return sha256(f"form-1|{session.reveal()}".encode()).hexdigest()[:32]


def address_of(request: Request) -> str:
    """The path and query of the request."""
    path: str = request.scope["path"]
    query = request.scope["query_string"].decode("latin-1")
    return f"{path}?{query}" if query else path


def require_own_form(request: Request) -> None:
    """Refuses a form from a page of another site, by the headers Sec-Fetch-Site and Origin, which browsers send.

    Raises:
        HttpError: 403 if the form comes from another site, or if the request has neither header.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    configured = call.parts_of(request).settings.gateway.api_server
    ours = {request.headers.get("host", ""), urlsplit(configured or "").netloc} - {""}
    by_site = site is None or site == "same-origin"
    by_origin = origin is None or _netloc(origin) in ours
    if (site is None and origin is None) or not by_site or not by_origin:
        raise HttpError(HTTPStatus.FORBIDDEN, "This form was not sent by a page of this gateway; nothing was done.")


async def form_of(request: Request, deadline: Deadline) -> dict[str, str]:
    """Reads the fields of a form. If a field is repeated, the last one counts.

    Raises:
        HttpError: the body is not a form (415, 400), is too large (413), or is not from a page of this gateway (403).
    """
    require_own_form(request)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise HttpError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The request is not a form; nothing was done.")
    with await call.parts_of(request).bodies.read(request, deadline.remaining()) as body:
        if len(body.bytes) > _MOST_BYTES:
            raise HttpError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The form is too large; nothing was done.")
        try:
            pairs = parse_qsl(body.bytes.decode("ascii"), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
        except ValueError:
            raise HttpError(HTTPStatus.BAD_REQUEST, "The form cannot be read; nothing was done.") from None
    return dict(pairs)


async def form_of_session(request: Request, form: str, deadline: Deadline) -> dict[str, str]:
    """Reads the fields of a form of this session.

    Args:
        request: the request.
        form: the secret in forms of this session (`form_text`).
        deadline: when the browser gives up.

    Raises:
        HttpError: as `form_of`; 403 if the form is of another session.
    """
    fields = await form_of(request, deadline)
    if not same(fields.pop("form", ""), form):
        raise HttpError(
            HTTPStatus.FORBIDDEN, "This form belongs to another session; nothing was done. Load the page again."
        )
    return fields


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""
