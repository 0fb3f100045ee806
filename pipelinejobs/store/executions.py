"""Executions: what became of each delivery to the gateway, kept for some days.

They are written in batches, after the answers and without waiting for a majority of the servers, so the newest may be
lost with a server. The record that counts is the job's history.
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
        id: the execution's id, which is part of the answer to the sender.
        actor: the id of the actor to which the delivery was sent.
        executor: the user who sent it.
        gateway: the process that handled it.
        received, started, finished: when the delivery arrived, when its handling began, and when the answer was known;
            UTC.
        exit_code: the exit code of a one-shot run with the same verdict.
        verdict, reason, event, job, state: the answer.
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
        """Stores executions.

        Raises:
            Unavailable: the database cannot be asked; some may be stored all the same.
        """
        rows = [{_key(name): getattr(one, name) for name in Execution.__slots__} for one in executions]
        with translated():
            self._executions.insert_many(rows, ordered=False)

    def find(self, actor: str, execution: str) -> Execution | None:
        """The execution of this actor with this id; None if there is none.

        Raises:
            Unavailable: the database cannot be asked.
        """
        with translated():
            row = self._executions.find_one({"_id": {"$eq": execution}, "actor": {"$eq": actor}})
        return _execution(row) if row is not None else None

    def newest(self, actor: str, most: int) -> list[Execution]:
        """The `most` newest executions of an actor, the newest first.

        Raises:
            Unavailable: the database cannot be asked.
        """
        with translated():
            rows = self._executions.find({"actor": {"$eq": actor}}).sort("received", pymongo.DESCENDING)
            return [_execution(row) for row in rows.limit(most)]

    def count(self) -> int:
        """The number of stored executions of all actors, estimated from the collection's metadata.

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
