"""A delivery goes in, the event that it means comes out."""

from typing import Any

from pipelinejobs.messages import agave, event_id, forms, http_body, json_event, parameters, statuses, tapis
from pipelinejobs.messages.body import KEPT_UNDER, WRAPPING, value_in
from pipelinejobs.messages.delivery import Delivery
from pipelinejobs.messages.event import Event, Kind
from pipelinejobs.messages.marks import Marks, marked
from pipelinejobs.messages.parameters import Parameters
from pipelinejobs.messages.report import Report
from pipelinejobs.util.errors import Malformed
from pipelinejobs.util.secret import Secret

_WORTH_EXPLAINING = 16 * 1024  # characters; to find every problem of a larger body could take a second


def read(delivery: Delivery) -> Event:
    """The event that a delivery means.

    The forms of message are tried in this order: a job system's callback, a JSON event, URL parameters that name
    an event, a status parameter. What is none of them, or holds what a message may not hold, is a report all the same
    where it names its job and says what happened (`_mended`): no job system can send it better.

    Raises:
        Malformed: it means none. The reason names the path of the first problem and shows no token.
    """
    try:
        return _strictly(delivery)
    except Malformed:
        report = _mended(delivery)
        if report is None:
            raise
        return report


def _strictly(delivery: Delivery) -> Event:
    given = parameters.read(delivery.parameters, delivery.event_id)
    body = _value(delivery, plain=given.name is not None)
    message = body if isinstance(body, dict) or body is None else {WRAPPING: body}
    return _with_remarks(_event(delivery, given, body), given)._replace(message=message)


def explain(delivery: Delivery, error: Malformed) -> str:
    """The reason for a refusal, in full: all that is wrong with the form of the body, not only the first.

    For any other refusal, and whenever something stands in the way, it is the error's own reason. Never raises.

    Args:
        delivery: what `read` was given.
        error: what it raised.
    """
    try:
        if error.path.startswith("parameter ") or len(delivery.body or "") > _WORTH_EXPLAINING:
            return error.reason
        body = _value(delivery, plain=False)
        if body is None:
            return error.reason
        return "; ".join(list(dict.fromkeys([error.reason, *_problems(body)]))[: forms.MOST_PROBLEMS])
    except Exception:  # the first reason is better than none, whatever went wrong in wording the others
        return error.reason


def _value(delivery: Delivery, *, plain: bool) -> Any:
    """What the body holds: an object, with `plain` anything; None where there is none."""
    if delivery.missing is not None:
        raise Malformed("body", delivery.missing)
    text = delivery.body
    if isinstance(text, bytes):
        text = http_body.text_of(text, delivery.content_type, delivery.content_encoding, plain=plain)
        if text is None:
            text = delivery.parameters.get(WRAPPING)  # Abaco takes this for the message where there is no other
    return value_in(text, literal=delivery.literal, plain=plain)


def _problems(body: dict[str, Any]) -> list[str]:
    """What is wrong with the form of a body. Its values are good: a body that holds others is refused before."""
    if forms.form_of(body) is forms.Form.EVENT:
        return [problem.reason for problem in json_event.problems(body)]
    # Imported here: jsonschema takes as long to load as all the rest of a refusal. The other forms have many more keys.
    from pipelinejobs.messages import schema

    return schema.problems(body)


def _event(delivery: Delivery, given: Parameters, body: Any) -> Event:
    if not isinstance(body, dict) and body is not None and given.name is not None:
        return _named_by_parameters(delivery, given, given.name, _kept(body))
    report = None if body is None else agave.read(body, given.status) or tapis.read(body)
    if report is not None and given.name is not None:
        return _named_by_parameters(delivery, given, given.name, report.data)
    if report is not None:
        return _reported(delivery, given, report)
    if body is not None and json_event.is_one(body):
        return _from_json(delivery, given, json_event.read(body))
    if given.name is not None:
        return _named_by_parameters(delivery, given, given.name, body)
    if given.status is not None:
        return _status_by_parameters(delivery, given, given.status, body)
    raise forms.refusal(body)


def _mended(delivery: Delivery) -> Event | None:
    """The report that a delivery is in spite of what is wrong with it; None where it is none, but a command."""
    marks = Marks()
    given = parameters.of_report(delivery.parameters, delivery.event_id, marks)
    if given is None:
        return None
    from pipelinejobs.messages import lenient  # here, because nearly no message needs it

    read = lenient.read(delivery, marks)
    event = _report(delivery, given, read.value, marks, is_kept=read.is_kept)
    if event is None:
        return None
    event = _with_remarks(event, given)
    message = {WRAPPING: read.text} if read.text is not None else None
    return event._replace(data=marked(event.data, marks), message=message)


