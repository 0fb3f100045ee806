"""A job as the rules see it: everything stored that they need, without the history entries."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from pipelinejobs.messages.external import External
from pipelinejobs.util.record import shown

MOST_EVENTS: Final = 2**53
"""A stored number of events has to be smaller: larger ones cannot be counted exactly in a double, and are damage."""


class Entry(NamedTuple):
    """One entry of a job's history, with the fields and types that python-datacatalog writes.

    Attributes:
        uuid: typed uuid, prefix 108.
        name: the event's name.
        data: the event's payload; None when it had none.
        date: UTC, whole seconds.
    """

    uuid: str
    name: str
    data: Any
    date: datetime


class Trusted(NamedTuple):
    """A token that was trusted on first use (`tokens.first_use`).

    Attributes:
        sender: the authenticated user who sent it; None if a former version stored it without the sender. It is then
            accepted from any sender.
        token: the token's hash.
        attempt: the job's attempt in which it was trusted; empty if a former version stored it without the attempt.
    """

    sender: str | None
    token: str
    attempt: str = ""


class Job(NamedTuple):
    """One job as it was read from the database.

    Attributes:
        key: the document's `_id`.
        uuid: the job's uuid.
        state, last_event, revision: as stored; the guard of a write compares state and revision.
        life: uuid of the `create` entry. If a job is deleted and made again, its life is another one.
        attempt: uuid of the newest `reset` entry, else of the `create` entry.
        admin: the stored `_admin`, part of the token; `has_admin` is False if the field is absent, which is not null.
        salt: the present `_salt`; None if there is none, so that the job has no token.
        tokens: hashes of remembered tokens, oldest first; None if this project has not written to this life of the job.
        trusted: tokens trusted on first use; None for a job without a reason to trust any (`tokens.was_rotated`).
        former_tokens: hashes of tokens of the job's former lives; none of them is ever trusted.
        others_attempt: whether another program began the present attempt, by writing a `reset`.
        alone: whether this project made the job, and no other program is known to write to it.
        externals: the attempt of each external job, by the digest of its name (`identity.external_digest`), the newest
            last.
        external: the newest external job of the present attempt; None if none is known by name.
        entries: how many entries the history in the document has.
        moved: how many entries were moved out of the document.
        size: the whole document's size in bytes.
        former_life: whether the document still has this project's fields of a former life.
        outdated: the names of stored fields of former versions, which the next write removes.
        damage: why the document cannot be written; None for a sound one.
    """

    key: Any
    uuid: str
    state: str
    life: str
    attempt: str
    last_event: str | None = None
    revision: int | float = 0
    admin: Any = None
    has_admin: bool = True
    salt: str | None = None
    tokens: tuple[str, ...] | None = None
    trusted: tuple[Trusted, ...] | None = None
    former_tokens: tuple[str, ...] = ()
    others_attempt: bool = False
    alone: bool = False
    externals: Mapping[str, str] = MappingProxyType({})
    external: External | None = None
    entries: int = 1
    moved: int = 0
    size: int = 0
    former_life: bool = False
    outdated: tuple[str, ...] = ()
    damage: str | None = None

    def __repr__(self) -> str:
        return shown(self, "key", "salt", "tokens", "trusted", "former_tokens")


def is_count(value: Any) -> bool:
    """Whether a stored value is a number of entries."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MOST_EVENTS


def is_revision(value: Any) -> bool:
    """Whether a stored value is a number of events. Other programs may store it as a double."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < MOST_EVENTS
