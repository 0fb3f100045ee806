"""Callbacks of Agave Jobs, and of Aloe, TACC's Jobs service after it. The body is the job's own document."""

from typing import Any, Final

from pipelinejobs.messages.fields import BLANKS
from pipelinejobs.messages.report import Report
from pipelinejobs.messages.statuses import as_word

TEXTS: Final = ("appId", "executionSystem", "owner", "status")
"""The keys that hold text in every callback of either system."""

ALOE_TEXTS: Final = ("tenantId", "tenantQueue")
"""The keys that hold text in Aloe's callbacks beside these."""

LINKS: Final = "_links"
"""The key that holds an object in Agave's callbacks and is absent from Aloe's."""

RUNTIME_EVENT: Final = "CUSTOM_USER_JOB_EVENT_NAME"
"""A key that is in the body of every event that a running job sends itself."""

PERMISSION: Final = ("job", "permission")
"""The keys in the body of an event about permissions."""

LEFT_OUT: Final = frozenset({LINKS, "retries", "localId"})
"""What is not kept of a callback: bulky, or of no use."""


def read(body: dict[str, Any], status: str | None = None, *, leniently: bool = False) -> Report | None:
    """The report in a body, or None when the body is not a callback of Agave or Aloe.

    Args:
        body: the message's object.
        status: the status that the delivery's parameters say; it counts for more than the body's.
        leniently: whether the keys alone tell, and none but the status has to be text.
    """
    system = _system(_as_if_good(body) if leniently else body)
    if system is None:
        return None
    name = body.get("id")
    kept = {key: value for key, value in body.items() if key not in LEFT_OUT}
    return Report(
        system=system,
        job=(name.strip(BLANKS) or None) if isinstance(name, str) else None,
        status=as_word(body["status"] if status is None else status),
        data=kept,
        said=kept,
    )


def has_no_status(body: object) -> bool:
    """Whether a body is one of those in which Agave says no status: nothing; an event that a running job sends itself,
    whose variables are the job's own; or that a permission was given or taken."""
    return isinstance(body, dict) and (not body or RUNTIME_EVENT in body or all(key in body for key in PERMISSION))


def _as_if_good(body: dict[str, Any]) -> dict[str, Any]:
    """The body, with values of the right types for all keys that it has but the status."""
    texts: dict[str, Any] = {key: "" for key in (*TEXTS, *ALOE_TEXTS, "id") if key in body and key != "status"}
    return {**body, **texts, **({LINKS: {}} if LINKS in body else {})}


def _system(body: dict[str, Any]) -> str | None:
    if not _hold_text(body, TEXTS) or not isinstance(body.get("id", ""), str):
        return None
    if LINKS in body:
        return "agave" if isinstance(body[LINKS], dict) else None
    return "aloe" if _hold_text(body, ALOE_TEXTS) else None


def _hold_text(body: dict[str, Any], keys: tuple[str, ...]) -> bool:
    return all(isinstance(body.get(key), str) for key in keys)
