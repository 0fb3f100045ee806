"""Creates thousands of jobs, as agents do, and events for them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from pymongo.database import Database

from pipelinejobs.core import uuids
from pipelinejobs.core.tokens import job_token
from pipelinejobs.store.pipelines import NewJob, Owner, new_document

Document = dict[str, Any]

_PIPELINE: Final = "106d46ff-0000-5000-8000-0000000bec00"
_TOGETHER: Final = 2000
_OF_OWN_JOBS: Final = frozenset({"_life", "_tokens", "_alone"})
_SAID: Final = {"node": "c401-003", "progress": 0.5, "note": "x" * 100}
"""The data of an event: about as large as a job system's callback."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job for which events are sent."""

    uuid: str
    token: str

    def event(self) -> Document:
        """A JSON event for the job that is always allowed."""
        return {"uuid": self.uuid, "name": "update", "token": self.token, "data": _SAID}


def make(database: Database[Document], number: int, *, entries: int = 0, own: bool = True) -> list[Job]:
    """Stores so many new jobs.

    Args:
        entries: the number of events in the history of each, all embedded.
        own: True: like jobs from the command `create`; False: like jobs from another program, which may write to
            them at any time.
    """
    made: list[Job] = []
    for first in range(0, number, _TOGETHER):
        documents = [document(entries) for _ in range(min(_TOGETHER, number - first))]
        if not own:
            documents = [{name: one[name] for name in one if name not in _OF_OWN_JOBS} for one in documents]
        database["jobs"].insert_many(documents, ordered=False)
        made += map(known, documents)
    return made


def known(stored: Document) -> Job:
    """The uuid and token of a stored job."""
    return Job(stored["uuid"], job_token(stored["uuid"], stored["_salt"], stored["_admin"]))


def document(entries: int = 0) -> Document:
    """The document of a job with so many events."""
    new = NewJob(pipeline_uuid=_PIPELINE, archive_path="/bench", data={"id": uuids.random(uuids.ENTRY)})
    made = new_document(new, Owner(owner="bench"), datetime.now(UTC))
    made["history"] += [entry(made["updated"]) for _ in range(entries)]
    made["last_event"] = made["history"][-1]["name"]
    made["_properties"]["revision"] = entries
    return made


def entry(moment: datetime) -> Document:
    """A history entry of such an event."""
    return {"date": moment, "data": _SAID, "name": "update", "uuid": uuids.random(uuids.ENTRY)}
