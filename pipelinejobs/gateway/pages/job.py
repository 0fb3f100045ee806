"""`/pages/jobs/{uuid}`: one job, why it is where it is, and everything that happened to it."""

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipelinejobs import reading
from pipelinejobs.gateway.pages import layout, owed, templates
from pipelinejobs.gateway.pages.picture import picture
from pipelinejobs.gateway.pages.text import Shown, safe
from pipelinejobs.gateway.pages.timeline import timeline
from pipelinejobs.gateway.pages.visit import visit
from pipelinejobs.gateway.problem import Problem
from pipelinejobs.job import Job
from pipelinejobs.messages.fields import is_uuid
from pipelinejobs.store import Store
from pipelinejobs.tokens import job_token, remembered
from pipelinejobs.views import public_job

_FACTS: Final = {
    "name": "Name",
    "archive_system": "Archive system",
    "archive_path": "Archive path",
    "session": "Session",
    "agent": "Agent",
    "task": "Task",
    "app_id": "App",
    "appId": "App",
    "job_id": "Job there",
    "jobId": "Job there",
    "external_id": "Job there",
    "setup": "Set-up",
}
"""Fields of a document that are shown where they are there, by what they are called."""

_OF_A_REFUSAL: Final = ("event", "status", "sender", "verdict", "state", "reason", "execution")
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,8}")


async def get(request: Request) -> Response:
    """One job."""
    made = await visit(request)
    uuid = request.path_params["uuid"]
    upto = request.query_params.get("upto")
    if not is_uuid(uuid):
        raise HTTPException(HTTPStatus.NOT_FOUND)
    newest = int(upto) if upto is not None and _NUMBER.fullmatch(upto) else None

    def answer() -> Response | None:
        shown = _shown(made.service.store, uuid, newest)
        if shown is None:
            return None
        shown |= {"said": owed.said(request.query_params), "can_send": made.service.outbox.can_send}
        return templates.page("job.html", shown, visitor=made.visitor)

    answered = await made.ask(answer)
    if answered is None:
        raise Problem(HTTPStatus.NOT_FOUND, "There is no such job.")
    return answered


def _shown(store: Store, uuid: str, newest: int | None) -> dict[str, Any] | None:
    told = reading.told(store, uuid)
    document = store.jobs.document(uuid)
    if told is None or document is None:
        return None
    secrets = secrets_of(told.job)
    return {
        "here": "jobs",
        "uuid": uuid,
        "facts": told.facts,
        "document": _facts(public_job(document), secrets),
        "pipeline": document.get("pipeline_uuid") if is_uuid(document.get("pipeline_uuid")) else None,
        "updated": document.get("updated"),
        "data": Shown(document["data"], secrets) if document.get("data") else None,
        "picture": picture((entry.name for entry in told.entries), told.job.state),
        "layout": layout,
        "timeline": timeline(store.history, uuid, told.entries, newest, secrets),
        "is_newest": newest is None,
        "refused": [_refusal(row, secrets) for row in reversed(told.facts["refused"])],
        "owed": [owed.shown(row) for row in told.owed],
    }


def secrets_of(job: Job) -> list[str]:
    """What nobody may see of a job, wherever somebody may have put it: its salts, and the tokens made of them."""
    salts = remembered(job)
    return [*salts, *(job_token(job.uuid, salt, job.admin, has_admin=job.has_admin) for salt in salts)]


def _facts(document: Mapping[str, Any], secrets: list[str]) -> list[tuple[str, str]]:
    found = [(label, safe(document[name], secrets)) for name, label in _FACTS.items() if document.get(name)]
    admin = document.get("_admin")
    owner = admin.get("owner") if isinstance(admin, Mapping) else None
    return found + ([("Owner", safe(owner, secrets))] if owner else [])


def _refusal(row: Mapping[str, Any], secrets: Iterable[str]) -> dict[str, Any]:
    hidden = list(secrets)
    texts = {name: safe(row.get(name), hidden) for name in _OF_A_REFUSAL}
    data = row.get("data")
    return texts | {"date": row.get("date"), "data": safe(data, hidden) if data else ""}


ROUTES: Final = [Route("/jobs/{uuid}", get, methods=["GET"])]
