"""`/pages/outbox`: messages to the Indexer that are pending or have failed, and buttons to send them again."""

import re
from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from itertools import islice
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from pipelinejobs.gateway.http.http_errors import HttpError
from pipelinejobs.gateway.pages import templates
from pipelinejobs.gateway.pages.safe_text import safe
from pipelinejobs.gateway.pages.visitor import BASE, Visit, form_of_session, visit_of
from pipelinejobs.gateway.parts import GatewayParts
from pipelinejobs.messages.fields import is_uuid
from pipelinejobs.store import Store
from pipelinejobs.store.connection import within
from pipelinejobs.store.outbox import FAILED, PENDING, OutboxMessage
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.errors import Unavailable, WrongSetting

STATUSES: Final = (FAILED, PENDING)
_MOST: Final = 200
"""Most messages of each status that are shown, and most that one request sends again."""
_NUMBER: Final = re.compile(r"[0-9]{1,5}")
_OUTCOMES: Final = ("sent", "failed", "held", "left")
_MARGIN: Final = 1.0
"""Seconds of the deadline that are reserved for the answer."""


async def get(request: Request) -> Response:
    """The failed messages, then the pending ones; each list begins with the message that is due longest."""
    visit = await visit_of(request)

    def answer() -> Response:
        rows = {
            status: list(islice(visit.parts.store.outbox.rows(statuses=(status,)), _MOST + 1)) for status in STATUSES
        }
        listed: dict[str, Any] = {
            "here": "outbox",
            "failed": [displayed(row) for row in rows[FAILED][:_MOST]],
            "pending": [displayed(row) for row in rows[PENDING][:_MOST]],
            "more": any(len(found) > _MOST for found in rows.values()),
            "most": _MOST,
            "can_send": visit.parts.outbox.can_send,
            "resent": resend_summary(request.query_params),
        }
        return templates.page("outbox.html", listed, visitor=visit.visitor)

    return await visit.ask(answer)


async def send(request: Request) -> Response:
    """Tries once to send the message that the form names, or all failed messages if it names none."""
    visit = await visit_of(request)
    fields = await form_of_session(request, visit.visitor.form, visit.deadline)
    if not visit.visitor.may_resend:
        raise HttpError(
            HTTPStatus.FORBIDDEN,
            f"{visit.visitor.user} lacks the UPDATE permission; nothing was sent.",
        )
    if not visit.parts.outbox.can_send:
        raise HttpError(
            HTTPStatus.CONFLICT, "The settings do not say how to reach the Indexer (pipelines.job_indexer_url)."
        )
    seconds = visit.deadline.remaining() - _MARGIN
    work = partial(_resend, visit, fields.get("job"), fields.get("key"), seconds)
    try:
        outcomes = await visit.parts.resends.run(work, seconds)
    except (Unavailable, WrongSetting) as error:
        raise HttpError(HTTPStatus.SERVICE_UNAVAILABLE, error.reason) from None
    from_job = is_uuid(fields.get("job")) and fields.get("back") == "job"
    back = f"{BASE}/jobs/{fields['job']}" if from_job else f"{BASE}/outbox"
    query = "&".join(f"{word}={outcomes[word]}" for word in _OUTCOMES if outcomes[word])
    return RedirectResponse(f"{back}?{query or 'gone=1'}", HTTPStatus.SEE_OTHER)


def displayed(row: OutboxMessage) -> dict[str, Any]:
    """One message, for a template, without its lease."""
    return {
        "job": row.job,
        "has_page": is_uuid(row.job),
        "key": row.key,
        "name": safe(row.name),
        "has_failed": row.status == FAILED,
        "attempts": row.attempts,
        "next": row.next_attempt,
        "created": row.created,
        "error": safe(row.error),
    }


def resend_summary(query: Mapping[str, str]) -> str | None:
    """A text about messages that were sent again, from the counts in the query of the URL; None without counts."""
    if "gone" in query:
        return "There was no message to send."
    counts = {word: int(query[word]) for word in _OUTCOMES if _NUMBER.fullmatch(query.get(word, ""))}
    sentences = {
        "sent": "{} delivered to the Indexer.",
        "failed": "{} not delivered; the reason is shown with the message.",
        "held": "{} being sent by another process, or already delivered by it.",
        "left": "{} not attempted in the time limit; send again.",
    }
    return " ".join(sentences[word].format(count) for word, count in counts.items() if count) or None


def _resend(visit: Visit, job: str | None, key: str | None, seconds: float) -> dict[str, int]:
    """Tries once to send each message that the form names. Returns how many had each outcome."""
    deadline = Deadline(seconds)
    with within(deadline.remaining()):
        rows = _named(visit.parts.store, job, key)
    outcomes = dict.fromkeys(_OUTCOMES, 0)
    for row in rows:
        if deadline.passed():
            outcomes["left"] += 1
            continue
        outcomes[_attempted(visit.parts, row, deadline)] += 1
    return outcomes


def _named(store: Store, job: str | None, key: str | None) -> list[OutboxMessage]:
    if job is None and key is None:
        return list(islice(store.outbox.rows(statuses=(FAILED,)), _MOST))
    return [row for row in store.outbox.rows(job=job or "", statuses=STATUSES) if row.key == key]


def _attempted(parts: GatewayParts, row: OutboxMessage, deadline: Deadline) -> str:
    if row.leased and row.is_held(parts.store.outbox.now()):
        return "held"  # reads the database's time only if there is a lease
    tally = parts.outbox.attempt(row, deadline.remaining())
    parts.metrics.sent(tally)
    if tally.sent:
        return "sent"
    return "failed" if tally.failed else "held"


async def _moved(request: Request) -> Response:
    """Redirects from the former URL of the page. Status 308 keeps the method and the body of a form."""
    path = request.scope["path"].replace("/owed", "/outbox", 1)
    query = request.url.query
    return RedirectResponse(f"{path}?{query}" if query else path, HTTPStatus.PERMANENT_REDIRECT)


ROUTES: Final = [Route("/outbox", get, methods=["GET"]), Route("/outbox/send", send, methods=["POST"])]
OLD_ROUTES: Final = [Route("/owed", _moved, methods=["GET"]), Route("/owed/send", _moved, methods=["POST"])]