def _report(delivery: Delivery, given: Parameters, body: Any, marks: Marks, *, is_kept: bool) -> Event | None:
    """The report in a body whose values are good; None where neither the body nor a parameter states a fact.

    Args:
        is_kept: whether the body becomes the event's data.
    """
    said = body if isinstance(body, dict) else {}
    report = agave.read(said, given.status) or tapis.read(said)
    if report is None and given.token is not None:
        report = agave.read(said, given.status, leniently=True)
        if report is not None:
            odd = forms.refusal(said)
            marks.add(odd.path, f"{odd.problem}; kept as it is")
    if report is not None:
        event = _reported(delivery, given, report)
        return event if is_kept else event._replace(data={"status": report.status} if report.status else None)
    kept: dict[str, Any] | None = None
    if is_kept and body is not None:
        kept = said if isinstance(body, dict) else _kept(body)
    if given.status is not None:
        is_command = json_event.is_one(said) and json_event.names_an_event(said)
        return None if is_command else _status_by_parameters(delivery, given, given.status, kept)
    if not _is_silent(delivery, given, body, is_kept=is_kept):
        return None
    marks.add("status", f"none can be read; this is an {statuses.OTHERWISE}")
    return Event(
        job=_job(given),
        name=statuses.OTHERWISE,
        kind=Kind.REPORT,
        id=_delivery_id(delivery, given),
        data=kept,
        tokens=_tokens(given.token),
        sender=delivery.sender,
    )


def _is_silent(delivery: Delivery, given: Parameters, body: Any, *, is_kept: bool) -> bool:
    """Whether a job system speaks without saying a status: by a body of Agave's that has none, or with nothing but a
    macro in the URL where the status was to be. One that was not replaced is in the URLs of job systems alone."""
    if given.token is None:
        return False
    if body is None and is_kept:
        return True
    said = body if isinstance(body, dict) else {}
    if agave.has_no_status(body):
        return True
    return parameters.has_unresolved_status(delivery.parameters) and forms.form_of(said) is not forms.Form.EVENT


def _reported(delivery: Delivery, given: Parameters, report: Report) -> Event:
    names_a_job = report.job is not None
    return Event(
        job=_job(given),
        name=statuses.event_of(report.status),
        kind=Kind.REPORT,
        id=event_id.of_report(report) if names_a_job else _delivery_id(delivery, given),
        external=f"{report.system}:{report.job}" if names_a_job else None,
        data=report.data,
        status=report.status,
        tokens=_tokens(given.token),
        sender=delivery.sender,
    )


def _from_json(delivery: Delivery, given: Parameters, event: json_event.JsonEvent) -> Event:
    if given.job not in (None, event.job):
        raise Malformed("parameter uuid", f"is {given.job}, but the body's uuid is {event.job}")
    if given.name not in (None, event.name):
        raise Malformed(given.name_path, f"is {given.name}, but the body's name is {event.name}")
    return Event(
        job=event.job,
        name=event.name,
        kind=Kind.COMMAND,
        id=_delivery_id(delivery, given),
        data=event.data,
        tokens=_tokens(event.token, given.token),
        sender=delivery.sender,
    )


def _named_by_parameters(delivery: Delivery, given: Parameters, name: str, data: dict[str, Any] | None) -> Event:
    return Event(
        job=_job(given),
        name=name,
        kind=Kind.COMMAND,
        id=_delivery_id(delivery, given),
        data=data,
        tokens=_tokens(given.token),
        sender=delivery.sender,
    )


def _status_by_parameters(delivery: Delivery, given: Parameters, status: str, data: dict[str, Any] | None) -> Event:
    word = statuses.as_word(status)
    # The status goes into the data, since nothing else would tell KILLED from FAILED in the history.
    return Event(
        job=_job(given),
        name=statuses.event_of(word),
        kind=Kind.REPORT,
        id=_delivery_id(delivery, given),
        data={"status": word} | (data or {}),
        status=word,
        tokens=_tokens(given.token),
        sender=delivery.sender,
    )


def _kept(body: Any) -> dict[str, Any]:
    """The data for a body that is no object. A text may be that of an event which could not be read, with its token."""
    if not isinstance(body, str):
        return {KEPT_UNDER: body}
    from pipelinejobs.util.redaction import without_lookalikes  # here, because nearly no message needs it

    return {KEPT_UNDER: without_lookalikes(body)}


def _job(given: Parameters) -> str:
    if given.job is None:
        raise Malformed("parameter uuid", "is missing")
    return given.job


def _delivery_id(delivery: Delivery, given: Parameters) -> str:
    return event_id.of_delivery(given.event_id, delivery.id)


def _tokens(*given: Secret | None) -> tuple[Secret, ...]:
    """The tokens there are. A callback URL may hold a job's first token while the body has its newest."""
    return tuple(token for token in given if token is not None)


def _with_remarks(event: Event, given: Parameters) -> Event:
    """The event with the parameters `note` and `session` in its data, where that has no such keys.

    This comes after the id was made: a remark is not part of what a report says.
    """
    remarks = {"note": given.note, "session": given.session}
    own = event.data or {}
    added = {key: text for key, text in remarks.items() if text is not None and key not in own}
    return event._replace(data={**own, **added}) if added else event
