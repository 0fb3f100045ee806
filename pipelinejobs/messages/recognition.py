"""The forms of a body that says by itself what happened: which one a body is meant to be, and what is wrong with it."""

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
"""How many problems of one body are listed."""

NO_FORM: Final = (
    "says nothing of what happened; send a JSON event with `uuid` and `name`, or add the parameters `uuid` and `event`"
)
"""What a reason says of a body that looks like no form at all, or of a delivery without a body."""

_TAPIS_KEYS: Final = frozenset({"subscriptionName", "eventUuid", "deliveryTarget"})
_AGAVE_KEYS: Final = frozenset({*AGAVE.names, *ALOE.names} - {"id"})
_EVENT_KEYS: Final = frozenset({*EVENT.names, "event"})


def form_of(body: dict[str, Any]) -> Form | None:
    """The form that a body is, or was probably meant to be; None when it looks like none."""
    for form in (AGAVE, ALOE):
        if form.fits(body):
            return form
    if isinstance(body.get("event"), dict) or not _TAPIS_KEYS.isdisjoint(body):
        return TAPIS
    if len(_AGAVE_KEYS.intersection(body)) > 1:  # one alone, such as `status` or `owner`, says little
        return ALOE if "tenantId" in body and LINKS not in body else AGAVE
    return None if _EVENT_KEYS.isdisjoint(body) else EVENT


def refusal(body: dict[str, Any] | None) -> Malformed:
    """The error for a delivery that is no form of message: the first problem of the form that it looks like.

    Args:
        body: the message's object, where no parameter says what happened; None where there is no body.
    """
    form = None if body is None else form_of(body)
    found = None if form is None or body is None else next(form.problems(body), None)
    return found or Malformed("body", NO_FORM)


def problems(body: Any) -> list[str]:
    """Everything that is wrong with a body, as sentences that begin with the path; none: nothing is.

    The body is held against the form that it looks like, after it was unwrapped. At most `MOST_PROBLEMS` are listed.
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
    return list(islice(dict.fromkeys(problem.reason for problem in islice(found, MOST_PROBLEMS)), MOST_PROBLEMS))
