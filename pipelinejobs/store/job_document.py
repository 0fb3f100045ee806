"""The job document: which fields are read and written, and how they map to `Job` and `Entry`.

The fields without an underscore, `_visible`, `_properties`, `_admin` and `_salt` are shared with python-datacatalog and
keep its types. Ours, which its writes leave alone, are:

=============== ==================================================================================
`_life`         uuid of the `create` entry that the other fields of ours belong to
`_attempt`      uuid of the newest `reset` entry, else of the `create` entry
`_tokens`       hashes of tokens remembered: the first and the newest eight
`_first_use`    tokens trusted on first use: `{sender, token: hash, attempt}`; not there where there is no reason to
`_theirs`       uuid of the newest `reset` entry that another program wrote, once an event of ours has come after it
`_former_tokens` hashes of tokens of lives of the job that are over
`_alone`        true in a job that this project made and that no other program is known to have written to
`_externals`    which external job belongs to which attempt: `{id: digest, attempt: uuid}`
`_outbox`       messages owed to other actors, see `store.outbox`
`_moved`        how many history entries were moved to `jobs_history`
`_execution`    id of the execution that was the last to write an event
`_salts`        salts, as a former version remembered them; read, and replaced at the next write
`_token_pin`    hash of a token, as a former version trusted it; read, and replaced at the next write
=============== ==================================================================================

A job that was made again in place (python-datacatalog's re-creation keeps unknown fields) has another `create`
entry: then `_life` does not match and all fields of ours count as absent.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from fsm.lifecycle import STATES
from pipelinejobs.core.decide import Change
from pipelinejobs.core.job import MOST_EVENTS, Entry, Job, Trusted
from pipelinejobs.core.tokens import salt_hash

_DUE_AT_ONCE: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - MongoDB dates are UTC by definition

_OURS: Final = (
    "_life",
    "_attempt",
    "_tokens",
    "_first_use",
    "_theirs",
    "_alone",
    "_externals",
    "_moved",
    "_outbox",
    "_execution",
)
_OUTDATED: Final = ("_salts", "_token_pin")
_FORMER: Final = "_former_tokens"
_MOST_FORMER: Final = 18

OWN: Final = frozenset({*_OURS, *_OUTDATED, _FORMER})
"""The fields of a job that are this project's."""

_ENTRIES: Final = {"$cond": [{"$isArray": "$history"}, "$history", []]}

_FIRST: Final = {"$let": {"vars": {"entry": {"$first": _ENTRIES}}, "in": "$$entry.uuid"}}
# Names are matched as values of a list, which is safe for whatever a foreign writer stored there.
_IS_RESET: Final = {"$in": ["$$this.name", ["reset", "RESET", "Reset"]]}
_RESETS: Final = {"$map": {"input": {"$filter": {"input": _ENTRIES, "cond": _IS_RESET}}, "in": "$$this.uuid"}}

HEAD: Final[dict[str, Any]] = {
    "uuid": 1,
    "state": 1,
    "last_event": 1,
    "_properties": 1,
    "_admin": 1,
    "_salt": 1,
    "_life": 1,
    "_attempt": 1,
    "_tokens": 1,
    "_first_use": 1,
    "_theirs": 1,
    "_former_tokens": 1,
    "_alone": 1,
    "_salts": 1,
    "_token_pin": 1,
    "_externals": 1,
    "_moved": 1,
    "first": _FIRST,
    "resets": _RESETS,
    "entries": {"$size": _ENTRIES},
    "size": {"$bsonSize": "$$ROOT"},
    "types": {"history": {"$type": "$history"}, "outbox": {"$type": "$_outbox"}},
}
"""Projection of a job without its history, so that the cost of reading it does not grow with it. It holds no user
data."""


_TAIL_LENGTH: Final = 32
TAIL: Final[dict[str, Any]] = {
    "uuid": 1,
    "newest": {"$slice": [{"$map": {"input": _ENTRIES, "in": "$$this.uuid"}}, -_TAIL_LENGTH]},
    "entries": {"$size": _ENTRIES},
}
"""Projection of the newest entries' uuids; see `added`."""


def added(document: Mapping[str, Any]) -> dict[Any, int]:
    """Where in the embedded history its newest entries are, by uuid, from a document read with `TAIL`."""
    first = document["entries"] - len(document["newest"])
    return {uuid: first + place for place, uuid in enumerate(document["newest"]) if isinstance(uuid, str)}


