"""The open jobs, CREATED or RUNNING, in numbers. These are counted in indexes, without reading a job."""

from datetime import datetime
from typing import Final, NamedTuple

from pymongo import ASCENDING
from pymongo.database import Database

from fsm.lifecycle import OPEN
from pipelinejobs.store.connection import Document, database_time, translated
from pipelinejobs.store.indexes import OPEN_INDEX
from pipelinejobs.store.listing import Filter, Listing

MOST_OVERDUE: Final = 10_000
"""The most overdue jobs that are counted, because each is read."""

_EARLIEST: Final = datetime(1, 1, 1)  # noqa: DTZ001 - MongoDB dates are UTC by definition


class OpenState(NamedTuple):
    """The jobs of one open state, without soft-deleted ones.

    Attributes:
        state: the state.
        jobs: their number.
        quietest: for how many seconds the one has not changed that has not changed for the longest time; 0 if there are
            none.
    """

    state: str
    jobs: int
    quietest: float


class OpenJobs(NamedTuple):
    """The open jobs at one moment.

    Attributes:
        states: for each open state.
        overdue: how many jobs are overdue, at most `MOST_OVERDUE`; see `listing.Filter.overdue`.
    """

    states: tuple[OpenState, ...]
    overdue: int


def count(database: Database[Document]) -> OpenJobs:
    """Counts the open jobs.

    Raises:
        Unavailable: the database cannot be asked, or an index is missing.
    """
    with translated():
        now = database_time(database)
        states = tuple(_count(database, state, now) for state in OPEN)
    return OpenJobs(states, Listing(database).count(Filter(overdue=True), MOST_OVERDUE))


def _count(database: Database[Document], state: str, now: datetime) -> OpenState:
    jobs, hint = database["jobs"], OPEN_INDEX[state]
    query = {"state": state, "_visible": {"$ne": False}}
    number = jobs.count_documents(query, hint=hint)
    dated = query | {"updated": {"$gte": _EARLIEST}}  # matches dates alone
    oldest = jobs.find_one(dated, {"updated": 1, "_id": 0}, sort=[("updated", ASCENDING)], hint=hint)
    updated = oldest["updated"] if oldest is not None else None
    quietest = max((now - updated).total_seconds(), 0.0) if isinstance(updated, datetime) else 0.0
    return OpenState(state, number, quietest)
