"""What became of questions to job systems, in the collection `jobs_asked`.

There is a row for each job about which a job system was asked, and a document for each job system about the rounds of
the gateways. Only the gateway that has the lease on a job system's rounds asks there. It renews the lease while it
asks; if it dies, the lease ends by itself, and another gateway goes on.

All times are the database's.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from pymongo import ASCENDING, ReturnDocument
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from fsm.lifecycle import OPEN
from pipelinejobs.core.job import Job
from pipelinejobs.messages.external import External
from pipelinejobs.messages.values import storable
from pipelinejobs.store.connection import LONG_AGO, Document, database_time, translated
from pipelinejobs.store.quiet_jobs import Place

KEPT_DAYS: Final = 30
"""After so many days without a further question MongoDB removes a job's row."""

_ROUND: Final = "round "
"""The beginning of the `_id` of the documents about rounds; that of a row is the job's uuid."""
_LONGEST: Final = {"external": 200, "status": 64, "why": 300}


class Asked(NamedTuple):
    """The newest question about a job, and what became of it.

    Attributes:
        asked: when it was asked.
        system, external: the job system, and the external job's id there.
        result: the result, as `service.reconcile.Result` names it.
        status: what the job system said; None if it did not answer with a status.
        why: the reason of the result.
        unanswered: how many questions in a row were not answered, this one included.
    """

    asked: datetime
    system: str
    external: str
    result: str
    status: str | None
    why: str
    unanswered: int


class Round(NamedTuple):
    """The newest round of questions to a job system.

    Attributes:
        system: the job system.
        holder: the gateway that began it.
        began: when it began.
        ended: when the newest completed round ended; None if there is none.
        counts: the number of jobs by result, of the newest completed round.
        behind: the place after which this round begins, because the one before was cut short there; None: it begins
            with the job that is quiet for longest.
    """

    system: str
    holder: str
    began: datetime
    ended: datetime | None
    counts: Mapping[str, int]
    behind: Place | None


class AskedJobs:
    """The collection `jobs_asked`."""

    def __init__(self, database: Database[Document]) -> None:
        self._database = database
        self._asked = database["jobs_asked"]

    def note(
        self, job: Job, external: External, result: str, status: str | None, why: str, *, is_answered: bool
    ) -> None:
        """Stores what became of a question, in place of the one before.

        Args:
            job: the job.
            external: the external job that was asked for.
            result, status, why: see `Asked`; long texts are cut.
            is_answered: whether the job system answered.

        Raises:
            Unavailable: the database cannot be asked.
        """
        row: Document = {
            "life": job.life,
            "system": external.system,
            "external": storable(external.id[: _LONGEST["external"]]),
            "result": result,
            "status": storable(status[: _LONGEST["status"]]) if status is not None else None,
            "why": storable(why[: _LONGEST["why"]]),
        }
        counted = {"$set": row | {"unanswered": 0}} if is_answered else {"$set": row, "$inc": {"unanswered": 1}}
        with translated(writing=True):
            self._asked.update_one({"_id": {"$eq": job.uuid}}, counted | {"$currentDate": {"asked": True}}, upsert=True)

    def of(self, job: Job) -> Asked | None:
        """The newest question about this life of a job; None if there was none, or long ago.

        Raises:
            Unavailable: the database cannot be asked.
        """
        with translated():
            row = self._asked.find_one({"_id": {"$eq": job.uuid}, "life": {"$eq": job.life}})
        return Asked(*(row[name] for name in Asked._fields)) if row is not None else None

    def unresolved(self, results: tuple[str, ...]) -> dict[str, int]:
        """The number of open jobs by the result of their newest question, for these results.

        Raises:
            Unavailable: the database cannot be asked.
        """
        joined = {"from": "jobs", "localField": "_id", "foreignField": "uuid", "as": "job", "pipeline": [_STATE]}
        stages: list[Document] = [
            {"$match": {"result": {"$in": list(results)}}},
            {"$lookup": joined},
            {"$match": {"job.state": {"$in": list(OPEN)}}},
            {"$group": {"_id": "$result", "jobs": {"$sum": 1}}},
        ]
        with translated():
            found = {row["_id"]: row["jobs"] for row in self._asked.aggregate(stages)}
        return {result: found.get(result, 0) for result in results}

    def begin(self, system: str, holder: str, lease: float) -> Round | None:
        """Begins a round and takes the lease on it, if a round is due and no other gateway has the lease.

        Args:
            system: the job system.
            holder: the name of this process, different from that of every other.
            lease: for how many seconds.

        Raises:
            Unavailable: the database cannot be asked.
        """
        key = {"_id": _ROUND + system}
        with translated(writing=True):
            now = database_time(self._database)
            free = {"$or": [{"until": {"$lte": now}}, {"holder": {"$eq": holder}}]}
            mine = {"holder": holder, "until": now + timedelta(seconds=lease), "began": now}
            found = self._asked.find_one_and_update(
                {**key, "due": {"$lte": now}, **free}, {"$set": mine}, return_document=ReturnDocument.AFTER
            )
            if found is None and self._asked.find_one(key) is None:
                found = {**key, **mine, "due": LONG_AGO}
                try:
                    self._asked.insert_one(found)
                except DuplicateKeyError:  # another gateway was faster
                    return None
        return _round(found) if found is not None else None

    def renew(self, system: str, holder: str, lease: float) -> bool:
        """Renews the lease. Returns whether this process still had it.

        Raises:
            Unavailable: the database cannot be asked.
        """
        with translated(writing=True):
            until = database_time(self._database) + timedelta(seconds=lease)
            mine = {"_id": _ROUND + system, "holder": {"$eq": holder}}
            return self._asked.update_one(mine, {"$set": {"until": until}}).matched_count > 0

    def end(
        self, system: str, holder: str, *, due: datetime, counts: Mapping[str, int] | None, behind: Place | None
    ) -> None:
        """Ends a round and gives up the lease, if this process still has it.

        Args:
            system, holder: as in `begin`.
            due: when the next round is due.
            counts: the number of jobs by result; None if the round was broken off and says nothing.
            behind: the place at which it was cut short; None if it came to the end.

        Raises:
            Unavailable: the database cannot be asked.
        """
        fields: Document = {"until": LONG_AGO, "due": due, "behind": behind._asdict() if behind is not None else None}
        dated: Document = {}
        if counts is not None:
            fields["counts"] = dict(counts)
            dated = {"$currentDate": {"ended": True}}
        with translated(writing=True):
            self._asked.update_one({"_id": _ROUND + system, "holder": {"$eq": holder}}, {"$set": fields, **dated})

    def rounds(self) -> list[Round]:
        """The newest round of each job system.

        Raises:
            Unavailable: the database cannot be asked.
        """
        with translated():
            found = self._asked.find({"_id": {"$gte": _ROUND, "$lt": _ROUND + "\uffff"}}).sort("_id", ASCENDING)
            return [_round(row) for row in found]


_STATE: Final = {"$project": {"state": 1}}


def _round(row: Mapping[str, Any]) -> Round:
    behind = row.get("behind")
    return Round(
        system=row["_id"].removeprefix(_ROUND),
        holder=row["holder"],
        began=row["began"],
        ended=row.get("ended"),
        counts=row.get("counts") or {},
        behind=Place(**behind) if behind is not None else None,
    )
