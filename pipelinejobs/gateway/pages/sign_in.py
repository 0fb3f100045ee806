"""`/pages/sign-in` and `/pages/sign-out`."""

import re
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from pipelinejobs.core.permission import Permission
from pipelinejobs.gateway.auth.credentials import Credentials
from pipelinejobs.gateway.http.envelope import Dialect
from pipelinejobs.gateway.http.http_errors import HttpError
from pipelinejobs.gateway.pages import templates
from pipelinejobs.gateway.pages.visitor import (
    BASE,
    SignInNeeded,
    cookie_name,
    cookie_of,
    form_of,
    form_of_session,
    form_text,
    is_secure,
    visitor_of,
)
from pipelinejobs.gateway.routes import call
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.errors import Unavailable
from pipelinejobs.util.redaction import add_secret
from pipelinejobs.util.secret import Secret

_HOME: Final = f"{BASE}/jobs"
_OWN: Final = re.compile(rf"{BASE}/(?!sign-)[!-\[\]-~]{{0,2000}}")
"""The URL of a page of this gateway, as every browser reads it: no backslash, no control character."""
_NONCE: Final = re.compile(r"[A-Za-z0-9.]{1,32}_[A-Za-z0-9]{24}")
"""The form of a nonce's secret id (`store.nonces`). Tokens that this project makes have another form."""
_LONGEST: Final = 8192
_MINUTE: Final = 60


async def show(request: Request) -> Response:
    """The sign-in form. A user who is signed in is redirected to the page asked for."""
    parts = call.parts_of(request)
    back = _own(request.query_params.get("next"))
    if await visitor_of(request, parts, Deadline(parts.settings.limits.request)) is not None:
        return RedirectResponse(back, HTTPStatus.SEE_OTHER)
    if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        # A browser that follows a link from another site does not send a strict cookie. So the page redirects itself:
        # for a link on a page of the gateway the browser sends the cookie.
        return templates.page("continue.html", {"to": back}, visitor=None)
    return _form(request, back)


async def sign_in(request: Request) -> Response:
    """Begins a session if the credential in the form is valid and has the READ permission."""
    parts = call.parts_of(request)
    deadline = Deadline(parts.settings.limits.request)
    fields = await form_of(request, deadline)
    back = _own(fields.get("next"))
    text = fields.get("credential", "").strip()
    if not text or len(text) > _LONGEST:
        return _form(request, back, "Enter a token or the id of a nonce.", HTTPStatus.BAD_REQUEST)
    secret = Secret(text)
    credentials = Credentials(nonce=secret) if _NONCE.fullmatch(text) else Credentials(bearer=secret)
    try:
        principal = await parts.authenticator.admit(
            credentials, parts.names.scopes, Permission.READ, Dialect.V2, deadline
        )
    except HttpError as error:
        return _form(request, back, templates.sentence(error.reason), error.status)
    except Unavailable as error:
        return _form(request, back, templates.sentence(error.reason), HTTPStatus.SERVICE_UNAVAILABLE)
    add_secret(text)  # only once it is valid: otherwise any visitor could have a common word redacted in all logs
    seconds = parts.settings.gateway.session_minutes * _MINUTE
    previous = cookie_of(request)

    def begin() -> Secret:
        if previous is not None:
            parts.store.sessions.end(previous)
        return parts.store.sessions.make(principal.user, principal.by, principal.handle, seconds)

    session = await call.asked(parts, begin, deadline)
    answer = RedirectResponse(back, HTTPStatus.SEE_OTHER)
    answer.set_cookie(cookie_name(request), session.reveal(), max_age=seconds, **_attributes(request))
    return answer


async def sign_out(request: Request) -> Response:
    """Ends the session at all gateways, also if its user has lost the READ permission."""
    parts = call.parts_of(request)
    deadline = Deadline(parts.settings.limits.request)
    session = cookie_of(request)
    if session is None:
        raise SignInNeeded
    await form_of_session(request, form_text(session), deadline)
    await call.asked(parts, lambda: parts.store.sessions.end(session), deadline)
    answer = RedirectResponse(f"{BASE}/sign-in?out=1", HTTPStatus.SEE_OTHER)
    answer.delete_cookie(cookie_name(request), **_attributes(request))
    return answer


def _attributes(request: Request) -> dict[str, Any]:
    return {"path": BASE, "secure": is_secure(request), "httponly": True, "samesite": "strict"}


def _form(request: Request, back: str, wrong: str | None = None, status: int = HTTPStatus.OK) -> Response:
    minutes = call.parts_of(request).settings.gateway.session_minutes
    content = {"next": back, "wrong": wrong, "out": "out" in request.query_params, "minutes": minutes}
    return templates.page("sign_in.html", content, visitor=None, status=status)


def _own(address: str | None) -> str:
    """The URL if it is one of a page of this gateway, else the URL of the list of jobs."""
    if address is None or not _OWN.fullmatch(address):
        return _HOME
    segments = unquote(urlsplit(address).path).split("/")
    return _HOME if ".." in segments or "." in segments else address


ROUTES: Final = [
    Route("/sign-in", show, methods=["GET"]),
    Route("/sign-in", sign_in, methods=["POST"]),
    Route("/sign-out", sign_out, methods=["POST"]),
]
