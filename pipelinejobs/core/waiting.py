"""Waiting for a job: whether it has reached one of the wanted states. Pure."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

from fsm import reach
from fsm.lifecycle import STATES
from pipelinejobs.core.job import is_revision
from pipelinejobs.messages.fields import BLANKS
from pipelinejobs.messages.values import shown
from pipelinejobs.util import spelling
from pipelinejobs.util.errors import Malformed

NEVER: Final = "never"

Reached = bool | Literal["never"]
"""True: the job is, or since the waiting began was, in one of the wanted states. False: it is not, but may still come
there. `never`: no event but an administrative one (`reset`, `ready`) leads there."""

_LONGEST_NAME: Final = 30


class Mark(NamedTuple):
    """A job at one moment: what tells whether it has changed since.

    Attributes:
        state, updated: as stored, of any type: another program may have written them.
        revision: the number of events; None if the stored one is no such number.
        entry: the uuid of the newest history entry in the document; None if it has none.
    """

    state: Any
    revision: int | None
    updated: datetime | Any
    entry: Any = None

    def is_same(self, other: "Mark") -> bool:
        """Whether the job has not changed between the two moments, as far as the change feed can tell."""
        return self[:3] == other[:3]


def mark(document: Mapping[str, Any]) -> Mark:
    """The mark of a stored job, as it is now.

    Args:
        document: the stored document; without its history, `entry` is None.
    """
    properties = document.get("_properties")
    revision = properties.get("revision") if isinstance(properties, Mapping) else None
    entry = next((entry.get("uuid") for entry in reversed(_entries(document))), None)
    return Mark(document.get("state"), whole(revision), document.get("updated"), entry)


def told(change: Mapping[str, Any]) -> Mark:
    """The mark of a job from a change, as the store reads it (`store.changes`)."""
    return Mark(change.get("state"), whole(change.get("revision")), change.get("updated"))


def whole(revision: Any) -> int | None:
    """A stored revision as a whole number; None if it is no number of events. Other programs may store a double."""
    return int(revision) if is_revision(revision) else None


def may_have_reached(now: Mark, known: Mark, wanted: Collection[str]) -> bool:
    """Whether a job may have been in one of the wanted states since it was read, so that it has to be read again.

    Args:
        now: the job's mark, from a change.
        known: its mark when it was read.
        wanted: states of the lifecycle.
    """
    if now.state != known.state:
        return True
    return not now.is_same(known) and reach.may_return(str(known.state), wanted)


def reached(document: Mapping[str, Any], wanted: Collection[str], since: Mark) -> Reached:
    """Whether a job has reached one of the wanted states.

    A job that has entered a wanted state and left it since `since` has reached it: `run` and `finish` may come within
    the same second, and a report that a job has ended writes both at once.

    Args:
        document: the stored document, with the uuids and names of its history.
        wanted: states of the lifecycle.
        since: the job's mark when the waiting began. If it has no `entry`, its `revision` counts.
    """
    state = str(document.get("state"))
    if state in wanted or not reach.entered(_names_after(document, since)).isdisjoint(wanted):
        return True
    return False if reach.may_reach(state, wanted) else NEVER


def states(texts: Collection[str], path: str) -> frozenset[str]:
    """The states that the reader of a job waits for.

    Args:
        texts: names of states, each alone or several separated by commas, in any case of letters.
        path: the place of the texts, for the reason.

    Raises:
        Malformed: a name is no state of the lifecycle, or there is none.
    """
    names = [name.strip(BLANKS) for text in texts for name in text.split(",")]
    unknown = next((name for name in names if name.upper() not in STATES or not name.isascii()), None)
    if unknown is not None:
        raise Malformed(path, _unknown(unknown))
    return frozenset(name.upper() for name in names)


def _unknown(name: str) -> str:
    """What is wrong with a name that is no state. A name with a digit may be a token, which must not be repeated."""
    known = f"the states are {', '.join(STATES)}"
    if not name:
        return f"must name states; {known}"
    what = "is not a state" if any(map(str.isdigit, name)) else f"{shown(name)} is not a state"
    nearest = min(STATES, key=lambda state: spelling.mistakes(name[:_LONGEST_NAME].upper(), state))
    is_near = spelling.mistakes(name[:_LONGEST_NAME].upper(), nearest) <= spelling.MOST
    return f"{what}; did you mean {nearest}?" if is_near else f"{what}; {known}"


def _names_after(document: Mapping[str, Any], since: Mark) -> list[str]:
    """The names of the entries after a mark; empty if the document does not have its entry, or no longer."""
    entries = _entries(document)
    if since.entry is not None:
        uuids = [one.get("uuid") for one in entries]
        new = len(entries) - 1 - uuids.index(since.entry) if since.entry in uuids else 0
    else:
        revision = mark(document).revision
        new = 0 if revision is None or since.revision is None else max(0, revision - since.revision)
    return [str(one.get("name")) for one in entries[max(0, len(entries) - new) :]]


def _entries(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    history = document.get("history")
    return [entry for entry in history if isinstance(entry, Mapping)] if isinstance(history, list) else []
