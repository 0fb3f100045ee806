"""Reads callbacks of Agave Jobs, and of Aloe, its successor at TACC. The body is the job's own document there."""

from typing import Any, Final

from pipelinejobs.messages.external import External, named
from pipelinejobs.messages.fields import BLANKS
from pipelinejobs.messages.form import Form, Key
from pipelinejobs.messages.report import Report
from pipelinejobs.messages.statuses import as_word

LINKS: Final = "_links"
"""The key by which the two are distinguished: an object in Agave's callbacks, absent from Aloe's."""

_BOTH: Final = (Key("appId", str), Key("executionSystem", str), Key("owner", str), Key("status", str))
_ID: Final = Key("id", str, required=False)

AGAVE: Final = Form("agave", "an Agave callback", (*_BOTH, _ID, Key(LINKS, dict)))
ALOE: Final = Form(
    "aloe", "an Aloe callback", (*_BOTH, Key("tenantId", str), Key("tenantQueue", str), _ID), absent=(LINKS,)
)

RUNTIME_EVENT: Final = "CUSTOM_USER_JOB_EVENT_NAME"
"""A key in the body of every event that a running job sends by itself."""

PERMISSION: Final = ("job", "permission")
"""The keys in the body of an event about permissions."""

LEFT_OUT: Final = frozenset({LINKS, "retries", "localId"})
"""The keys of a callback that are not stored, because they are bulky or useless."""


def read(body: dict[str, Any], status: str | None = None, *, leniently: bool = False) -> Report | None:
    """The report in a body, or None if the body is not a callback of Agave or Aloe.

    Args:
        body: the message's object.
        status: the status in the delivery's parameters. If there is one, the body's is ignored.
        leniently: whether a callback is recognised by its keys alone, with values of any type but a text as status.
    """
    form = next((form for form in (AGAVE, ALOE) if (_resembles(form, body) if leniently else form.fits(body))), None)
    if form is None:
        return None
    job_id = body.get("id")
    data = {key: value for key, value in body.items() if key not in LEFT_OUT}
    return Report(
        system=form.name,
        job=(job_id.strip(BLANKS) or None) if isinstance(job_id, str) else None,
        status=as_word(body["status"] if status is None else status),
        data=data,
        content=data,
    )


def external_in(data: object) -> External | None:
    """The external job of a callback that was stored as these data, without the keys in `LEFT_OUT`, or None.

    Args:
        data: the data of a history entry, from any program.
    """
    if not isinstance(data, dict):
        return None
    report = read(data) or read({**data, LINKS: {}})
    return named(report.system, report.job) if report is not None else None


def has_no_status(body: object) -> bool:
    """Whether a body is one of those that Agave sends without a status.

    These are: an empty object; an event that a running job sends by itself, with variables of the job; a permission
    that was granted or revoked.
    """
    return isinstance(body, dict) and (not body or RUNTIME_EVENT in body or all(key in body for key in PERMISSION))


def _resembles(form: Form, body: dict[str, Any]) -> bool:
    return form.has_keys(body) and isinstance(body["status"], str)
