"""The job document: its fields, and how a job is read from it. `store.job_update` makes what is written.

The fields without an underscore, `_visible`, `_properties`, `_admin` and `_salt` are shared with python-datacatalog and
have its types. This project's own fields, which python-datacatalog's writes keep, are:

=============== ==================================================================================
`_life`         uuid of the `create` entry to which the other own fields belong
`_attempt`      uuid of the newest `reset` entry, else of the `create` entry
`_tokens`       hashes of remembered tokens: the first and the newest eight
`_first_use`    tokens trusted on first use: `{sender, token: hash, attempt}`; absent without a reason to trust
`_theirs`       uuid of the newest `reset` entry by another program; written with the next event
`_former_tokens` hashes of tokens of the job's former lives
`_alone`        true in a job that this project made and no other program is known to have changed
`_externals`    which external job belongs to which attempt: `{id: digest, attempt: uuid}`
`_time_limit`   the job system's limit: `{attempt, external: digest, seconds, running_since, overdue_from}`
`_external`     the newest external job, by name: `{system, id, attempt: uuid}`
`_outbox`       messages to other actors that are not delivered yet; see `store.outbox`
`_moved`        how many history entries were moved to `jobs_history`
`_execution`    id of the execution that wrote the newest event
`_salts`        salts stored by a former version; read, and replaced at the next write
`_token_pin`    hash of a trusted token stored by a former version; read, and replaced at the next write
=============== ==================================================================================

If python-datacatalog makes a job again in place, it keeps fields that it does not know, and writes another `create`
entry. `_life` then does not match, and all own fields count as absent.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from fsm.lifecycle import STATES
from pipelinejobs.core.job import Entry, Job, TimeLimit, Trusted, is_count, is_revision
from pipelinejobs.core.tokens import salt_hash
from pipelinejobs.messages import external
from pipelinejobs.messages.external import External
from pipelinejobs.messages.time_limit import LONGEST

OURS: Final = (
    "_life",
    "_attempt",
    "_tokens",
    "_first_use",
    "_theirs",
    "_alone",
    "_externals",
    "_time_limit",
    "_external",
    "_moved",
    "_outbox",
    "_execution",
)
OUTDATED: Final = ("_salts", "_token_pin")
FORMER: Final = "_former_tokens"
_MOST_FORMER: Final = 18

OWN: Final = frozenset({*OURS, *OUTDATED, FORMER})
"""The fields of a job that belong to this project."""

_ENTRIES: Final = {"$cond": [{"$isArray": "$history"}, "$history", []]}

_FIRST: Final = {"$let": {"vars": {"entry": {"$first": _ENTRIES}}, "in": "$$entry.uuid"}}
# `$in` is safe for whatever type another program stored as a name; string operators would fail.
_IS_RESET: Final = {"$in": ["$$this.name", ["reset", "RESET", "Reset"]]}
_RESETS: Final = {"$map": {"input": {"$filter": {"input": _ENTRIES, "cond": _IS_RESET}}, "in": "$$this.uuid"}}

OF_PRESENT_ATTEMPT: Final[dict[str, Any]] = {
    "$expr": {
        "$and": [
            {"$eq": ["$_life", _FIRST]},
            {"$eq": ["$_time_limit.attempt", {"$ifNull": [{"$last": _RESETS}, "$_attempt"]}]},
        ]
    }
}
"""The condition that `_time_limit` is of the job's present attempt: another program may have begun a new one."""

HEAD: Final[dict[str, Any]] = {
    "uuid": 1,
    "state": 1,
    "last_event": 1,
    "updated": 1,
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
    "_time_limit": 1,
    "_external": 1,
    "_moved": 1,
    "first": _FIRST,
    "resets": _RESETS,
    "entries": {"$size": _ENTRIES},
    "size": {"$bsonSize": "$$ROOT"},
    "types": {"history": {"$type": "$history"}, "outbox": {"$type": "$_outbox"}},
}
"""Projection of a job without its history and user data: reading it costs the same for any length of history."""

_TAIL_LENGTH: Final = 32
TAIL: Final[dict[str, Any]] = {
    "uuid": 1,
    "newest": {"$slice": [{"$map": {"input": _ENTRIES, "in": "$$this.uuid"}}, -_TAIL_LENGTH]},
    "entries": {"$size": _ENTRIES},
}
"""Projection of the uuids of the newest history entries; see `added`."""


def added(document: Mapping[str, Any]) -> dict[Any, int]:
    """The index of each of the newest entries in the embedded history, by uuid. `document` was read with `TAIL`."""
    first = document["entries"] - len(document["newest"])
    return {uuid: first + place for place, uuid in enumerate(document["newest"]) if isinstance(uuid, str)}


def presence(uuids: list[str]) -> dict[str, Any]:
    """Projection of a job's life (`first`), and of those of these uuids that the embedded history has (`present`)."""
    embedded = {"$map": {"input": _ENTRIES, "in": "$$this.uuid"}}
    return {"uuid": 1, "first": _FIRST, "present": {"$setIntersection": [embedded, {"$literal": uuids}]}}


