"""Jobs: read one, and apply a change to it under a guard."""

from typing import Any, Final

from pymongo.database import Database

from pipelinejobs import uuids
from pipelinejobs.decide import Change
from pipelinejobs.job import Entry, Job
from pipelinejobs.store import documents
from pipelinejobs.store.connection import Document, translated

INDEX_REQUEST: Final = "index"


class Jobs:
    """The collection `jobs`."""

    def __init__(self, database: Database[Document]) -> None:
        self._jobs = database["jobs"]

    def load(self, uuid: str) -> Job | None:
        """The job with this uuid, without its history; None when there is none.

        Raises:
            Unavailable: the database cannot be asked.
        """
        with translated():
            document = self._jobs.find_one({"uuid": {"$eq": uuid}}, documents.HEAD)
        return documents.to_job(document) if document is not None else None

    def entry(self, job: Job, uuid: str) -> Entry | None:
        """The embedded history entry with this uuid; None when there is none.

        Raises:
            Unavailable: the database cannot be asked.
        """
        with translated():
            found = self._jobs.find_one(
                {"_id": {"$eq": job.key}, "history.uuid": {"$eq": uuid}}, {"history.$": 1, "_id": 0}
            )
        return documents.to_entry(found["history"][0]) if found and found.get("history") else None

    def apply(self, job: Job, change: Change) -> bool:
        """Writes a change in one operation: state, history, revision and outbox together, or nothing.

        Returns:
            Whether it was written. False: the job is no longer what the change was decided on, or already has the
            event; read it and decide again.

        Raises:
            DocumentFull: the document would pass 16 MB; nothing was written.
            OutcomeUnknown: it may have been written; ask `entry` before deciding again.
            Unavailable: nothing was written.
        """
        if job.former_life:
            self._forget_former_life(job)
        owed = []
        if change.owes_index:
            key = uuids.typed(uuids.ENTRY, f"owed|{INDEX_REQUEST}|{change.entries[-1].uuid}")
            owed.append(documents.owed_row(key, change.entries[-1], job.life, INDEX_REQUEST))
        with translated(writing=True):
            result = self._jobs.update_one(documents.guard(job, change), documents.update(job, change, owed))
        return result.matched_count == 1

    def _forget_former_life(self, job: Job) -> None:
        with translated():  # whether it was done does not matter: the guard of what follows tells
            self._jobs.update_one(
                {"_id": {"$eq": job.key}, "history.0.uuid": {"$eq": job.life}, "_life": {"$ne": job.life}},
                documents.forget_former_life(),
            )

    def document(self, uuid: str) -> dict[str, Any] | None:
        """The whole document of a job, as stored, for operators.

        Raises:
            Unavailable: the database cannot be asked.
        """
        with translated():
            return self._jobs.find_one({"uuid": {"$eq": uuid}})
