"""Reads damaged jobs as they are stored, and writes the repairs of a plan (`core.repair_plan`) under a guard."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from bson.raw_bson import RawBSONDocument
from pymongo.database import Database

from pipelinejobs.core.repair import MovedEntry, Plan, Repair
from pipelinejobs.store import job_document, verbatim
from pipelinejobs.store.connection import Document, translated
from pipelinejobs.store.jobs import index_request
from pipelinejobs.util.errors import CommandFailed

_GUARDED: Final = ("uuid", "state", "last_event", "updated", "_properties", "_life")
_OUTLINE: Final = {"seq": 1, "entry.uuid": 1, "entry.name": 1, "entry.date": 1}


class RawJob(NamedTuple):
    """A job as it is stored.

    Attributes:
        raw: the document as bytes.
        document: the same document, decoded.
        moved: the entries of the job's present life in `jobs_history`.
    """

    raw: RawBSONDocument
    document: Mapping[str, Any]
    moved: list[MovedEntry]


class Repairs:
    """Reads jobs for repair, and writes the repairs."""

    def __init__(self, database: Database[Document]) -> None:
        self._options = database.codec_options
        self._jobs = database["jobs"]
        self._raw_jobs = self._jobs.with_options(codec_options=verbatim.as_bytes(self._options))
        self._moved = database["jobs_history"]

    def read(self, uuid: str) -> RawJob | None:
        """A job as it is stored; None if there is none.

        Raises:
            CommandFailed: more than one document has this uuid.
            Unavailable: the database cannot be asked.
        """
        with translated():
            found = list(self._raw_jobs.find({"uuid": {"$eq": uuid}}).limit(2))
        if not found:
            return None
        if len(found) > 1:
            raise CommandFailed(
                f"{uuid} is the uuid of more than one document; decide which one is the job, and delete the others"
            )
        document = verbatim.value(found[0], self._options)
        return RawJob(found[0], document, self._moved_of(document))

    def _moved_of(self, document: Mapping[str, Any]) -> list[MovedEntry]:
        history = document.get("history")
        first = history[0] if isinstance(history, list) and history else None
        life = first.get("uuid") if isinstance(first, dict) else None
        if not isinstance(life, str):
            return []  # only sound jobs have moved entries, and a sound job has a life
        with translated():
            rows = self._moved.find({"life": {"$eq": life}}, _OUTLINE).sort("seq", 1)
            return [MovedEntry(row["_id"], row.get("seq"), row["entry"]) for row in rows]

    def write(self, stored: RawJob, plan: Plan) -> bool:
        """Writes a plan's repairs, if the job is still as it was read.

        Returns:
            False if the job has changed; its document is then not written.

        Raises:
            OutcomeUnknown: the repairs may or may not have been written; read the job again to find out.
            Unavailable: the database cannot be asked.
        """
        for repair in plan.repairs:
            if repair.moved is not None:
                self._write_moved(stored, repair)
        fields = {repair.field: repair.value for repair in plan.repairs if repair.moved is None}
        if plan.owes is not None:
            entry = job_document.to_entry(plan.owes)
            fields["_outbox"] = [index_request(entry, _life(stored, fields))]
        if not fields:
            return True
        with translated(writing=True):
            return self._jobs.update_one(_guard(stored.raw, fields), {"$set": fields}).matched_count == 1

    def _write_moved(self, stored: RawJob, repair: Repair) -> None:
        before = next(row.entry.get("date") for row in stored.moved if row.key == repair.moved)
        with translated(writing=True):
            query = {"_id": {"$eq": repair.moved}, repair.field: {"$eq": before}}
            self._moved.update_one(query, {"$set": {repair.field: repair.value}})


def _life(stored: RawJob, fields: Mapping[str, Any]) -> str:
    """The uuid of the job's `create` entry after the repair."""
    if "history.0.uuid" in fields:
        return str(fields["history.0.uuid"])
    return str((fields.get("history") or stored.document["history"])[0]["uuid"])


def _guard(raw: RawBSONDocument, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The filter for a job that is as it was when the repair was decided. Each event changes one of these fields."""
    history = raw.get("history")
    guard: dict[str, Any] = {"_id": {"$eq": raw["_id"]}}
    for name in (*_GUARDED, *(name for name in ("_moved", "_outbox") if name in fields)):
        guard[name] = _same(raw, name)
    if not isinstance(history, list):
        return guard | {"history": _same(raw, "history")}
    guard["history"] = {"$size": len(history)}
    for path in fields:
        if path.startswith("history."):
            _, place, key = path.split(".")
            guard[path] = _same(history[int(place)], key)
    return guard


def _same(document: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {"$eq": document[key]} if key in document else {"$exists": False}