def moved_key(life: str, uuid: str) -> str:
    """The `_id` of a history entry in `jobs_history`: made of the job's life and the entry's uuid."""
    return f"{life}:{uuid}"


def to_job(document: Mapping[str, Any]) -> Job:
    """The job in a document read with `HEAD`. Never raises: `Job.damage` says what is wrong with the document."""
    life = _text(document.get("first"))
    former_life = document.get("_life") not in (life, None)
    ours = {} if former_life else document
    revision = _revision(document)
    attempt = _attempt(document, ours) or life
    job = Job(
        key=document["_id"],
        uuid=_text(document.get("uuid")),
        state=_text(document.get("state")),
        last_event=_text(document.get("last_event")) or None,
        updated=_date(document.get("updated")),
        revision=revision if _is_number(revision) else 0,
        life=life,
        attempt=attempt,
        # Each event of this project writes the attempt it knew; before the first event that is the life itself.
        others_attempt=attempt != (ours.get("_attempt") or life) or attempt == ours.get("_theirs"),
        admin=document.get("_admin"),
        has_admin="_admin" in document,
        salt=_text_or_none(document.get("_salt")),
        trusted=_trusted(ours),
        alone=ours.get("_alone") is True,
        externals=_externals(ours.get("_externals")),
        time_limit=_time_limit(ours.get("_time_limit"), attempt),
        external=_external(ours.get("_external"), attempt),
        entries=int(document.get("entries", 0)),
        moved=ours["_moved"] if is_count(ours.get("_moved")) else 0,
        size=int(document.get("size", 0)),
        former_life=former_life,
        outdated=tuple(name for name in OUTDATED if name in ours),
        damage=_damage(document, life, revision, ours.get("_moved")),
    )
    return job._replace(tokens=_tokens(job, ours), former_tokens=_former_tokens(job, document))


def to_entry(value: Mapping[str, Any]) -> Entry:
    """The history entry in a stored value (see `verbatim.value`), whatever another program stored there."""
    return Entry(
        uuid=_text(value.get("uuid")),
        name=_text(value.get("name")),
        data=value.get("data"),
        date=value.get("date"),  # type: ignore[arg-type]  # another program may have left it out
    )


def _revision(document: Mapping[str, Any]) -> Any:
    """The stored revision, of any type: another program may have written it."""
    properties = document.get("_properties")
    return properties.get("revision") if isinstance(properties, dict) else None


def _attempt(document: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    """The newest embedded `reset` entry, else the stored `_attempt`; empty if there is neither."""
    resets = [uuid for uuid in document.get("resets", ()) if isinstance(uuid, str)]
    return resets[-1] if resets else _text(ours.get("_attempt"))


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
    if not is_revision(revision):
        return "_properties.revision is not a number of events"
    if moved_entries is not None and not is_count(moved_entries):
        return "_moved is not a number of entries"
    if types.get("outbox") not in ("array", "missing"):
        return "_outbox is not an array"
    return None


def _tokens(job: Job, ours: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The hashes of remembered tokens, also of salts that a former version stored; None if there are neither."""
    hashes, salts = ours.get("_tokens"), ours.get("_salts")
    if not isinstance(hashes, list) and not isinstance(salts, list):
        return None
    former = [salt_hash(job, salt) for salt in _texts(salts)]
    return tuple(dict.fromkeys([*_texts(hashes), *former]))


def _former_tokens(job: Job, document: Mapping[str, Any]) -> tuple[str, ...]:
    """The hashes of tokens of the job's former lives, the newest last."""
    of_last = _tokens(job, document) if job.former_life else None
    return tuple(dict.fromkeys([*_texts(document.get(FORMER)), *(of_last or ())]))[-_MOST_FORMER:]


def _texts(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _trusted(ours: Mapping[str, Any]) -> tuple[Trusted, ...] | None:
    rows, pin = ours.get("_first_use"), _text(ours.get("_token_pin"))
    if not isinstance(rows, list) and not pin:
        return None
    stored = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    known = [
        Trusted(row.get("sender"), row["token"], _text(row.get("attempt")))
        for row in stored
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


def _time_limit(value: Any, attempt: str) -> TimeLimit | None:
    """The time limit of the present attempt; None if there is none, or it is of another attempt."""
    if not isinstance(value, dict) or value.get("attempt") != attempt:
        return None
    seconds = value.get("seconds")
    known = seconds if isinstance(seconds, int) and is_count(seconds) and 0 < seconds <= LONGEST else None
    return TimeLimit(attempt, _text_or_none(value.get("external")), known, _date(value.get("running_since")))


def _date(value: Any) -> datetime | None:
    return value if isinstance(value, datetime) else None


def _external(value: Any, attempt: str) -> External | None:
    """The external job in a stored row, if it is one of the present attempt."""
    if not isinstance(value, dict) or value.get("attempt") != attempt:
        return None
    return external.named(value.get("system"), value.get("id"))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
