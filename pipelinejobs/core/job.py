"""A job as the decision sees it: what is stored, without the history itself."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from pipelinejobs.util.record import shown

MOST_EVENTS: Final = 2**53
"""More events than any job has; a larger number is damage, and could not grow for long."""


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
        sender: the authenticated user it came from; None where a former version did not write that down, then it is
            good from anyone.
        token: its hash.
        attempt: the job's attempt in which it was trusted; empty where that was not written down.
    """

    sender: str | None
    token: str
    attempt: str = ""


class Job(NamedTuple):
    """One job as it was read, and the base of every decision about it.

    Attributes:
        key: the document's `_id`.
        uuid: the job's uuid.
        state, last_event, revision: as stored; a write is guarded by state and revision.
        life: uuid of the `create` entry. A job that was deleted and made again has another one.
        attempt: uuid of the newest `reset` entry, else of the `create` entry.
        admin: the stored `_admin`, part of the token; `has_admin` tells null from absent.
        salt: the present `_salt`; None where there is none (then no job token exists).
        tokens: hashes of tokens remembered by us, oldest first; None where we never saw this life before.
        trusted: tokens trusted on first use; None for a job that gave no reason to trust any.
        former_tokens: hashes of tokens of lives of the job that are over; none of them is ever trusted.
        others_attempt: whether another program began the present attempt, by a reset of its own.
        alone: whether this project made the job, and no other program is known to write to it.
        externals: attempt by digest of the external job's name (see `identity.external_digest`).
        entries: how many entries the embedded history holds; moved: how many were moved out of it.
        size: bytes of the whole document.
        former_life: whether the document still carries our fields of a life that is over.
        outdated: fields of former versions, to be removed at the next write.
        damage: why nothing can be written to this document; None for a sound one.
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
    entries: int = 1
    moved: int = 0
    size: int = 0
    former_life: bool = False
    outdated: tuple[str, ...] = ()
    damage: str | None = None

    def __repr__(self) -> str:
        return shown(self, "key", "salt", "tokens", "trusted", "former_tokens")
