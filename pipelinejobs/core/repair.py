"""What can be mended of a stored job without guessing, and what is left. Pure: a document in, a plan out.

The history is the record of what happened; state, last event, revision and date of the last change follow from it. So
they are mended where they disagree with it, and it is mended where it lacks what can be derived:

- An entry without a uuid, or with that of an earlier one, gets one that is made of the job and the entry. The same
  entry gets the same uuid again, should another program undo the repair.
- A date that was stored as text becomes a date, where it says day and time in full (ISO 8601, with a `T` or a blank
  between them). Without a zone it is UTC, which is what python-datacatalog means by its dates.

`_salt` and `_admin` are never touched: the job's token is made of them.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from bson import DatetimeMS

from fsm.lifecycle import INITIAL, STATES
from fsm.replay import final_state, walk
from pipelinejobs.core import uuids
from pipelinejobs.core.job import MOST_EVENTS

_FULL_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d([.,]\d{1,6})?(Z|[+-]\d\d:?\d\d)?")
_SHOWN: Final = 60
_INDEXED_BY: Final = frozenset({("finish", "FINISHED"), ("index", "INDEXING")})


class Repair(NamedTuple):
    """One thing to be mended.

    Attributes:
        field: the field, as a path of MongoDB; of an entry that was moved, within `jobs_history`.
        value: what it becomes.
        why: what is wrong with it.
        moved: the `_id` in `jobs_history`, where that is the document to be mended.
    """

    field: str
    value: Any
    why: str
    moved: Any = None


class Plan(NamedTuple):
    """What is to be done about a job.

    Attributes:
        repairs: what can be mended.
        left: sentences about what cannot.
        owes: the entry for which the Indexer has to be told again, since what was owed to it cannot be read; None where
            nothing has to be.
    """

    repairs: list[Repair]
    left: list[str]
    owes: Mapping[str, Any] | None = None


class MovedEntry(NamedTuple):
    """An entry in `jobs_history`: its `_id` there, its place, and itself, with or without data."""

    key: Any
    seq: Any
    entry: Mapping[str, Any]


def plan(document: Mapping[str, Any], moved: Sequence[MovedEntry]) -> Plan:
    """What can be mended of a job.

    Args:
        document: the job as it is stored.
        moved: those entries of its present life that are in `jobs_history`, oldest first.
    """
    return _Planner(document, moved).plan()


def date_of(text: object) -> datetime | None:
    """The date that a text says in full; None where it is none, or would have to be guessed."""
    if not isinstance(text, str) or not _FULL_DATE.fullmatch(text):
        return None
    try:
        date = datetime.fromisoformat(text.replace(",", "."))
        return date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def is_date(value: object) -> bool:
    """Whether MongoDB holds it as a date."""
    return isinstance(value, datetime | DatetimeMS)


class _Planner:
    """One plan in the making. `self._history` is what the embedded history will be."""

    def __init__(self, document: Mapping[str, Any], moved: Sequence[MovedEntry]) -> None:
        self._document = document
        self._moved = moved
        self._repairs: list[Repair] = []
        self._left: list[str] = []
        self._history: list[Any] = []

    def plan(self) -> Plan:
        self._mend_uuid()
        self._mend_history()
        owes = None
        if self._history:
            self._mend_dates_of_moved()
            complete = self._mend_count_of_moved()
            whole = self._whole()
            owes = self._mend_what_follows(whole, complete=complete)
        if not isinstance(self._document.get("_salt"), str):
            self._left.append("it has no _salt, and so no token; the next event of python-datacatalog makes one")
        return Plan(self._repairs, self._left, owes)

    def _set(self, field: str, value: Any, why: str) -> None:
        self._repairs.append(Repair(field, value, why))

    def _mend_uuid(self) -> None:
        uuid = self._document.get("uuid")
        if isinstance(uuid, list) and len(uuid) == 1 and isinstance(uuid[0], str):
            self._set("uuid", uuid[0], "it is a list of one")
        elif not isinstance(uuid, str):
            self._left.append(f"uuid is {_shown(uuid)}: which job it is cannot be told for certain")

    # The history

    def _mend_history(self) -> None:
        history = self._document.get("history")
        if isinstance(history, list) and history:
            self._history = [dict(entry) if isinstance(entry, Mapping) else entry for entry in history]
            self._mend_entries()
            return
        what = "has no entry" if history == [] else "is missing" if history is None else "is not an array"
        properties = self._properties
        date = properties.get("created_date")
        date = date if is_date(date) else date_of(date)
        untouched = self._document.get("state") == INITIAL and not properties.get("revision")
        if history not in (None, []) or not untouched or date is None:
            self._left.append(f"history {what}, and what happened to the job is stored nowhere else")
            return
        entry = {"date": date, "data": self._document.get("data"), "name": "create"}
        self._history = [entry | {"uuid": self._derived(entry, 0)}]
        self._set("history", self._history, f"it {what}, and nothing happened to the job but that it was created")

    def _mend_entries(self) -> None:
        same: Counter[str] = Counter()
        seen: set[str] = set()
        for place, entry in enumerate(self._history):
            if not isinstance(entry, dict):
                self._left.append(f"history.{place} is {_shown(entry)}, not an entry")
                continue
            said = repr(entry)
            uuid = entry.get("uuid")
            if not isinstance(uuid, str) or not uuid or uuid in seen:
                why = "another entry has the same" if isinstance(uuid, str) and uuid in seen else "the entry has none"
                entry["uuid"] = self._derived(said, same[said])
                self._set(f"history.{place}.uuid", entry["uuid"], why)
            same[said] += 1
            seen.add(entry["uuid"])
            self._mend_date(entry, f"history.{place}")
            if not isinstance(entry.get("name"), str):
                self._left.append(f"history.{place} has no name: what happened then is not known")

    def _mend_date(self, entry: dict[str, Any], where: str, moved: Any = None) -> None:
        if is_date(entry.get("date")):
            return
        date = date_of(entry.get("date"))
        if date is None:
            self._left.append(f"{where}.date is {_shown(entry.get('date'))}, which says no date and time in full")
            return
        self._repairs.append(Repair("entry.date" if moved is not None else f"{where}.date", date, "it is text", moved))
        entry["date"] = date

    def _derived(self, entry: object, count: int) -> str:
        """A uuid for an entry, of which the job has `count` earlier ones that are just the same."""
        return uuids.typed(uuids.ENTRY, f"repair|{self._document.get('uuid')}|{count}|{entry}")

    # What was moved to jobs_history

    def _mend_dates_of_moved(self) -> None:
        for row in self._moved:
            self._mend_date(dict(row.entry), f"jobs_history {row.key}", row.key)

    def _mend_count_of_moved(self) -> bool:
        """Whether all entries that were moved are there."""
        count = self._document.get("_moved")
        if self._is_former_life:
            return True
        there = len(self._moved)
        in_order = [row.seq for row in self._moved] == list(range(there))
        if count is not None and not _is_count(count):
            if in_order:
                self._set("_moved", there, f"it is {_shown(count)}; so many entries are in jobs_history")
            else:
                self._left.append(f"_moved is {_shown(count)}, and jobs_history lacks entries")
            return in_order
        embedded = {entry.get("uuid") for entry in self._history if isinstance(entry, dict)}
        if in_order and (count or 0) < there and not embedded & {row.entry.get("uuid") for row in self._moved}:
            self._set("_moved", there, f"it is {_shown(count)}; so many entries are in jobs_history alone")
        if (count or 0) > there:
            self._left.append(f"_moved says that {count} entries were moved, and jobs_history has {there} of them")
        return in_order and (count or 0) <= there

    @property
    def _is_former_life(self) -> bool:
        """Whether our fields belong to a job that was made again since; then they count as absent."""
        first = self._history[0]
        life = first.get("uuid") if isinstance(first, dict) else None
        return self._document.get("_life") not in (life, None)

    def _whole(self) -> list[Any]:
        """The whole history, as readers see it, once it is mended; see `store.history.History.entries`."""
        moved = [row.entry for row in self._moved]
        both = {entry.get("uuid") for entry in moved}
        rest = [entry for entry in self._history[1:] if not isinstance(entry, dict) or entry["uuid"] not in both]
        return [self._history[0], *moved, *rest]

    # What follows from the history

    def _mend_what_follows(self, whole: list[Any], *, complete: bool) -> Mapping[str, Any] | None:
        entries = [entry for entry in whole if isinstance(entry, Mapping)]
        names = [entry["name"] for entry in entries if isinstance(entry.get("name"), str)]
        complete = complete and len(names) == len(whole)
        if names and names[0].lower() != "create":
            self._left.append(f"its history begins with {names[0]}, not with create: what came before is not known")
            complete = False
        self._mend_state(names, complete=complete)
        self._mend_revision(len(whole) - 1, complete=complete)
        self._mend_dates(entries)
        return self._mend_outbox(names, whole, complete=complete)

    def _mend_state(self, names: list[str], *, complete: bool) -> None:
        state, replayed = self._document.get("state"), final_state(names)
        if complete and replayed is not None:
            if state != replayed:
                self._set("state", replayed, f"it is {_shown(state)}, and the history leads there")
        elif state not in STATES if isinstance(state, str) else True:
            spelled = state.strip().upper() if isinstance(state, str) else ""
            if spelled in STATES:
                self._set("state", spelled, f"it is {_shown(state)}")
            else:
                self._left.append(f"state is {_shown(state)}, and the history does not say what it is")
        elif complete:
            step = next(step for step in walk(names) if step.after is None)
            self._left.append(
                f"its history does not follow the lifecycle ({step.event} while {step.before}); the state stays {state}"
            )
        last, said = (names[-1].lower() if complete else None), self._document.get("last_event")
        if last is not None and (not isinstance(said, str) or said.lower() != last):
            self._set("last_event", last, f"it is {_shown(said)}, and the history ends so")

    def _mend_revision(self, events: int, *, complete: bool) -> None:
        revision = self._properties.get("revision")
        if not isinstance(self._document.get("_properties"), Mapping):
            first, last = (entry if isinstance(entry, dict) else {} for entry in (self._history[0], self._history[-1]))
            dates = {"created_date": first.get("date"), "modified_date": last.get("date")}
            whole = {**dates, "revision": events, "source": "jobs-manager"}
            self._set("_properties", whole, f"it is {_shown(self._document.get('_properties'))}, not an object")
        elif not _is_number_of_events(revision) or (complete and revision != events):
            self._set("_properties.revision", events, f"it is {_shown(revision)}; so many events came after create")
        elif revision != events:
            self._left.append(f"its revision is {revision}, and how many events there were is not known")

    def _mend_dates(self, entries: list[Mapping[str, Any]]) -> None:
        updated, newest = self._document.get("updated"), entries[-1].get("date") if entries else None
        if not is_date(updated):
            date = newest if is_date(newest) else date_of(updated)
            if date is None:
                self._left.append(f"updated is {_shown(updated)}, and the last entry has no date")
            else:
                self._set("updated", date, f"it is {_shown(updated)}; the last entry has this date")
        for name in ("created_date", "modified_date"):
            date = date_of(self._properties.get(name))
            if date is not None:
                self._set(f"_properties.{name}", date, "it is text")

    def _mend_outbox(self, names: list[str], whole: list[Any], *, complete: bool) -> Mapping[str, Any] | None:
        """Mends what is owed. Where that cannot be read, an index request that may be owed is owed again: the Indexer
        takes one twice, and never to be told would be harmful."""
        outbox = self._document.get("_outbox", [])
        if isinstance(outbox, list):
            return None
        if isinstance(outbox, Mapping) and isinstance(outbox.get("id"), str) and isinstance(outbox.get("status"), str):
            self._set("_outbox", [dict(outbox)], "it is one message, not an array of them")
            return None
        self._set("_outbox", [], f"it is {_shown(outbox)}, not an array")
        if not complete or self._is_former_life:
            return None
        steps = walk(names)
        entered = [place for place, step in enumerate(steps) if step.after not in (None, step.before)]
        if not entered or (steps[entered[-1]].event, steps[entered[-1]].after) not in _INDEXED_BY:
            return None
        owes: Mapping[str, Any] = whole[entered[-1]]
        return owes

    @property
    def _properties(self) -> Mapping[str, Any]:
        properties = self._document.get("_properties")
        return properties if isinstance(properties, Mapping) else {}


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MOST_EVENTS


def _is_number_of_events(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < MOST_EVENTS


def _shown(value: object) -> str:
    """A value in a sentence, on one line and not for long."""
    text = "missing" if value is None else ascii(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
