"""The jobs that changed recently, for the change feed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pymongo.database import Database

from pipelinejobs.store.connection import Document, translated

_SHOWN = {"_id": 0, "uuid": 1, "state": 1, "last_event": 1, "updated": 1, "_properties.revision": 1}


class Changes:
    """Reads jobs by the time of their newest change."""

    def __init__(self, database: Database[Document]) -> None:
        self._jobs = database["jobs"]

    def since(self, moment: datetime, most: int) -> list[dict[str, Any]]:
        """The recently changed jobs as they are now, the oldest change first.

        Args:
            moment: only jobs that changed at this time or later. Dates of changes are whole seconds.
            most: the most jobs to return; of more, those that changed last.

        Raises:
            Unavailable: the database cannot be asked.
        """
        with translated():
            found = list(
                self._jobs.find({"updated": {"$gte": moment}}, _SHOWN).sort([("updated", -1), ("_id", -1)]).limit(most)
            )
        return [_change(job) for job in reversed(found)]

    def of(self, uuids: Sequence[str]) -> list[dict[str, Any]]:
        """These jobs as they are now, in any order. Uuids without a job are left out.

        Raises:
            Unavailable: the database cannot be asked.
        """
        with translated():
            return [_change(job) for job in self._jobs.find({"uuid": {"$in": list(uuids)}}, _SHOWN)]


def _change(job: Document) -> dict[str, Any]:
    properties = job.pop("_properties", None)
    return job | {"revision": properties.get("revision") if isinstance(properties, dict) else None}
