"""Job tokens and administrative tokens: how they are made, and what each allows.

The formulas are python-datacatalog's (branch 2_2), so that tokens made by other agents are valid here. They fix the
length of a job token at 64 bits. Guessing is slow, because each delivery also needs a credential for the gateway or
for Abaco.

python-datacatalog changes a job's salt, and so its token, at each of its own events. Tokens issued before stay valid:
their hashes are stored in the job (`remembered`). The salts are not, because any user who may read the job could
compute its tokens from them.
"""

import hmac
from collections.abc import Collection, Iterable
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final, NamedTuple

from fsm.lifecycle import ADMINISTRATIVE, INITIAL, RESERVED
from pipelinejobs.core.job import Job, Trusted
from pipelinejobs.messages.event import Event
from pipelinejobs.util.secret import Secret

LENGTH: Final = 16
"""The number of hex digits of a token."""

NO_SUCH_JOB: Final = "there is no such job, or the token is not one of its tokens"
"""The reason for a wrong token and for an unknown job alike, so that a sender cannot find out which jobs exist."""

_NEWEST: Final = 8
_MOST_TRUSTED: Final = 100
"""The most tokens that one job trusts on first use. Each came from an authenticated sender."""
_INDEXERS_EVENTS: Final = frozenset({"index", "indexed"})


class Authority(StrEnum):
    """The authority that an event's token, or its sender, gives."""

    NONE = "none"
    JOB = "job token"
    ADMINISTRATIVE = "administrative token"
    INDEXER = "trusted indexer"
    FIRST_USE = "token of first use"


class Policy(NamedTuple):
    """The settings `tokens.*`. Without `admin_key` and `admin_secret` there are no administrative tokens.

    `admin_lifetime` is in seconds.
    """

    admin_key: Secret | None = None
    admin_secret: Secret | None = None
    admin_lifetime: int = 3600
    trust_on_first_use: bool = True
    trusted_indexers: frozenset[str] = frozenset()


def job_token(uuid: str, salt: str, admin: Any = None, *, has_admin: bool = True) -> str:
    """The token of a job that has this salt.

    Args:
        uuid: the job's uuid.
        salt: the document's `_salt`.
        admin: the document's `_admin`, with its keys in stored order, because another order gives another token.
        has_admin: False if the document has no `_admin`; null is not the same.
    """
    record = [uuid, admin] if has_admin else [uuid]
    return _digest(f"{salt}:{record!r}")


def admin_token(secret: str, key: str, lifetime: int, time: float) -> str:
    """The administrative token of the time window that contains `time` (seconds since 1970 UTC).

    Args:
        secret, key: `tokens.admin_secret` and `tokens.admin_key`.
        lifetime: the length of a window in seconds.
        time: any moment in the window.
    """
    window = str(int(int(time) / lifetime))
    return _digest(":".join((secret, key, *window)))


def admin_tokens(policy: Policy, time: float) -> tuple[str, ...]:
    """The administrative tokens valid at `time`: of this window and the one before; empty without the settings."""
    if not (policy.admin_key and policy.admin_secret):
        return ()
    secret, key, lifetime = policy.admin_secret.reveal(), policy.admin_key.reveal(), policy.admin_lifetime
    return tuple(admin_token(secret, key, lifetime, moment) for moment in (time, int(time) - lifetime))


def token_hash(uuid: str, token: str) -> str:
    """The hash under which a token of this job is stored.

    `first-use` is in it for every token, because the first stored hashes were of tokens trusted on first use.
    """
    return "v1:" + sha256(f"first-use|{uuid}|{token}".encode("utf-8", "surrogatepass")).hexdigest()


def token_under(job: Job, salt: str) -> str:
    """The token that the job has with this salt."""
    return job_token(job.uuid, salt, job.admin, has_admin=job.has_admin)


def salt_hash(job: Job, salt: str) -> str:
    """The hash of the token that the job has with this salt."""
    return token_hash(job.uuid, token_under(job, salt))


def same(shown: Secret | str, expected: Secret | str) -> bool:
    """Whether two texts are equal, compared in constant time: it does not depend on where they differ."""
    return hmac.compare_digest(_full_digest(shown), _full_digest(expected))


def remembered(job: Job) -> list[str]:
    """The hashes of tokens to store with the job: the first one and the newest eight, including the present token."""
    hashes = list(job.tokens or ())
    if job.salt is not None and (present := salt_hash(job, job.salt)) not in hashes:
        hashes.append(present)
    return hashes if len(hashes) <= _NEWEST + 1 else [hashes[0], *hashes[-_NEWEST:]]


