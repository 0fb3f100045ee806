"""Makes the plan by which a damaged job is repaired.

The history is the record of what happened to a job; its state, last event, revision and dates follow from the history.
Where they disagree with it, they are repaired; the history itself is repaired first (`repair_history`).

`_salt` and `_admin` are never changed, because the job's token is made of them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from fsm.lifecycle import STATES
from fsm.replay import final_state, walk
from pipelinejobs.core.decide import INDEXED_IN
from pipelinejobs.core.job import is_revision
from pipelinejobs.core.repair import Findings, MovedEntry, Plan, date_of, is_date, shown
from pipelinejobs.core.repair_history import HistoryRepair
from pipelinejobs.util.plural import counted


def plan(document: Mapping[str, Any], moved: Sequence[MovedEntry]) -> Plan:
    """The plan for one job.

    Args:
        document: the job as it is stored.
        moved: the entries of the job's present life that are in `jobs_history`, oldest first.
    """
    findings = Findings()
    _repair_uuid(document, findings)
    history = HistoryRepair(document, moved, findings)
    history.repair_embedded()
    owes = None
    if history.history:
        complete = history.repair_moved()
        owes = _DerivedFields(document, history, findings).repair(complete=complete)
    if not isinstance(document.get("_salt"), str):
        findings.left.append("it has no _salt, and so no token; python-datacatalog's next event for it makes one")
    return Plan(findings.repairs, findings.left, owes)


def _repair_uuid(document: Mapping[str, Any], findings: Findings) -> None:
    uuid = document.get("uuid")
    if isinstance(uuid, list) and len(uuid) == 1 and isinstance(uuid[0], str):
        findings.set("uuid", uuid[0], "it is a list of one")
    elif not isinstance(uuid, str):
        findings.left.append(f"uuid is {shown(uuid)}: the job cannot be identified")


class _DerivedFields:
    """Repairs the fields that follow from the history."""

    def __init__(self, document: Mapping[str, Any], history: HistoryRepair, findings: Findings) -> None:
        self._document = document
        self._history = history
        self._findings = findings
        properties = document.get("_properties")
        self._properties: Mapping[str, Any] = properties if isinstance(properties, Mapping) else {}

    def repair(self, *, complete: bool) -> Mapping[str, Any] | None:
        """Repairs the fields.

        Args:
            complete: whether no moved entry is missing.

        Returns:
            As `Plan.owes`.
        """
        whole = self._history.whole()
        entries = [entry for entry in whole if isinstance(entry, Mapping)]
        names = [entry["name"] for entry in entries if isinstance(entry.get("name"), str)]
        complete = complete and len(names) == len(whole)
        if names and names[0].lower() != "create":
            self._findings.left.append(f"its history begins with {names[0]}, not with create: earlier entries are lost")
            complete = False
        self._repair_state(names, complete=complete)
        self._repair_last_event(names, complete=complete)
        self._repair_revision(len(whole) - 1, complete=complete)
        self._repair_dates(entries)
        return self._repair_outbox(names, whole, complete=complete)

    def _repair_state(self, names: list[str], *, complete: bool) -> None:
        state, replayed = self._document.get("state"), final_state(names)
        if complete and replayed is not None:
            if state != replayed:
                self._findings.set("state", replayed, f"it is {shown(state)}, but the history leads to {replayed}")
        elif state not in STATES if isinstance(state, str) else True:
            spelled = state.strip().upper() if isinstance(state, str) else ""
            if spelled in STATES:
                self._findings.set("state", spelled, f"it is {shown(state)}")
            else:
                self._findings.left.append(f"state is {shown(state)}, and the history does not tell the right one")
        elif complete:
            step = next(step for step in walk(names) if step.after is None)
            self._findings.left.append(
                f"its history does not follow the lifecycle ({step.event} while {step.before}); the state stays {state}"
            )

    def _repair_last_event(self, names: list[str], *, complete: bool) -> None:
        last, stored = (names[-1].lower() if complete else None), self._document.get("last_event")
        if last is not None and (not isinstance(stored, str) or stored.lower() != last):
            self._findings.set("last_event", last, f"it is {shown(stored)}, but the last entry is {last}")

    def _repair_revision(self, events: int, *, complete: bool) -> None:
        revision, embedded = self._properties.get("revision"), self._history.history
        if not isinstance(self._document.get("_properties"), Mapping):
            first, last = (entry if isinstance(entry, dict) else {} for entry in (embedded[0], embedded[-1]))
            dates = {"created_date": first.get("date"), "modified_date": last.get("date")}
            properties = {**dates, "revision": events, "source": "jobs-manager"}
            why = f"it is {shown(self._document.get('_properties'))}, not an object"
            self._findings.set("_properties", properties, why)
        elif not is_revision(revision) or (complete and revision != events):
            why = f"it is {shown(revision)}, but the history has {counted(events, 'event')} after create"
            self._findings.set("_properties.revision", events, why)
        elif revision != events:
            self._findings.left.append(f"its revision is {revision}, and the number of events is unknown")

    def _repair_dates(self, entries: list[Mapping[str, Any]]) -> None:
        updated, newest = self._document.get("updated"), entries[-1].get("date") if entries else None
        if not is_date(updated):
            date = newest if is_date(newest) else date_of(updated)
            if date is None:
                self._findings.left.append(f"updated is {shown(updated)}, and the last entry has no date")
            else:
                self._findings.set("updated", date, f"it is {shown(updated)}; the last entry has this date")
        for name in ("created_date", "modified_date"):
            date = date_of(self._properties.get(name))
            if date is not None:
                self._findings.set(f"_properties.{name}", date, "it is text")

    def _repair_outbox(self, names: list[str], whole: list[Any], *, complete: bool) -> Mapping[str, Any] | None:
        """Repairs the outbox. If it is unreadable, an index request that may have been in it is sent again.

        The Indexer accepts a request twice; never indexing is harmful.
        """
        outbox = self._document.get("_outbox", [])
        if isinstance(outbox, list):
            return None
        if isinstance(outbox, Mapping) and isinstance(outbox.get("id"), str) and isinstance(outbox.get("status"), str):
            self._findings.set("_outbox", [dict(outbox)], "it is one message, not an array")
            return None
        self._findings.set("_outbox", [], f"it is {shown(outbox)}, not an array")
        if not complete or self._history.is_former_life:
            return None
        steps = walk(names)
        entered = [number for number, step in enumerate(steps) if step.after not in (None, step.before)]
        if not entered or steps[entered[-1]].after != INDEXED_IN.get(steps[entered[-1]].event):
            return None
        owes: Mapping[str, Any] = whole[entered[-1]]
        return owes
