"""Recognises which form of message a body is, or was meant to be, and lists what is wrong with it."""

from itertools import chain, islice
from typing import Any, Final

from pipelinejobs.messages import values as stored
from pipelinejobs.messages.agave import AGAVE, ALOE, LINKS
from pipelinejobs.messages.body import WRAPPINGS, is_wrapping
from pipelinejobs.messages.form import Form
from pipelinejobs.messages.json_event import EVENT
from pipelinejobs.messages.tapis import TAPIS
from pipelinejobs.messages.values import wrong_type
from pipelinejobs.util.errors import Malformed

MOST_PROBLEMS: Final = 20
"""The most problems of one body that are listed."""

NO_FORM: Final = "names no event; send a JSON event with `uuid` and `name`, or add the parameters `uuid` and `event`"
"""The problem of a body that resembles no form, and of a delivery without a body."""

_TAPIS_KEYS: Final = frozenset({"subscriptionName", "eventUuid", "deliveryTarget"})
_AGAVE_KEYS: Final = frozenset({*AGAVE.names, *ALOE.names} - {"id"})
_EVENT_KEYS: Final = frozenset({*EVENT.names, "event"})


def form_of(body: dict[str, Any]) -> Form | None:
    """The form that a body is, or was probably meant to be; None if it resembles none."""
    for form in (AGAVE, ALOE):
        if form.fits(body):
            return form
    if isinstance(body.get("event"), dict) or not _TAPIS_KEYS.isdisjoint(body):
        return TAPIS
    if len(_AGAVE_KEYS.intersection(body)) > 1:  # a single one, such as `status` or `owner`, is too little
        return ALOE if "tenantId" in body and LINKS not in body else AGAVE
    return None if _EVENT_KEYS.isdisjoint(body) else EVENT


def refusal(body: dict[str, Any] | None) -> Malformed:
    """The error for a delivery that is no form of message: the first problem, judged by the form that it resembles.

    Args:
        body: the message's object; None if there is no body.
    """
    form = None if body is None else form_of(body)
    found = None if form is None or body is None else next(form.problems(body), None)
    return found or Malformed("body", NO_FORM)


def problems(body: Any) -> list[str]:
    """The problems of a body, at most `MOST_PROBLEMS`, as sentences that begin with the path; empty if there are none.

    The body is checked without its envelope, against the form that it resembles.
    """
    for _ in range(WRAPPINGS):
        if isinstance(body, dict) and is_wrapping(body):
            body = body["message"]
    if not isinstance(body, dict):
        return [Malformed("body", wrong_type("an object", body)).reason]
    form = form_of(body)
    if form is None:
        return [Malformed("body", NO_FORM).reason]
    found = chain(form.problems(body), stored.problems(body))
    return list(dict.fromkeys(problem.reason for problem in islice(found, MOST_PROBLEMS)))
