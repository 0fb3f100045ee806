"""Repairs of a job's history: entries in the job document, and entries that were moved to `jobs_history`.

- If an entry has no uuid, or the uuid of an earlier entry, it gets one that is derived from the job and the entry. If
  another program undoes the repair, the next repair gives the entry the same uuid.
- If a date was stored as text, it becomes a date, provided that the text says day and time in full
  (`repair.date_of`).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from fsm.lifecycle import INITIAL
from pipelinejobs.core import uuids
from pipelinejobs.core.job import is_count
from pipelinejobs.core.repair import Findings, MovedEntry, Repair, date_of, is_date, shown


class HistoryRepair:
    """Repairs the history of one job.

    Attributes:
        history: the embedded history as it is after the repair; empty if there is none and none can be made.
    """

    def __init__(self, document: Mapping[str, Any], moved: Sequence[MovedEntry], findings: Findings) -> None:
        self._document = document
        self._moved = moved
        self._findings = findings
        self.history: list[Any] = []

    def repair_embedded(self) -> None:
        """Repairs the entries in the job document, or makes the `create` entry of a job without history.

        A `create` entry is made only if no event was applied to the job.
        """
        history = self._document.get("history")
        if isinstance(history, list) and history:
            self.history = [dict(entry) if isinstance(entry, Mapping) else entry for entry in history]
            self._repair_entries()
            return
        what = "has no entry" if history == [] else "is missing" if history is None else "is not an array"
        properties = self._document.get("_properties")
        properties = properties if isinstance(properties, Mapping) else {}
        date = properties.get("created_date")
        date = date if is_date(date) else date_of(date)
        untouched = self._document.get("state") == INITIAL and not properties.get("revision")
        if history not in (None, []) or not untouched or date is None:
            self._findings.left.append(f"history {what}, and what happened to the job is stored nowhere else")
            return
        entry = {"date": date, "data": self._document.get("data"), "name": "create"}
        self.history = [entry | {"uuid": self._derived(entry, 0)}]
        self._findings.set("history", self.history, f"it {what}, and the job was only created")

    def repair_moved(self) -> bool:
        """Repairs dates in `jobs_history` and the number of moved entries, `_moved`. Needs a history in the document.

        Returns:
            Whether all entries that were moved are in `jobs_history`.
        """
        for row in self._moved:
            self._repair_date(dict(row.entry), f"jobs_history {row.key}", row.key)
        return self._repair_count()

    @property
    def is_former_life(self) -> bool:
        """Whether our fields are left over from a former life: the job was deleted and made again. They then count as
        absent."""
        first = self.history[0]
        life = first.get("uuid") if isinstance(first, dict) else None
        return self._document.get("_life") not in (life, None)

    def whole(self) -> list[Any]:
        """The whole history after the repair, as `store.history.History.entries` would return it."""
        moved = [row.entry for row in self._moved]
        both = {entry.get("uuid") for entry in moved}
        rest = [entry for entry in self.history[1:] if not isinstance(entry, dict) or entry["uuid"] not in both]
        return [self.history[0], *moved, *rest]

    def _repair_entries(self) -> None:
        same: Counter[str] = Counter()
        seen: set[str] = set()
        for number, entry in enumerate(self.history):
            if not isinstance(entry, dict):
                self._findings.left.append(f"history.{number} is {shown(entry)}, not an entry")
                continue
            text = repr(entry)
            uuid = entry.get("uuid")
            if not isinstance(uuid, str) or not uuid or uuid in seen:
                is_double = isinstance(uuid, str) and uuid in seen
                entry["uuid"] = self._derived(text, same[text])
                why = "another entry has the same uuid" if is_double else "the entry has no uuid"
                self._findings.set(f"history.{number}.uuid", entry["uuid"], why)
            same[text] += 1
            seen.add(entry["uuid"])
            self._repair_date(entry, f"history.{number}")
            if not isinstance(entry.get("name"), str):
                self._findings.left.append(f"history.{number} has no name: the event is unknown")

    def _repair_date(self, entry: dict[str, Any], path: str, moved: Any = None) -> None:
        if is_date(entry.get("date")):
            return
        date = date_of(entry.get("date"))
        if date is None:
            self._findings.left.append(f"{path}.date is {shown(entry.get('date'))}, not a full date and time")
            return
        field = "entry.date" if moved is not None else f"{path}.date"
        self._findings.repairs.append(Repair(field, date, "it is text", moved))
        entry["date"] = date

    def _derived(self, entry: object, count: int) -> str:
        """A uuid for an entry; `count` is the number of identical entries before it."""
        return uuids.typed(uuids.ENTRY, f"repair|{self._document.get('uuid')}|{count}|{entry}")

    def _repair_count(self) -> bool:
        count = self._document.get("_moved")
        if self.is_former_life:
            return True
        there = len(self._moved)
        in_order = [row.seq for row in self._moved] == list(range(there))
        if count is not None and not is_count(count):
            if in_order:
                self._findings.set("_moved", there, f"it is {shown(count)}; jobs_history has {there} entries")
            else:
                self._findings.left.append(f"_moved is {shown(count)}, and jobs_history lacks entries")
            return in_order
        embedded = {entry.get("uuid") for entry in self.history if isinstance(entry, dict)}
        if in_order and (count or 0) < there and not embedded & {row.entry.get("uuid") for row in self._moved}:
            self._findings.set("_moved", there, f"it is {shown(count)}; {there} entries are only in jobs_history")
        if (count or 0) > there:
            self._findings.left.append(f"_moved says {count}, but jobs_history has only {there} entries")
        return in_order and (count or 0) <= there