def presence(uuids: list[str]) -> dict[str, Any]:
    """Projection that tells which of these entries the embedded history has (`present`), and the job's life."""
    embedded = {"$map": {"input": _ENTRIES, "in": "$$this.uuid"}}
    return {"uuid": 1, "first": _FIRST, "present": {"$setIntersection": [embedded, {"$literal": uuids}]}}


def moved_key(life: str, uuid: str) -> str:
    """What names an entry of one life of a job outside the job, as `_id`."""
    return f"{life}:{uuid}"


def to_job(document: Mapping[str, Any]) -> Job:
    """A job from a document read with `HEAD`. Never raises: what is wrong is said in `Job.damage`."""
    life = _text(document.get("first"))
    former_life = document.get("_life") not in (life, None)
    ours = {} if former_life else document
    resets = [uuid for uuid in document.get("resets", ()) if isinstance(uuid, str)]
    properties = document.get("_properties")
    revision: Any = properties.get("revision") if isinstance(properties, dict) else None
    attempt = resets[-1] if resets else _text(ours.get("_attempt")) or life
    job = Job(
        key=document["_id"],
        uuid=_text(document.get("uuid")),
        state=_text(document.get("state")),
        last_event=_text(document.get("last_event")) or None,
        revision=revision if _is_number(revision) else 0,
        life=life,
        attempt=attempt,
        # The newest attempt that this project knew of is written with each of its events; before the first it is the
        # life's own.
        others_attempt=attempt != (ours.get("_attempt") or life) or attempt == ours.get("_theirs"),
        admin=document.get("_admin"),
        has_admin="_admin" in document,
        salt=document.get("_salt") if isinstance(document.get("_salt"), str) else None,
        trusted=_trusted(ours),
        alone=ours.get("_alone") is True,
        externals=_externals(ours.get("_externals")),
        entries=int(document.get("entries", 0)),
        moved=ours["_moved"] if _is_count(ours.get("_moved")) else 0,
        size=int(document.get("size", 0)),
        former_life=former_life,
        outdated=tuple(name for name in _OUTDATED if name in ours),
        damage=_damage(document, life, revision, ours.get("_moved")),
    )
    of_former = _tokens(job, document) if former_life else None
    former = dict.fromkeys([*_texts(document.get(_FORMER)), *(of_former or ())])
    return job._replace(tokens=_tokens(job, ours), former_tokens=tuple(former)[-_MOST_FORMER:])


def to_entry(value: Mapping[str, Any]) -> Entry:
    """A history entry from what is stored (see `verbatim.value`), tolerant of what others stored."""
    return Entry(
        uuid=_text(value.get("uuid")),
        name=_text(value.get("name")),
        data=value.get("data"),
        date=value.get("date"),  # type: ignore[arg-type]  # a foreign writer may have left it out
    )


def from_entry(entry: Entry) -> dict[str, Any]:
    """A history entry as it is stored: the keys of python-datacatalog, in its order."""
    return {"date": entry.date, "data": entry.data, "name": entry.name, "uuid": entry.uuid}


def from_trusted(rows: Iterable[Trusted]) -> list[dict[str, Any]]:
    """Tokens trusted on first use as they are stored."""
    return [row._asdict() for row in rows]


def guard(job: Job, change: Change) -> dict[str, Any]:
    """The filter of a write: exactly the job that was decided on, and the event not yet in its history.

    `_moved` belongs to it because only the embedded history is looked at here.
    """
    return {
        "_id": {"$eq": job.key},
        "uuid": {"$eq": job.uuid},
        "state": {"$eq": job.state},
        "_properties.revision": {"$eq": job.revision},
        "history.0.uuid": {"$eq": job.life},
        "history.uuid": {"$nin": [entry.uuid for entry in change.entries]},
        "_moved": moved(job.moved),
    }


