"""`/pages/jobs/{uuid}`: one job: why it is in its state, its lifecycle, refusals, outbox and history."""

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipelinejobs.core.job import Job
from pipelinejobs.core.tokens import LENGTH, remembered, token_hash
from pipelinejobs.core.views import public_job
from pipelinejobs.diagnose import snapshot
from pipelinejobs.gateway.http.http_errors import HttpError
from pipelinejobs.gateway.pages import lifecycle_layout, outbox, templates
from pipelinejobs.gateway.pages.lifecycle_picture import picture
from pipelinejobs.gateway.pages.safe_text import DisplayValue, Hide, safe
from pipelinejobs.gateway.pages.timeline import timeline
from pipelinejobs.gateway.pages.visitor import visit_of
from pipelinejobs.messages.external import External
from pipelinejobs.messages.fields import is_uuid
from pipelinejobs.store import Store
from pipelinejobs.util.redaction import HIDDEN

_FACTS: Final = {
    "name": "Name",
    "archive_system": "Archive system",
    "archive_path": "Archive path",
    "session": "Session",
    "agent": "Agent",
    "task": "Task",
    "app_id": "App",
    "appId": "App",
    "job_id": "External job",
    "jobId": "External job",
    "external_id": "External job",
    "setup": "Set-up",
}
"""Fields of a job's document that are shown if present, and their labels."""

_OF_A_REFUSAL: Final = ("event", "status", "sender", "verdict", "state", "reason", "execution")
_SHORTEST_SALT: Final = 8
_LIKE_A_TOKEN: Final = re.compile(rf"(?<![0-9a-f])[0-9a-f]{{{LENGTH}}}(?![0-9a-f])")
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,8}")


async def get(request: Request) -> Response:
    """The page of one job. `upto` in the query is the number of the newest history entry shown."""
    visit = await visit_of(request)
    uuid = request.path_params["uuid"]
    upto = request.query_params.get("upto")
    if not is_uuid(uuid):
        raise HTTPException(HTTPStatus.NOT_FOUND)
    newest = int(upto) if upto is not None and _NUMBER.fullmatch(upto) else None

    def answer() -> Response | None:
        content = _content(visit.parts.store, uuid, newest, visit.parts.settings.reconcile.after)
        if content is None:
            return None
        content |= {
            "resent": outbox.resend_summary(request.query_params),
            "can_send": visit.parts.outbox.can_send,
        }
        return templates.page("job.html", content, visitor=visit.visitor)

    answered = await visit.ask(answer)
    if answered is None:
        raise HttpError(HTTPStatus.NOT_FOUND, "There is no such job.")
    return answered


def _content(store: Store, uuid: str, newest: int | None, quiet_after: float) -> dict[str, Any] | None:
    explained = snapshot.explain(store, uuid, quiet_after)
    document = store.jobs.document(uuid)
    if explained is None or document is None:
        return None
    hide = hiding(explained.job)
    return {
        "here": "jobs",
        "uuid": uuid,
        "facts": explained.facts,
        "document": _facts(public_job(document), explained.job.external, hide),
        "pipeline": document.get("pipeline_uuid") if is_uuid(document.get("pipeline_uuid")) else None,
        "updated": document.get("updated"),
        "data": DisplayValue(document["data"], hide) if document.get("data") else None,
        "picture": picture((entry.name for entry in explained.entries), explained.job.state),
        "layout": lifecycle_layout,
        "timeline": timeline(store.history, uuid, explained.entries, newest, hide),
        "is_newest": newest is None,
        "refused": [_refusal(row, hide) for row in reversed(explained.facts["refused"])],
        "asked": _asked(explained.facts["asked"], hide),
        "outbox": [outbox.displayed(row) for row in explained.outbox],
    }


def hiding(job: Job) -> Hide:
    """A function that hides this job's salt and tokens in any text, because a writer may have stored them anywhere."""
    salt = job.salt if job.salt is not None and len(job.salt) >= _SHORTEST_SALT else None
    known = frozenset([*remembered(job), *(row.token for row in job.trusted or ())])

    def hide(text: str) -> str:
        text = text if salt is None else text.replace(salt, HIDDEN)
        return _LIKE_A_TOKEN.sub(lambda found: HIDDEN if token_hash(job.uuid, found[0]) in known else found[0], text)

    return hide


def _facts(document: Mapping[str, Any], external: External | None, hide: Hide) -> list[tuple[str, str]]:
    found = [("External job", safe(f"{external.system} {external.id}", hide))] if external is not None else []
    found += [(label, safe(document[name], hide)) for name, label in _FACTS.items() if document.get(name)]
    admin = document.get("_admin")
    owner = admin.get("owner") if isinstance(admin, Mapping) else None
    return found + ([("Owner", safe(owner, hide))] if owner else [])


def _refusal(row: Mapping[str, Any], hide: Hide) -> dict[str, Any]:
    texts = {name: safe(row.get(name), hide) for name in _OF_A_REFUSAL}
    data = row.get("data")
    return texts | {"date": row.get("date"), "data": safe(data, hide) if data else ""}


def _asked(row: Mapping[str, Any] | None, hide: Hide) -> dict[str, Any] | None:
    if row is None:
        return None
    texts = {name: safe(row[name], hide) for name in ("system", "external", "result", "why")}
    return texts | {"asked": row["asked"], "unanswered": row["unanswered"]}


ROUTES: Final = [Route("/jobs/{uuid}", get, methods=["GET"])]
