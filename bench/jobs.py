"""Jobs by the thousand, as their agents would make them, and messages about them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from pymongo.database import Database

from pipelinejobs import uuids
from pipelinejobs.store.pipelines import NewJob, Owner, job_document
from pipelinejobs.tokens import job_token

Document = dict[str, Any]

_PIPELINE: Final = "106d46ff-0000-5000-8000-0000000bec00"
_TOGETHER: Final = 2000
_SAID: Final = {"node": "c401-003", "progress": 0.5, "note": "x" * 100}
"""What an event says: about as much as a job system's callback."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job to be reported about."""

    uuid: str
    token: str

    def event(self) -> Document:
        """A JSON event about it, which is allowed as often as one likes."""
        return {"uuid": self.uuid, "name": "update", "token": self.token, "data": _SAID}


def make(database: Database[Document], number: int, *, entries: int = 0) -> list[Job]:
    """Stores so many new jobs.

    Args:
        entries: how many events each of them has in its history already, all of them embedded.
    """
    made: list[Job] = []
    for first in range(0, number, _TOGETHER):
        documents = [document(entries) for _ in range(min(_TOGETHER, number - first))]
        database["jobs"].insert_many(documents, ordered=False)
        made += map(known, documents)
    return made


def known(stored: Document) -> Job:
    """The job of a document."""
    return Job(stored["uuid"], job_token(stored["uuid"], stored["_salt"], stored["_admin"]))


def document(entries: int = 0) -> Document:
    """A new job, to which so many events have happened."""
    new = NewJob(pipeline_uuid=_PIPELINE, archive_path="/bench", data={"id": uuids.random(uuids.ENTRY)})
    made = job_document(new, Owner(owner="bench"), datetime.now(UTC))
    made["history"] += [entry(made["updated"]) for _ in range(entries)]
    made["last_event"] = made["history"][-1]["name"]
    made["_properties"]["revision"] = entries
    return made


def entry(moment: datetime) -> Document:
    """A history entry of such an event."""
    return {"date": moment, "data": _SAID, "name": "update", "uuid": uuids.random(uuids.ENTRY)}
