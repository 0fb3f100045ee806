"""Reads jobs, and applies changes to them under guards."""

from collections.abc import Collection, Sequence
from enum import Enum, auto
from typing import Any, Final

import pymongo
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from pipelinejobs.core import uuids
from pipelinejobs.core.decide import Change
from pipelinejobs.core.job import Entry, Job
from pipelinejobs.messages.external import External
from pipelinejobs.store import job_document, job_update, verbatim
from pipelinejobs.store.connection import TOO_LARGE, Document, DocumentFull, confirmed, translated
from pipelinejobs.util.errors import Unavailable

INDEX_REQUEST: Final = "index"


class Written(Enum):
    """The result of a write."""

    YES = auto()
    MISSED = auto()
    """The guard missed: the job has changed, or already has the event. Nothing was written."""
    UNKNOWN = auto()
    """The change may or may not have been written. Look with `Jobs.entry` before deciding again."""
    TOO_LARGE = auto()
    """The document would exceed 16 MB. Nothing was written."""


class Jobs:
    """The collection `jobs`."""

    def __init__(self, database: Database[Document]) -> None:
        self._jobs = database["jobs"]
        self._options = database.codec_options
        self._raw = self._jobs.with_options(codec_options=verbatim.as_bytes(self._options))

    def load(self, uuid: str) -> Job | None:
        """The job with this uuid, or None if there is none; see `load_all`."""
        return self.load_all([uuid]).get(uuid)

    def load_all(self, uuids: Collection[str]) -> dict[str, Job]:
        """The jobs with these uuids, by uuid, without their history. Uuids without a job are left out.

        On a replica set, a deposed primary may answer with old data (see `store.connection.confirmed`). The guard keeps
        a change from being written that was decided on old data.

        Raises:
            Unavailable: the database cannot be asked.
        """
        with translated():
            found = list(self._jobs.find({"uuid": {"$in": list(uuids)}}, job_document.HEAD))
        loaded: dict[str, Job] = {}
        for document in found:
            named = document["uuid"] if isinstance(document["uuid"], list) else [document["uuid"]]  # MongoDB finds both
            for uuid in set(named) & set(uuids):
                loaded.setdefault(uuid, job_document.to_job(document))
        return loaded

    def load_confirmed(self, uuid: str) -> Job | None:
        """The job with this uuid by a linearizable read, or None if there is none.

        Raises:
            Unavailable: the database cannot be asked.
        """
        document = confirmed(self._jobs, {"uuid": {"$eq": uuid}}, job_document.HEAD)
        return job_document.to_job(document) if document is not None else None

    def entry(self, job: Job, uuid: str) -> Entry | None:
        """The embedded history entry with this uuid; None if there is none.

        Raises:
            Unavailable: the database cannot be asked.
        """
        query = {"_id": {"$eq": job.key}, "uuid": {"$eq": job.uuid}, "history.uuid": {"$eq": uuid}}
        with translated():
            found = self._raw.find_one(query, {"history.$": 1, "_id": 0})
        if found is None or not found.get("history"):
            return None
        return job_document.to_entry(verbatim.value(found["history"][0], self._options))

    def was_last(self, execution: str, job: Job) -> bool:
        """Whether this execution was the last one to write an event of the job.

        Raises:
            Unavailable: the database cannot be asked.
        """
        query = {"_id": {"$eq": job.key}, "uuid": {"$eq": job.uuid}, "_execution": {"$eq": execution}}
        with translated():
            return self._jobs.find_one(query, {"_id": 1}) is not None

    def apply(self, writes: Sequence[tuple[Job, Change, str]]) -> list[Written]:
        """Writes a change to each of these jobs. State, history, revision and outbox of a job are written together.

        Args:
            writes: for each job, the job as it was read, the change that was decided on it, and the id of the execution
                that writes; at least one, and no job twice.

        Returns:
            The result for each, in the same order.

        Raises:
            OutcomeUnknown: each change may or may not have been written. Look with `entry` before deciding again.
            Unavailable: nothing was written.
        """
        operations = []
        for job, change, execution in writes:
            if job.former_life:
                self._forget_former_life(job)
            update = job_update.update(job, change, _outbox_rows(job, change), execution)
            operations.append(pymongo.UpdateOne(job_update.guard(job, change), update))
        refused: set[int] = set()
        try:
            with translated(writing=True):
                matched = self._send(operations, refused)
        except DocumentFull:  # raised by the driver before it has sent anything
            if len(writes) == 1:
                return [Written.TOO_LARGE]
            return [one for write in writes for one in self.apply([write])]
        if matched == len(writes):
            return [Written.YES] * len(writes)
        return self._results(writes, refused, matched)

    def _send(self, operations: list[pymongo.UpdateOne], refused: set[int]) -> int:
        """The number of guards that matched. `refused` receives the indexes of writes that were too large."""
        try:
            return self._jobs.bulk_write(operations, ordered=False).matched_count
        except BulkWriteError as error:
            errors = error.details["writeErrors"]
            if error.details["writeConcernErrors"] or not all(one["code"] in TOO_LARGE for one in errors):
                raise
            refused |= {one["index"] for one in errors}
            return int(error.details["nMatched"])

    def _results(self, writes: Sequence[tuple[Job, Change, str]], refused: set[int], matched: int) -> list[Written]:
        """The result of each write if only some were done: those whose entries come after the ones read before."""
        if not matched:
            return [Written.TOO_LARGE if place in refused else Written.MISSED for place in range(len(writes))]
        try:
            with translated():
                query = {"uuid": {"$in": [job.uuid for job, _, _ in writes]}}
                added = {one["uuid"]: job_document.added(one) for one in self._jobs.find(query, job_document.TAIL)}
        except Unavailable:
            return [Written.UNKNOWN] * len(writes)
        there = [added.get(job.uuid, {}).get(change.entries[-1].uuid, -1) >= job.entries for job, change, _ in writes]
        if sum(there) != matched:
            # Another process has just written one of the same events, or an entry was already moved out of its job.
            return [Written.UNKNOWN] * len(writes)
        return [
            Written.TOO_LARGE if place in refused else Written.YES if is_there else Written.MISSED
            for place, is_there in enumerate(there)
        ]

    def _forget_former_life(self, job: Job) -> None:
        with translated():  # not `writing`: the guard of the following write finds out whether this was done
            self._jobs.update_one(
                {
                    "_id": {"$eq": job.key},
                    "uuid": {"$eq": job.uuid},
                    "history.0.uuid": {"$eq": job.life},
                    "_life": {"$ne": job.life},
                },
                job_update.forget_former_life(job),
            )

    def withdraw(self, job: Job, entry: str) -> None:
        """Removes the outbox messages of a history entry that another program has removed, before it is written again.

        That program may have removed the entry and left its messages. If the entry is in the job, its messages stay.

        Args:
            job: the job.
            entry: the entry's uuid.

        Raises:
            Unavailable: the database cannot be asked.
        """
        with translated():  # not `writing`: if it fails, the Indexer gets one key twice, which does no harm
            self._jobs.update_one(
                {
                    "_id": {"$eq": job.key},
                    "uuid": {"$eq": job.uuid},
                    "_outbox.entry": {"$eq": entry},
                    "history.uuid": {"$ne": entry},  # another gateway may have written it again since the job was read
                },
                {"$pull": {"_outbox": {"entry": {"$eq": entry}}}},
            )

    def remember_external(self, job: Job, external: External) -> None:
        """Stores the name of the external job of the present attempt, which a former version stored as a digest alone.

        Args:
            job: the job as it was read; if it has changed since, nothing is written.
            external: the external job.

        Raises:
            Unavailable: the database cannot be asked.
        """
        with translated():  # not `writing`: it does no harm to do it again
            self._jobs.update_one(
                {**job_update.unchanged(job), "_life": {"$eq": job.life}},
                {"$set": job_update.external_fields(str(external), job.externals, job.attempt)},
            )

    def document(self, uuid: str) -> dict[str, Any] | None:
        """The whole document of a job as it is stored, for operators; None if there is none.

        Raises:
            Unavailable: the database cannot be asked.
        """
        with translated():
            return self._jobs.find_one({"uuid": {"$eq": uuid}})

    def outline(self, uuid: str) -> dict[str, Any] | None:
        """As `document`, without the data of the history entries, which may take megabytes."""
        with translated():
            return self._jobs.find_one({"uuid": {"$eq": uuid}}, {"history.data": 0})


def index_request(entry: Entry, life: str) -> dict[str, Any]:
    """The outbox row of the index request for this history entry."""
    key = uuids.typed(uuids.ENTRY, f"owed|{INDEX_REQUEST}|{entry.uuid}")
    return job_update.outbox_row(key, entry, life, INDEX_REQUEST)


def _outbox_rows(job: Job, change: Change) -> list[dict[str, Any]]:
    """The new rows for the outbox."""
    return [index_request(change.entries[-1], job.life)] if change.owes_index else []
