"""Makes pipelines and jobs, as the agents of python-datacatalog do; for `create`, the sample job and tests."""

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from pymongo.database import Database

from fsm.lifecycle import INITIAL
from pipelinejobs.core import uuids
from pipelinejobs.core.tokens import job_token, token_hash
from pipelinejobs.messages.external import External
from pipelinejobs.store import job_update
from pipelinejobs.store.connection import Document, translated
from pipelinejobs.util.errors import CommandFailed

ARCHIVE_SYSTEM: Final = "data-sd2e-community"
"""python-datacatalog's default archive system. Without an archive system, the Indexer indexes nothing of a job."""

_SHOWN: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The owner of a new pipeline or job (`_admin`). The job's token depends on the order of the fields."""

    owner: str
    project: str = "SD2E-Community"
    tenant: str = "sd2e"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """The fields of a new job, with python-datacatalog's names. The uuid is derived from pipeline, parents and data.

    Attributes:
        child_of: the uuids of the job's parents.
        archive_patterns, product_patterns: what the Indexer indexes, in the form of python-datacatalog's schemas.
        external: the external job that does the work, if it is known already.
    """

    pipeline_uuid: str
    archive_path: str
    data: Mapping[str, Any] = field(default_factory=dict)
    child_of: tuple[str, ...] = ()
    archive_system: str | None = None
    archive_patterns: tuple[Mapping[str, Any], ...] = ()
    product_patterns: tuple[Mapping[str, Any], ...] = ()
    session: str | None = None
    agent: str | None = None
    task: str | None = None
    external: External | None = None


class Pipelines:
    """Writes new documents to `pipelines` and `jobs`; never changes an existing one."""

    def __init__(self, database: Database[Document]) -> None:
        self._database = database

    def has_pipeline(self, uuid: str) -> bool:
        """Whether there is a pipeline with this uuid.

        Raises:
            Unavailable: the database cannot be asked.
        """
        with translated():
            return self._database["pipelines"].find_one({"uuid": {"$eq": uuid}}, {"_id": 1}) is not None

    def named(self, name: str, owner: Owner, now: datetime) -> str:
        """The uuid of the pipeline with this name, else with this id; if there is none, of a new one.

        Pipelines with `_visible: false` do not count.

        Raises:
            CommandFailed: several pipelines have the name; the reason lists them.
            Unavailable: the database cannot be asked.
        """
        for key in ("name", "id"):
            with translated():
                query = {key: {"$eq": name}, "_visible": {"$ne": False}}
                found = list(
                    self._database["pipelines"].find(query, {"uuid": 1, "id": 1}).sort("uuid", 1).limit(_SHOWN)
                )
            known = {str(one.get("uuid")): one.get("id") for one in found if isinstance(one.get("uuid"), str)}
            if len(known) > 1:
                listed = ", ".join(f"{uuid} (id {known[uuid]})" for uuid in known)
                raise CommandFailed(f"several pipelines have the {key} {name}; --pipeline takes one of {listed}")
            if known:
                return next(iter(known))
        return self._make_pipeline(name, owner, now)

    def _make_pipeline(self, name: str, owner: Owner, now: datetime) -> str:
        """Makes a pipeline that is valid for python-datacatalog's schema pipeline.json.

        The schema requires components, which are not known here: the pipeline gets one, a service named after it.
        """
        uuid = uuids.typed(uuids.PIPELINE, name)
        document = {
            "id": name,
            "name": name,
            "uuid": uuid,
            "components": [{"uri": f"urn:pipelinejobs:pipeline:{quote(name, safe='')}", "identifier": name}],
            "processing_levels": ["1"],
            "_visible": True,
            **_common(owner, now),
        }
        with translated(writing=True):
            self._database["pipelines"].update_one(
                {"uuid": {"$eq": uuid}}, {"$setOnInsert": _without(document, "uuid")}, upsert=True
            )
        return uuid

    def make_job(self, new: NewJob, owner: Owner, now: datetime) -> Document:
        """A new job in the state CREATED.

        Returns:
            The document as it is stored, salt included.

        Raises:
            CommandFailed: a job with the same uuid exists already; it is not changed.
            Unavailable: the database cannot be asked.
        """
        document = new_document(new, owner, now)
        uuid = document["uuid"]
        with translated(writing=True):
            result = self._database["jobs"].update_one(
                {"uuid": {"$eq": uuid}}, {"$setOnInsert": _without(document, "uuid")}, upsert=True
            )
        if result.upserted_id is None:
            raise CommandFailed(
                f"a job with this pipeline, these parents and this data exists already: {uuid}; it was not changed"
            )
        return document

    def unused_job(self, pipeline: str) -> Document | None:
        """The newest job of a pipeline without events; None if there is none.

        Raises:
            Unavailable: the database cannot be asked.
        """
        unused = {"pipeline_uuid": {"$eq": pipeline}, "state": {"$eq": INITIAL}, "_properties.revision": {"$eq": 0}}
        with translated():
            return self._database["jobs"].find_one(unused, sort=[("updated", -1)])


def new_document(new: NewJob, owner: Owner, now: datetime) -> Document:
    """The document of a new job: python-datacatalog's fields, in its types and order, and this project's own."""
    moment = now.replace(microsecond=0)
    data = dict(new.data)
    identity = {"pipeline_uuid": new.pipeline_uuid, "child_of": list(new.child_of), "data": data}
    document: Document = {
        "pipeline_uuid": new.pipeline_uuid,
        "archive_path": new.archive_path,
        "archive_system": new.archive_system,
        "archive_patterns": [dict(one) for one in new.archive_patterns],
        "product_patterns": [dict(one) for one in new.product_patterns],
        "child_of": list(new.child_of),
        "generated_by": [new.pipeline_uuid],
        "acted_on": [],
        "acted_using": [],
        "data": data,
        "session": new.session,
        "agent": new.agent,
        "task": new.task,
        "uuid": uuids.job_uuid(identity),
        "state": INITIAL,
        "last_event": "create",
        "updated": moment,
        "history": [{"date": moment, "data": data, "name": "create", "uuid": uuids.random(uuids.ENTRY)}],
        "_visible": True,
        **_common(owner, moment),
    }
    optional = ("archive_system", "archive_patterns", "product_patterns", "session", "agent", "task")
    stored = {key: value for key, value in document.items() if key not in optional or value not in (None, [])}
    life = stored["history"][0]["uuid"]
    token = job_token(stored["uuid"], stored["_salt"], stored["_admin"])
    # The first token's hash is stored at once, before another program can change the salt.
    return stored | {
        "_life": life,
        "_tokens": [token_hash(stored["uuid"], token)],
        "_alone": True,
        **({} if new.external is None else job_update.external_fields(str(new.external), {}, life)),
    }


def _common(owner: Owner, now: datetime) -> Document:
    moment = now.replace(microsecond=0)
    return {
        "_properties": {
            "created_date": moment,
            "modified_date": moment,
            "revision": 0,
            "source": "jobs-manager",
        },
        "_admin": {"owner": owner.owner, "project": owner.project, "tenant": owner.tenant},
        "_salt": base64.b64encode(os.urandom(16)).decode().lower(),
    }


def _without(document: Document, key: str) -> Document:
    return {name: value for name, value in document.items() if name != key}