def was_rotated(job: Job) -> bool:
    """Whether a token of the job may have been issued, and the salt changed, before this project saw the job.

    True if no token of the job is remembered although it has events, if python-datacatalog itself has reset the job for
    another run, and if one of these was found before. A job that python-datacatalog has just made again does not
    count: its revision goes on from the former life, but its present token is the one that was issued with it.
    """
    has_happened = job.revision > 0 and (job.entries + job.moved > 1 or job.state != INITIAL)
    return job.trusted is not None or job.others_attempt or (job.tokens is None and has_happened)


def authority(job: Job | None, event: Event, policy: Policy, time: float) -> Authority:
    """The authority that the event's tokens and its sender give for this job. One valid token of two is enough.

    Args:
        job: the job as stored; None if it does not exist. The same steps are then taken, so that the time they take
            does not tell, and the result is NONE.
        event: the event.
        policy: the settings for tokens.
        time: seconds since 1970 UTC, for administrative tokens.
    """
    if not event.tokens:
        trusted = event.sender is not None and event.sender in policy.trusted_indexers
        return Authority.INDEXER if job and trusted and event.name in _INDEXERS_EVENTS else Authority.NONE
    proven = authority_of(job, event.tokens, event.sender, policy, time)
    if proven is Authority.NONE and job and policy.trust_on_first_use and first_use(job, event) is not None:
        return Authority.FIRST_USE
    return proven


def authority_of(
    job: Job | None, shown: Collection[Secret], sender: str | None, policy: Policy, time: float
) -> Authority:
    """The authority of tokens that are known to be valid for this job: JOB, ADMINISTRATIVE or NONE.

    Args:
        job, policy, time: as for `authority`.
        shown: the tokens. One valid token is enough.
        sender: the authenticated user who shows them; a token trusted on first use counts for its own sender only.
    """
    of_job = job or _NO_JOB
    administrative = _any_same(shown, admin_tokens(policy, time))
    hashes = [token_hash(of_job.uuid, token.reveal()) for token in shown]
    known = _any_same(hashes, [*remembered(of_job), *_trusted_of(of_job, sender)])
    if job is None:
        return Authority.NONE
    if administrative:
        return Authority.ADMINISTRATIVE
    return Authority.JOB if known else Authority.NONE


def first_use(job: Job, event: Event) -> Trusted | None:
    """The token that will be trusted on first use if the event is applied; None if there is no reason to trust it.

    python-datacatalog's `run()` changes the salt before the first callback comes. If this project did not see the job
    before that, it cannot know the token in the callback. So one token of each authenticated sender is trusted in each
    attempt: one for each sender, so that no sender can lock out another.
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
    """Why an event with this authority is refused; None if it is allowed.

    The text depends only on what the sender sent, so that an unknown job and a wrong token look alike.
    """
    if shown is Authority.NONE and not event.tokens:
        return "the token is missing; an event needs the token of its job"
    if shown is Authority.NONE:
        return NO_SUCH_JOB
    if event.name in RESERVED:
        reason = f"{event.name} is reserved for the agents that create jobs; no token allows it in a message"
    elif event.name in ADMINISTRATIVE and shown is not Authority.ADMINISTRATIVE:
        reason = f"{event.name} needs an administrative token; a job token is not enough"
    else:
        return None
    return reason if is_shown(shown) else NO_SUCH_JOB


def is_shown(authority: Authority) -> bool:
    """Whether the sender has shown a token or name known to be valid for the job, and so may see the job's state."""
    return authority not in (Authority.NONE, Authority.FIRST_USE)


def _trusted_of(job: Job, sender: str | None) -> Iterable[str]:
    return [row.token for row in job.trusted or () if row.sender is None or row.sender == sender]


def _any_same(shown: Iterable[Secret | str], expected: Iterable[str]) -> bool:
    pairs = [(one, other) for one in shown for other in expected]
    return any([same(*pair) for pair in pairs])  # noqa: C419 - compares all pairs, so that the time tells nothing


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:LENGTH]


def _full_digest(text: Secret | str) -> bytes:
    return sha256((text.reveal() if isinstance(text, Secret) else text).encode()).digest()


_NO_JOB: Final = Job(key=None, uuid="", state="", life="", attempt="", salt="no such job")
