"""Jobs by the thousand, as their agents would make them, and messages about them."""

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
"""What an event says: about as much as a job system's callback."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job to be reported about."""

    uuid: str
    token: str

    def event(self) -> Document:
        """A JSON event about it, which is allowed as often as one likes."""
        return {"uuid": self.uuid, "name": "update", "token": self.token, "data": _SAID}


def make(database: Database[Document], number: int, *, entries: int = 0, own: bool = True) -> list[Job]:
    """Stores so many new jobs.

    Args:
        entries: how many events each of them has in its history already, all of them embedded.
        own: whether `create` made them; else they are as another program makes them, which may write to them at any
            time.
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
    """The job of a document."""
    return Job(stored["uuid"], job_token(stored["uuid"], stored["_salt"], stored["_admin"]))


def document(entries: int = 0) -> Document:
    """A new job, to which so many events have happened."""
    new = NewJob(pipeline_uuid=_PIPELINE, archive_path="/bench", data={"id": uuids.random(uuids.ENTRY)})
    made = new_document(new, Owner(owner="bench"), datetime.now(UTC))
    made["history"] += [entry(made["updated"]) for _ in range(entries)]
    made["last_event"] = made["history"][-1]["name"]
    made["_properties"]["revision"] = entries
    return made


def entry(moment: datetime) -> Document:
    """A history entry of such an event."""
    return {"date": moment, "data": _SAID, "name": "update", "uuid": uuids.random(uuids.ENTRY)}
