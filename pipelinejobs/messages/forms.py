"""Which form a body that is none of them looks like an attempt at, and what is wrong with it first."""

from enum import StrEnum
from typing import Any, Final

from pipelinejobs.messages import agave, json_event, tapis
from pipelinejobs.messages.values import wrong_type
from pipelinejobs.util.errors import Malformed


class Form(StrEnum):
    """The forms of a body that says by itself what happened, in words that a reason can use."""

    EVENT = "a JSON event"
    AGAVE = "an Agave callback"
    ALOE = "an Aloe callback"
    TAPIS = "a Tapis notification"


MOST_PROBLEMS: Final = 20
"""How many problems of one body are worded."""

NO_FORM: Final = (
    "says nothing of what happened; send a JSON event with `uuid` and `name`, or add the parameters `uuid` and `event`"
)
"""The sentence for a body that looks like no form at all, or for no body."""

WRONG_TYPE_OF_NOTIFICATION: Final = (
    f"must begin with `{tapis.TYPE_PREFIX}`: of Tapis, only the notifications of Jobs are read"
)

_FORM_OF_SYSTEM = {"agave": Form.AGAVE, "aloe": Form.ALOE, "tapis": Form.TAPIS}
_TAPIS_KEYS = frozenset({"subscriptionName", "eventUuid", "deliveryTarget"})
_AGAVE_KEYS = frozenset({*agave.TEXTS, *agave.ALOE_TEXTS, agave.LINKS})
_EVENT_KEYS = frozenset({*json_event.KEYS, "event"})


def form_of(body: dict[str, Any]) -> Form | None:
    """The form that a body is, or was probably meant to be; None when it looks like none."""
    report = agave.read(body) or tapis.read(body)
    if report is not None:
        return _FORM_OF_SYSTEM[report.system]
    if isinstance(body.get("event"), dict) or not _TAPIS_KEYS.isdisjoint(body):
        return Form.TAPIS
    if len(_AGAVE_KEYS.intersection(body)) > 1:  # one alone, such as `status` or `owner`, says little
        return Form.ALOE if "tenantId" in body and agave.LINKS not in body else Form.AGAVE
    return None if _EVENT_KEYS.isdisjoint(body) else Form.EVENT


def missing(form: Form) -> str:
    """The sentence for a key that a form needs and a body lacks."""
    return "is missing" if form is Form.EVENT else f"is missing from what looks like {form}"


def refusal(body: dict[str, Any] | None) -> Malformed:
    """The error for a delivery that is no form of message: the first problem of the form it looks like.

    Args:
        body: the message's object, which no parameter says more about; None where there is no body.
    """
    form = None if body is None else form_of(body)
    try:
        match form:
            case Form.EVENT:
                json_event.read(body or {})
            case Form.AGAVE | Form.ALOE:
                _check_agave(body or {}, form)
            case Form.TAPIS:
                _check_tapis(body or {})
    except Malformed as first:
        return first
    return Malformed("body", NO_FORM)


def _check_agave(body: dict[str, Any], form: Form) -> None:
    texts = agave.TEXTS + (agave.ALOE_TEXTS if form is Form.ALOE else ())
    for key in texts:
        _check_key(body, key, str, form)
    if form is Form.AGAVE:
        _check_key(body, agave.LINKS, dict, form)
    if "id" in body:
        _check_key(body, "id", str, form)


def _check_tapis(body: dict[str, Any]) -> None:
    _check_key(body, "event", dict, Form.TAPIS)
    event = body["event"]
    if not isinstance(event.get("type"), str):
        problem = wrong_type("text", event["type"]) if "type" in event else missing(Form.TAPIS)
        raise Malformed("event.type", problem)
    if not event["type"].startswith(tapis.TYPE_PREFIX):
        raise Malformed("event.type", WRONG_TYPE_OF_NOTIFICATION)


def _check_key(body: dict[str, Any], key: str, expected: type[str] | type[dict[str, Any]], form: Form) -> None:
    if key not in body:
        raise Malformed(key, missing(form))
    if not isinstance(body[key], expected):
        raise Malformed(key, wrong_type("text" if expected is str else "an object", body[key]))
