"""The quiet jobs: open ones that had no event for some time. They are found by an index, and read in pages.

All times are the database's.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from heapq import merge
from typing import Any, Final, NamedTuple

from bson import DatetimeMS
from pymongo import ASCENDING
from pymongo.database import Database

from fsm.lifecycle import OPEN
from pipelinejobs.store.connection import Document, database_time, translated

_PAGE: Final = 100
_LISTED: Final = {"uuid": 1, "updated": 1, "_external.system": 1}


class Place(NamedTuple):
    """The place of a job among the quiet jobs: the date of its newest change, and its `_id`."""

    updated: Any
    key: Any


class QuietJob(NamedTuple):
    """An open job that had no event for some time.

    Attributes:
        uuid: the job's uuid.
        system: the job system that runs it, as far as the job document says it; else None.
        place: its place among the quiet jobs.
    """

    uuid: str
    system: str | None
    place: Place


class QuietJobs:
    """The quiet jobs of the collection `jobs`."""

    def __init__(self, database: Database[Document]) -> None:
        self._database = database
        self._jobs = database["jobs"]

    def cutoff(self, seconds: float) -> datetime:
        """The time so many seconds ago.

        Raises:
            Unavailable: the database cannot be asked.
        """
        with translated():
            return database_time(self._database) - timedelta(seconds=seconds)

    def count(self, since: datetime) -> int:
        """The number of open jobs that had no event since a time.

        Raises:
            Unavailable: the database cannot be asked.
        """
        with translated():
            return sum(self._jobs.count_documents(_quiet(state, since)) for state in OPEN)

    def all(self, since: datetime, behind: Place | None = None) -> Iterator[QuietJob]:
        """The open jobs that had no event since a time, the one that is quiet for longest first, read in pages.

        Jobs that python-datacatalog has marked as deleted are left out.

        Args:
            since: the time.
            behind: only jobs after this place.

        Raises:
            Unavailable: the database cannot be asked.
        """
        parts = [self._quiet_in(state, since, behind) for state in OPEN]
        yield from merge(*parts, key=lambda job: moment(job.place))

    def _quiet_in(self, state: str, since: datetime, behind: Place | None) -> Iterator[QuietJob]:
        query = _quiet(state, since)
        while True:
            after = {} if behind is None else _after(behind)
            with translated():
                found = self._jobs.find({"$and": [query, after]}, _LISTED)
                page = list(found.sort([("updated", ASCENDING), ("_id", ASCENDING)]).limit(_PAGE))
            for job in page:
                behind = Place(job["updated"], job["_id"])
                if isinstance(job.get("uuid"), str):
                    yield _listed(job)
            if len(page) < _PAGE:
                return

    def these(self, uuids: Sequence[str], since: datetime | None) -> list[QuietJob]:
        """The jobs with these uuids, in this order; with `since`, only open ones that had no event since that time.

        Raises:
            Unavailable: the database cannot be asked.
        """
        named: Document = {"uuid": {"$in": list(uuids)}}
        queries = [{}] if since is None else [_quiet(state, since) for state in OPEN]
        with translated():
            found = {job["uuid"]: _listed(job) for query in queries for job in self._jobs.find(named | query, _LISTED)}
        return [found[uuid] for uuid in dict.fromkeys(uuids) if uuid in found]


def moment(place: Place) -> int:
    """The date of a place as a number, by which quiet jobs are sorted. For years after 9999 it is a `DatetimeMS`."""
    return int(DatetimeMS(place.updated))


def _listed(job: Document) -> QuietJob:
    external = job.get("_external")
    system = external.get("system") if isinstance(external, dict) else None
    place = Place(job.get("updated"), job["_id"])
    return QuietJob(job["uuid"], system if isinstance(system, str) else None, place)


def _quiet(state: str, since: datetime) -> Document:
    # The comparison matches dates only, and lists of dates, which another program may have stored.
    updated = {"$lt": since, "$not": {"$type": "array"}}
    return {"state": state, "updated": updated, "_visible": {"$ne": False}}


def _after(place: Place) -> Document:
    """The condition for jobs after a place. The first part bounds what is read of an index, the second what is left."""
    updated, key = place
    later = {"$or": [{"updated": {"$gt": updated}}, {"_id": {"$gt": key}}]}
    return {"updated": {"$gte": updated}, **later}
