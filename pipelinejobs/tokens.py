"""Job tokens and administrative tokens: how they are made, and what one allows.

The formulas are python-datacatalog's (branch 2_2), so that tokens made by other agents are good here. Job tokens
have 64 bits because their issuers chose so; guessing is slowed by the credential that a delivery needs.
"""

import hmac
from collections.abc import Iterable
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final, NamedTuple

from fsm.lifecycle import ADMINISTRATIVE, RESERVED
from pipelinejobs.job import Job
from pipelinejobs.messages.event import Event
from pipelinejobs.secret import Secret

LENGTH: Final = 16
"""Hex digits of a token."""

NO_SUCH_JOB: Final = "there is no such job, or the token is not one of its tokens"
"""The refusal of a wrong token and of an unknown job alike."""

_NEWEST_SALTS: Final = 8
_INDEXERS_EVENTS: Final = frozenset({"index", "indexed"})


class Authority(StrEnum):
    """What the token of an event, or its sender, has shown."""

    NONE = "none"
    JOB = "job token"
    ADMINISTRATIVE = "administrative token"
    INDEXER = "trusted indexer"
    FIRST_USE = "token of first use"


class Policy(NamedTuple):
    """The settings `tokens.*`. Without key and secret no administrative token exists."""

    admin_key: Secret | None = None
    admin_secret: Secret | None = None
    admin_lifetime: int = 3600
    trust_on_first_use: bool = False
    trusted_indexers: frozenset[str] = frozenset()


def job_token(uuid: str, salt: str, admin: Any = None, *, has_admin: bool = True) -> str:
    """The token of a job under one salt.

    Args:
        uuid: the job's uuid.
        salt: the document's `_salt` of the moment.
        admin: the document's `_admin`, with its keys in stored order: another order gives another token.
        has_admin: False when the document has no `_admin` at all.
    """
    record = [uuid, admin] if has_admin else [uuid]
    return _digest(f"{salt}:{record!r}")


def admin_token(secret: str, key: str, lifetime: int, time: float) -> str:
    """The administrative token of the window that `time` (seconds since 1970 UTC) lies in."""
    window = str(int(int(time) / lifetime))
    return _digest(":".join((secret, key, *window)))


def admin_tokens(policy: Policy, time: float) -> tuple[str, ...]:
    """The administrative tokens good at `time`: the present window's and the one before. None without both settings."""
    if not (policy.admin_key and policy.admin_secret):
        return ()
    secret, key, lifetime = policy.admin_secret.reveal(), policy.admin_key.reveal(), policy.admin_lifetime
    return tuple(admin_token(secret, key, lifetime, moment) for moment in (time, int(time) - lifetime))


def pin(uuid: str, token: Secret) -> str:
    """What is stored of a token that was taken on first use: a versioned hash, never the token."""
    return "v1:" + sha256(f"first-use|{uuid}|{token.reveal()}".encode()).hexdigest()


def same(shown: Secret | str, expected: Secret | str) -> bool:
    """Whether two texts are the same, in time that does not depend on where they differ or how long they are."""
    return hmac.compare_digest(_full_digest(shown), _full_digest(expected))


def remembered(job: Job) -> list[str]:
    """The salts to keep with the job: the first and the newest eight, the present one included.

    A foreign writer changes `_salt` at each of its events; the tokens given out before must stay good.
    """
    salts = list(job.salts or ())
    if job.salt is not None and job.salt not in salts:
        salts.append(job.salt)
    return salts if len(salts) <= _NEWEST_SALTS + 1 else [salts[0], *salts[-_NEWEST_SALTS:]]


def authority(job: Job | None, event: Event, policy: Policy, time: float) -> Authority:
    """What the event's token and sender have shown for this job.

    Args:
        job: the job as stored; None for one that does not exist, which takes the same steps and shows nothing.
        time: seconds since 1970 UTC, for administrative tokens.
    """
    if event.token is None:
        trusted = event.sender is not None and event.sender in policy.trusted_indexers
        return Authority.INDEXER if job and trusted and event.name in _INDEXERS_EVENTS else Authority.NONE
    administrative = _any_same(event.token, admin_tokens(policy, time))
    known = _any_same(event.token, _job_tokens(job or _NO_JOB))
    if job is None:
        return Authority.NONE
    if administrative:
        return Authority.ADMINISTRATIVE
    if known or (job.token_pin is not None and same(pin(job.uuid, event.token), job.token_pin)):
        return Authority.JOB
    if policy.trust_on_first_use and event.sender and event.token and job.salts is None and job.revision > 0:
        return Authority.FIRST_USE
    return Authority.NONE


def refusal(shown: Authority, event: Event) -> str | None:
    """Why an event with this authority is refused; None when it is allowed.

    The text depends on what the sender sent alone, so that an unknown job and a wrong token look alike.
    """
    if shown is Authority.NONE and event.token is None:
        return "no token was given; an event needs the token of its job"
    if shown is Authority.NONE:
        return NO_SUCH_JOB
    if event.name in RESERVED:
        reason = f"{event.name} is reserved for the agents that create jobs; no token allows it in a message"
    elif event.name in ADMINISTRATIVE and shown is not Authority.ADMINISTRATIVE:
        reason = f"{event.name} takes an administrative token; a job token is not enough"
    else:
        return None
    return reason if is_shown(shown) else NO_SUCH_JOB


def is_shown(authority: Authority) -> bool:
    """Whether the sender has shown something that is known to belong to the job, and may be told how it stands."""
    return authority not in (Authority.NONE, Authority.FIRST_USE)


def _job_tokens(job: Job) -> Iterable[str]:
    return [job_token(job.uuid, salt, job.admin, has_admin=job.has_admin) for salt in remembered(job)]


def _any_same(shown: Secret, expected: Iterable[str]) -> bool:
    return any([same(shown, token) for token in expected])  # noqa: C419 - all are compared, so that time tells nothing


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:LENGTH]


def _full_digest(text: Secret | str) -> bytes:
    return sha256((text.reveal() if isinstance(text, Secret) else text).encode()).digest()


_NO_JOB: Final = Job(key=None, uuid="", state="", life="", attempt="", salt="no such job")
