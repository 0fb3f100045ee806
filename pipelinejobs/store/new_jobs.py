"""Jobs whose first token is not remembered yet, and jobs that still hold the salts of a former version."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from pymongo import DESCENDING, UpdateOne
from pymongo.database import Database
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from pipelinejobs.core.job import Job
from pipelinejobs.store import job_document, job_update
from pipelinejobs.store.connection import Document, translated

INDEX: Final = "new_tokens"


class NewJobs:
    """Stores the hashes of the first tokens of new jobs, and replaces stored salts by hashes."""

    def __init__(self, database: Database[Document]) -> None:
        self._jobs = database["jobs"]
        # Reads and writes do not wait for a majority of the servers: if a token is lost with a server, the next look
        # finds the job again.
        self._quickly = self._jobs.with_options(read_concern=ReadConcern("local"), write_concern=WriteConcern(w=1))

    def unseen(self, most: int) -> list[Job]:
        """At most `most` jobs without events and without a remembered token, the newest first.

        Raises:
            Unavailable: the database cannot be asked, or the index is missing.
        """
        query = {"_properties.revision": 0, "_tokens": None, "_salt": {"$type": "string"}}
        with translated():
            found = self._quickly.find(query, job_document.HEAD).sort("_id", DESCENDING).limit(most).hint(INDEX)
            return [job_document.to_job(document) for document in found]

    def remember(self, first: Sequence[tuple[Job, str]]) -> int:
        """Stores the hash of each job's first token, in front of the other hashes, unless the job has it already.

        Args:
            first: for each job, the job and the hash; at least one.

        Returns:
            The number of jobs that got their hash now.

        Raises:
            Unavailable: the database cannot be asked; the next look does it again.
        """
        operations = [UpdateOne(_still(job, token), _remembering(job, token)) for job, token in first]
        with translated():
            return self._quickly.bulk_write(operations, ordered=False).modified_count

    def outdated(self) -> Iterator[Job]:
        """Jobs with salts or a token stored by a former version. No index finds them: all jobs are read.

        Raises:
            Unavailable: the database cannot be asked.
        """
        query = {"$or": [{"_salts": {"$exists": True}}, {"_token_pin": {"$exists": True}}]}
        with translated():
            for document in self._jobs.find(query, job_document.HEAD):
                yield job_document.to_job(document)

    def renew(self, jobs: Sequence[Job]) -> int:
        """Replaces the salts in these jobs by hashes of their tokens, unless a job got an event meanwhile.

        Returns:
            The number of changed jobs.

        Raises:
            Unavailable: the database cannot be asked.
        """
        operations = [UpdateOne(job_update.unchanged(job), job_update.renewal(job)) for job in jobs]
        with translated():
            return self._jobs.bulk_write(operations, ordered=False).modified_count


def _still(job: Job, token: str) -> dict[str, Any]:
    """The filter for the job in the same life, if the token is not remembered."""
    life = {"history.0.uuid": {"$eq": job.life}, "_life": {"$in": [None, job.life]}} if job.life else {}
    unknown = [{"_tokens": {"$exists": False}}, {"_tokens": {"$type": "array", "$ne": token}}]
    return {"_id": {"$eq": job.key}, "uuid": {"$eq": job.uuid}, **life, "$or": unknown}


def _remembering(job: Job, token: str) -> dict[str, Any]:
    life = {"$set": {"_life": job.life}} if job.life else {}
    return {"$push": {"_tokens": {"$each": [token], "$position": 0}}, **life}
