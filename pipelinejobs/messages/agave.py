"""Callbacks of Agave Jobs, and of Aloe, TACC's Jobs service after it. The body is the job's own document."""

from typing import Any, Final

from pipelinejobs.messages.fields import BLANKS
from pipelinejobs.messages.form import Form, Key
from pipelinejobs.messages.report import Report
from pipelinejobs.messages.statuses import as_word

LINKS: Final = "_links"
"""The key by which the two are told apart: an object in Agave's callbacks, absent from Aloe's."""

_BOTH: Final = (Key("appId", str), Key("executionSystem", str), Key("owner", str), Key("status", str))
_ID: Final = Key("id", str, required=False)

AGAVE: Final = Form("agave", "an Agave callback", (*_BOTH, _ID, Key(LINKS, dict)))
ALOE: Final = Form(
    "aloe", "an Aloe callback", (*_BOTH, Key("tenantId", str), Key("tenantQueue", str), _ID), absent=(LINKS,)
)

RUNTIME_EVENT: Final = "CUSTOM_USER_JOB_EVENT_NAME"
"""A key in the body of every event that a running job sends itself."""

PERMISSION: Final = ("job", "permission")
"""The keys in the body of an event about permissions."""

LEFT_OUT: Final = frozenset({LINKS, "retries", "localId"})
"""What is not kept of a callback: bulky, or of no use."""


def read(body: dict[str, Any], status: str | None = None, *, leniently: bool = False) -> Report | None:
    """The report in a body, or None when the body is not a callback of Agave or Aloe.

    Args:
        body: the message's object.
        status: the status in the delivery's parameters; where there is one, the body's is ignored.
        leniently: whether a callback is recognised by its keys alone; then only the status must be text.
    """
    form = next((form for form in (AGAVE, ALOE) if (_resembles(form, body) if leniently else form.fits(body))), None)
    if form is None:
        return None
    name = body.get("id")
    kept = {key: value for key, value in body.items() if key not in LEFT_OUT}
    return Report(
        system=form.name,
        job=(name.strip(BLANKS) or None) if isinstance(name, str) else None,
        status=as_word(body["status"] if status is None else status),
        data=kept,
        said=kept,
    )


def has_no_status(body: object) -> bool:
    """Whether a body is one of those that Agave sends without a status: an empty one; one of an event that a running
    job sends itself, with variables of the job; or one about a permission that was granted or revoked."""
    return isinstance(body, dict) and (not body or RUNTIME_EVENT in body or all(key in body for key in PERMISSION))


def _resembles(form: Form, body: dict[str, Any]) -> bool:
    return form.has_keys(body) and isinstance(body["status"], str)
