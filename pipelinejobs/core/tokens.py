"""Job tokens and administrative tokens: how they are made, and what one allows.

The formulas are python-datacatalog's (branch 2_2), so that tokens made by other agents are good here. Job tokens
have 64 bits because their issuers chose so; guessing is slowed by the credential that a delivery needs.

python-datacatalog changes a job's salt, and so its token, at each of its own events. The tokens given out before stay
good: their hashes are remembered in the job (`remembered`), never the salts, of which anyone who may read the job
could make the tokens.
"""

import hmac
from collections.abc import Iterable
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final, NamedTuple

from fsm.lifecycle import ADMINISTRATIVE, INITIAL, RESERVED
from pipelinejobs.core.job import Job, Trusted
from pipelinejobs.messages.event import Event
from pipelinejobs.util.secret import Secret

LENGTH: Final = 16
"""Hex digits of a token."""

NO_SUCH_JOB: Final = "there is no such job, or the token is not one of its tokens"
"""The refusal of a wrong token and of an unknown job alike."""

_NEWEST: Final = 8
_MOST_TRUSTED: Final = 100
"""Senders whose token one job trusts on first use; each has shown a credential of its own."""
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
    trust_on_first_use: bool = True
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


def token_hash(uuid: str, token: str) -> str:
    """What is stored of a token of this job: a versioned hash, never the token.

    The first hashes that were stored were of tokens trusted on first use, hence the word in it.
    """
    return "v1:" + sha256(f"first-use|{uuid}|{token}".encode("utf-8", "surrogatepass")).hexdigest()


def token_under(job: Job, salt: str) -> str:
    """The token that the job has under this salt."""
    return job_token(job.uuid, salt, job.admin, has_admin=job.has_admin)


def salt_hash(job: Job, salt: str) -> str:
    """The hash of the token that the job has under this salt."""
    return token_hash(job.uuid, token_under(job, salt))


def same(shown: Secret | str, expected: Secret | str) -> bool:
    """Whether two texts are the same, in time that does not depend on where they differ or how long they are."""
    return hmac.compare_digest(_full_digest(shown), _full_digest(expected))


def remembered(job: Job) -> list[str]:
    """The hashes of tokens to keep with the job: the first and the newest eight, the present token's included."""
    hashes = list(job.tokens or ())
    if job.salt is not None and (present := salt_hash(job, job.salt)) not in hashes:
        hashes.append(present)
    return hashes if len(hashes) <= _NEWEST + 1 else [hashes[0], *hashes[-_NEWEST:]]


def was_rotated(job: Job) -> bool:
    """Whether a token of the job may have been given out, and the salt changed, before this project saw the job.

    So it is where something has happened to a job of which no token is remembered; and where python-datacatalog itself
    has reset a job for another run. A job that it has made again is none of these: it keeps counting its revision, but
    its present token is the one that was given out with it.
    """
    has_happened = job.revision > 0 and (job.entries + job.moved > 1 or job.state != INITIAL)
    return job.trusted is not None or job.others_attempt or (job.tokens is None and has_happened)


def authority(job: Job | None, event: Event, policy: Policy, time: float) -> Authority:
    """What the event's tokens and sender have shown for this job; of two tokens one that is good is enough.

    Args:
        job: the job as stored; None for one that does not exist, which takes the same steps and shows nothing.
        time: seconds since 1970 UTC, for administrative tokens.
    """
    if not event.tokens:
        trusted = event.sender is not None and event.sender in policy.trusted_indexers
        return Authority.INDEXER if job and trusted and event.name in _INDEXERS_EVENTS else Authority.NONE
    of_job = job or _NO_JOB
    administrative = _any_same(event.tokens, admin_tokens(policy, time))
    shown = [token_hash(of_job.uuid, token.reveal()) for token in event.tokens]
    known = _any_same(shown, [*remembered(of_job), *_trusted_of(of_job, event.sender)])
    if job is None:
        return Authority.NONE
    if administrative:
        return Authority.ADMINISTRATIVE
    if known:
        return Authority.JOB
    if policy.trust_on_first_use and first_use(job, event) is not None:
        return Authority.FIRST_USE
    return Authority.NONE


def first_use(job: Job, event: Event) -> Trusted | None:
    """The trust in the event's token that comes with its application; None where there is no reason for any.

    python-datacatalog's `run()` changes the salt before the first callback comes. Unless this project saw the job
    before, the token in the callback can never be known. So it is believed: one for each authenticated sender in each
    attempt, that no sender can lock out another.
    """
    rows = job.trusted or ()
    token = next((token.reveal() for token in event.tokens if token), None)
    if token is None or not event.sender or not was_rotated(job) or len(rows) >= _MOST_TRUSTED:
        return None
    shown = token_hash(job.uuid, token)
    taken = any(row.sender in (None, event.sender) and row.attempt in ("", job.attempt) for row in rows)
    if taken or _any_same([shown], job.former_tokens):
        return None
    return Trusted(event.sender, shown, job.attempt)


def refusal(shown: Authority, event: Event) -> str | None:
    """Why an event with this authority is refused; None when it is allowed.

    The text depends on what the sender sent alone, so that an unknown job and a wrong token look alike.
    """
    if shown is Authority.NONE and not event.tokens:
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


def _trusted_of(job: Job, sender: str | None) -> Iterable[str]:
    return [row.token for row in job.trusted or () if row.sender is None or row.sender == sender]


def _any_same(shown: Iterable[Secret | str], expected: Iterable[str]) -> bool:
    pairs = [(one, other) for one in shown for other in expected]
    return any([same(*pair) for pair in pairs])  # noqa: C419 - all are compared, so that time tells nothing


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:LENGTH]


def _full_digest(text: Secret | str) -> bytes:
    return sha256((text.reveal() if isinstance(text, Secret) else text).encode()).digest()


_NO_JOB: Final = Job(key=None, uuid="", state="", life="", attempt="", salt="no such job")
