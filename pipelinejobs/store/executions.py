"""Executions: what became of each delivery to the gateway, kept for some days.

They are written in batches, after the answers and without waiting for a majority: the job's history is the record that
counts, and the last executions may be lost with a server.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import pymongo
from pymongo.database import Database
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from pipelinejobs.store.connection import Document, translated

_QUICK: Final = WriteConcern(w=1)
_LOCAL: Final = ReadConcern("local")


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One handled delivery.

    Attributes:
        id: its id, which the answer to the sender holds.
        actor: the id of the actor that it was sent to.
        executor: the user who sent it.
        gateway: which process handled it.
        received, started, finished: when it arrived, when it was begun, when its answer was known; UTC.
        exit_code: what a one-shot run would have exited with.
        verdict, reason, event, job, state: its answer.
    """

    id: str
    actor: str
    executor: str
    gateway: str
    received: datetime
    started: datetime
    finished: datetime
    exit_code: int
    verdict: str
    reason: str
    event: str | None
    job: str | None
    state: str | None


class Executions:
    """The collection `gateway_executions`."""

    def __init__(self, database: Database[Document]) -> None:
        self._executions = database["gateway_executions"].with_options(write_concern=_QUICK, read_concern=_LOCAL)

    def add(self, executions: Sequence[Execution]) -> None:
        """Keeps these.

        Raises:
            Unavailable: the database cannot be asked; some of them may be kept.
        """
        rows = [{_key(name): getattr(one, name) for name in Execution.__slots__} for one in executions]
        with translated():
            self._executions.insert_many(rows, ordered=False)

    def find(self, actor: str, execution: str) -> Execution | None:
        """The execution with this id; None when there is none.

        Raises:
            Unavailable: the database cannot be asked.
        """
        with translated():
            row = self._executions.find_one({"_id": {"$eq": execution}, "actor": {"$eq": actor}})
        return _execution(row) if row is not None else None

    def newest(self, actor: str, most: int) -> list[Execution]:
        """The newest executions of an actor.

        Raises:
            Unavailable: the database cannot be asked.
        """
        with translated():
            rows = self._executions.find({"actor": {"$eq": actor}}).sort("received", pymongo.DESCENDING)
            return [_execution(row) for row in rows.limit(most)]

    def count(self) -> int:
        """How many are kept, of all actors; a figure that costs nothing and may be a little off.

        Raises:
            Unavailable: the database cannot be asked.
        """
        with translated():
            return self._executions.estimated_document_count()


def _key(name: str) -> str:
    return "_id" if name == "id" else name


def _execution(row: Document) -> Execution:
    fields = {name: row[name] for name in Execution.__slots__ if name != "id"}
    return Execution(id=row["_id"], **fields)
