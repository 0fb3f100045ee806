"""`/pages/owed`: what is owed to the Indexer, what was given up, and having it sent again."""

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
from pipelinejobs.gateway.pages.visitor import BASE, Visit, form_of_session, visit
from pipelinejobs.gateway.service import Service
from pipelinejobs.messages.fields import is_uuid
from pipelinejobs.store import Store
from pipelinejobs.store.connection import within
from pipelinejobs.store.outbox import FAILED, PENDING, OutboxMessage
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.errors import Unavailable, WrongSetting

STATUSES: Final = (FAILED, PENDING)
_MOST: Final = 200
"""Rows of each kind that are shown, and that are sent again at once."""
_NUMBER: Final = re.compile(r"[0-9]{1,5}")
_WORDS: Final = ("sent", "failed", "held", "left")
_MARGIN: Final = 1.0
"""Seconds that are kept for the answer."""


async def get(request: Request) -> Response:
    """What is owed: what was given up first, and then the longest due first."""
    made = await visit(request)

    def answer() -> Response:
        rows = {
            status: list(islice(made.service.store.outbox.rows(statuses=(status,)), _MOST + 1)) for status in STATUSES
        }
        listed: dict[str, Any] = {
            "here": "owed",
            "dead": [shown(row) for row in rows[FAILED][:_MOST]],
            "pending": [shown(row) for row in rows[PENDING][:_MOST]],
            "more": any(len(found) > _MOST for found in rows.values()),
            "most": _MOST,
            "can_send": made.service.outbox.can_send,
            "said": said(request.query_params),
        }
        return templates.page("owed.html", listed, visitor=made.visitor)

    return await made.ask(answer)


async def send(request: Request) -> Response:
    """Sends one message now, or with no name of one all that were given up, one attempt each."""
    made = await visit(request)
    fields = await form_of_session(request, made.visitor.form, made.deadline)
    if not made.visitor.may_resend:
        raise HttpError(
            HTTPStatus.FORBIDDEN, f"To send messages again takes the right UPDATE, which {made.visitor.user} has not."
        )
    if not made.service.outbox.can_send:
        raise HttpError(HTTPStatus.CONFLICT, "Nothing says how to reach the Indexer (pipelines.job_indexer_url).")
    seconds = made.deadline.remaining() - _MARGIN
    work = partial(_resend, made, fields.get("job"), fields.get("key"), seconds)
    try:
        came = await made.service.resends.run(work, seconds)
    except (Unavailable, WrongSetting) as error:
        raise HttpError(HTTPStatus.SERVICE_UNAVAILABLE, error.reason) from None
    back = (
        f"{BASE}/jobs/{fields['job']}" if is_uuid(fields.get("job")) and fields.get("back") == "job" else f"{BASE}/owed"
    )
    query = "&".join(f"{word}={came[word]}" for word in _WORDS if came[word])
    return RedirectResponse(f"{back}?{query or 'gone=1'}", HTTPStatus.SEE_OTHER)


def shown(row: OutboxMessage) -> dict[str, Any]:
    """One row, for a template; how it is leased is nobody's business."""
    return {
        "job": row.job,
        "has_page": is_uuid(row.job),
        "key": row.key,
        "name": safe(row.name),
        "is_dead": row.status == FAILED,
        "attempts": row.attempts,
        "next": row.next_attempt,
        "created": row.created,
        "error": safe(row.error),
    }


def said(query: Mapping[str, str]) -> str | None:
    """What came of sending again, as the address of the page says it; None where it says nothing."""
    if "gone" in query:
        return "There was nothing left to send."
    counts = {word: int(query[word]) for word in _WORDS if _NUMBER.fullmatch(query.get(word, ""))}
    sentences = {
        "sent": "{} delivered to the Indexer.",
        "failed": "{} not delivered; the reason is beside it.",
        "held": "{} being sent by another process, or just delivered by it.",
        "left": "{} not tried yet, because time was over; send again.",
    }
    return " ".join(sentences[word].format(count) for word, count in counts.items() if count) or None


def _resend(made: Visit, job: str | None, key: str | None, seconds: float) -> dict[str, int]:
    """One attempt for each of the rows that are meant. Returns how many came to what."""
    deadline = Deadline(seconds)
    with within(deadline.remaining()):
        rows = _meant(made.service.store, job, key)
    came = dict.fromkeys(_WORDS, 0)
    for row in rows:
        if deadline.passed():
            came["left"] += 1
            continue
        came[_attempted(made.service, row, deadline)] += 1
    return came


def _meant(store: Store, job: str | None, key: str | None) -> list[OutboxMessage]:
    if job is None and key is None:
        return list(islice(store.outbox.rows(statuses=(FAILED,)), _MOST))
    return [row for row in store.outbox.rows(job=job or "", statuses=STATUSES) if row.key == key]


def _attempted(service: Service, row: OutboxMessage, deadline: Deadline) -> str:
    if row.leased and row.is_held(service.store.outbox.now()):
        return "held"  # the time is asked for only where there is a lease; `drain` waits for it
    tally = service.outbox.attempt(row, deadline.remaining())
    service.metrics.sent(tally)
    if tally.sent:
        return "sent"
    return "failed" if tally.failed else "held"


ROUTES: Final = [Route("/owed", get, methods=["GET"]), Route("/owed/send", send, methods=["POST"])]