def update(job: Job, change: Change, owed: list[dict[str, Any]], execution: str) -> dict[str, Any]:
    """The write itself: classic update operators, and user data only as values."""
    last = change.entries[-1]
    fields: dict[str, Any] = {
        "state": change.state,
        "last_event": last.name,
        "updated": last.date,
        "_properties.modified_date": last.date,
        "_life": job.life,
        "_attempt": change.attempt,
        "_tokens": list(change.tokens),
        "_execution": execution,
    }
    gone = list(job.outdated)
    if job.alone and not change.alone:
        gone.append("_alone")
    if change.external is not None:
        bound = {**job.externals, change.external: job.attempt}
        rows = [{"id": digest, "attempt": attempt} for digest, attempt in bound.items()]
        fields["_externals"] = rows
    if job.others_attempt:
        fields["_theirs"] = job.attempt
    if change.trusted is not None:
        fields["_first_use"] = from_trusted(change.trusted)
    pushes: dict[str, Any] = {"history": {"$each": [from_entry(entry) for entry in change.entries]}}
    if owed:
        pushes["_outbox"] = {"$each": owed}
    written: dict[str, Any] = {
        "$set": fields,
        "$push": pushes,
        "$inc": {"_properties.revision": len(change.entries) - change.counted},
    }
    return written | ({"$unset": dict.fromkeys(gone, "")} if gone else {})


def unchanged(job: Job) -> dict[str, Any]:
    """The filter for a job to which no event has been applied since it was read."""
    return {
        "_id": {"$eq": job.key},
        "uuid": {"$eq": job.uuid},
        "_properties.revision": {"$eq": job.revision},
    }


def renewal(job: Job) -> dict[str, Any]:
    """The write that replaces the fields of former versions; those of a life that is over just go."""
    fields: dict[str, Any] = {} if job.tokens is None else {"_tokens": list(job.tokens)}
    if job.trusted is not None:
        fields["_first_use"] = from_trusted(job.trusted)
    gone = {"$unset": dict.fromkeys(_OUTDATED, "")}
    return gone | ({"$set": fields} if fields else {})


def moved(count: int) -> dict[str, Any]:
    """The condition that `_moved` still is `count`; it is absent until the first move."""
    return {"$eq": count} if count else {"$in": [0, None]}


def forget_former_life(job: Job) -> dict[str, Any]:
    """The write that takes our fields off a job that was made again in place, but for what its tokens were."""
    return {"$unset": dict.fromkeys((*_OURS, *_OUTDATED), ""), "$set": {_FORMER: list(job.former_tokens)}}


def owed_row(key: str, entry: Entry, life: str, message: str) -> dict[str, Any]:
    """A new row of the outbox, due at once.

    Args:
        key: the message's stable key, the same at every attempt to send it.
        entry: the history entry that made it owed.
        message: the name in the message, `index`.
    """
    return {
        "id": key,
        "actor": "indexer",
        "name": message,
        "entry": entry.uuid,
        "life": life,
        "created": entry.date,
        "status": "pending",
        "attempts": 0,
        "next": _DUE_AT_ONCE,
        "error": None,
    }


def _damage(document: Mapping[str, Any], life: str, revision: Any, moved_entries: Any) -> str | None:
    types = document.get("types") or {}
    if not isinstance(document.get("uuid"), str):
        return "uuid is not text"
    if types.get("history") != "array":
        return "history is not an array"
    if not life:
        return "history does not begin with an entry that has a uuid"
    if _text(document.get("state")) not in STATES:
        return "state is not one of the lifecycle's"
    if not _is_number(revision) or not 0 <= revision < MOST_EVENTS:
        return "_properties.revision is not a number of events"
    if moved_entries is not None and not _is_count(moved_entries):
        return "_moved is not a number of entries"
    if types.get("outbox") not in ("array", "missing"):
        return "_outbox is not an array"
    return None


def _tokens(job: Job, ours: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The hashes remembered; those of former versions are made from the salts that these remembered."""
    hashes, salts = ours.get("_tokens"), ours.get("_salts")
    if not isinstance(hashes, list) and not isinstance(salts, list):
        return None
    former = [salt_hash(job, salt) for salt in _texts(salts)]
    return tuple(dict.fromkeys([*_texts(hashes), *former]))


def _texts(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _trusted(ours: Mapping[str, Any]) -> tuple[Trusted, ...] | None:
    rows, pin = ours.get("_first_use"), _text(ours.get("_token_pin"))
    if not isinstance(rows, list) and not pin:
        return None
    given = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    known = [
        Trusted(row.get("sender"), row["token"], _text(row.get("attempt")))
        for row in given
        if isinstance(row.get("token"), str) and isinstance(row.get("sender"), str | None)
    ]
    return (*([Trusted(None, pin)] if pin else []), *known)


def _externals(value: Any) -> dict[str, str]:
    rows = value if isinstance(value, list) else []
    return {
        row["id"]: row["attempt"]
        for row in rows
        if isinstance(row, dict) and isinstance(row.get("id"), str) and isinstance(row.get("attempt"), str)
    }


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MOST_EVENTS
