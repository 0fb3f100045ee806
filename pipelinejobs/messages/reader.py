"""Reads a delivery: returns its event, or raises `Malformed`."""

from typing import Any

from pipelinejobs.messages import (
    agave,
    event_id,
    external,
    http_body,
    json_event,
    parameters,
    recognition,
    statuses,
    tapis,
)
from pipelinejobs.messages.body import KEPT_UNDER, WRAPPING, value_in
from pipelinejobs.messages.delivery import Delivery
from pipelinejobs.messages.event import Event, Kind
from pipelinejobs.messages.fields import event_name, job_uuid
from pipelinejobs.messages.json_event import EVENT
from pipelinejobs.messages.marks import Marks, marked
from pipelinejobs.messages.parameters import Parameters
from pipelinejobs.messages.report import Report
from pipelinejobs.util.errors import Malformed
from pipelinejobs.util.secret import Secret

_WORTH_EXPLAINING = 16 * 1024  # characters; finding all problems of a larger body can take a second


def read(delivery: Delivery) -> Event:
    """The event of a delivery.

    The forms of message are tried in this order: a job system's callback, a JSON event, URL parameters that name an
    event, a status parameter. If a delivery is none of these, or holds a value that a message may not hold, it is read
    leniently as a report, provided that it names its job and says what happened: a job system cannot correct it.

    Raises:
        Malformed: the delivery cannot be read. The reason begins with the path of the first problem and shows no token.
    """
    try:
        return _strictly(delivery)
    except Malformed:
        report = _mended(delivery)
        if report is None:
            raise
        return report


def explain(delivery: Delivery, error: Malformed) -> str:
    """The reason for a refusal, with up to 20 problems of the body instead of the first alone.

    If the refusal is about a parameter, if the body is long, or if the problems cannot be found, it is the error's own
    reason. Never raises.

    Args:
        delivery: the delivery that `read` refused.
        error: the error that it raised.
    """
    try:
        if error.path.startswith("parameter ") or len(delivery.body or "") > _WORTH_EXPLAINING:
            return error.reason
        body = _value(delivery, plain=False)
        if body is None:
            return error.reason
        return "; ".join(list(dict.fromkeys([error.reason, *recognition.problems(body)]))[: recognition.MOST_PROBLEMS])
    except Exception:  # a defect in listing the other problems must not hide the first
        return error.reason


def _strictly(delivery: Delivery) -> Event:
    in_url = parameters.read(delivery.parameters, delivery.event_id)
    body = _value(delivery, plain=in_url.name is not None)
    message = body if isinstance(body, dict) or body is None else {WRAPPING: body}
    return _with_remarks(_event(delivery, in_url, body), in_url)._replace(message=message)


def _value(delivery: Delivery, *, plain: bool) -> Any:
    """The value of the body: an object, with `plain` any value; None if there is no body."""
    if delivery.missing is not None:
        raise Malformed("body", delivery.missing)
    text = delivery.body
    if isinstance(text, bytes):
        text = http_body.text_of(text, delivery.content_type, delivery.content_encoding, plain=plain)
        if text is None:
            text = delivery.parameters.get(WRAPPING)  # without a body, Abaco takes this parameter as the message
    return value_in(text, literal=delivery.literal, plain=plain)


def _event(delivery: Delivery, in_url: Parameters, body: Any) -> Event:
    """The event of a delivery in one of the forms.

    Raises:
        Malformed: the delivery is in none of the forms.
    """
    if in_url.name is not None and body is not None and not isinstance(body, dict):
        return _command(delivery, in_url, in_url.name, _as_data(body))
    callback = None if body is None else agave.read(body, in_url.status) or tapis.read(body)
    if callback is not None:
        if in_url.name is not None:
            return _command(delivery, in_url, in_url.name, callback.data)
        return _report(delivery, in_url, callback.status, callback.data, callback)
    if body is not None and EVENT.has_keys(body):
        return _json_event(delivery, in_url, body)
    if in_url.name is not None:
        return _command(delivery, in_url, in_url.name, body)
    if in_url.status is not None:
        return _report_of_status(delivery, in_url, in_url.status, body)
    raise recognition.refusal(body)


def _mended(delivery: Delivery) -> Event | None:
    """The report in a delivery that the strict reading refused; None if it is a command or says nothing."""
    marks = Marks()
    in_url = parameters.of_report(delivery.parameters, delivery.event_id, marks)
    if in_url is None:
        return None
    from pipelinejobs.messages import lenient  # loaded here, because few messages need it

    read = lenient.read(delivery, marks)
    event = _mended_event(delivery, in_url, read.value, marks, is_kept=read.is_kept)
    if event is None:
        return None
    event = _with_remarks(event, in_url)
    message = {WRAPPING: read.text} if read.text is not None else None
    return event._replace(data=marked(event.data, marks), message=message)


def _mended_event(delivery: Delivery, in_url: Parameters, body: Any, marks: Marks, *, is_kept: bool) -> Event | None:
    """The report in a leniently read body; None if neither the body nor a parameter states a fact.

    Args:
        is_kept: whether the body can be stored as the event's data.
    """
    members = body if isinstance(body, dict) else {}
    callback = _mended_callback(in_url, members, marks)
    if callback is not None:
        event = _report(delivery, in_url, callback.status, callback.data, callback)
        return event if is_kept else event._replace(data={"status": callback.status} if callback.status else None)
    kept: dict[str, Any] | None = None
    if is_kept and body is not None:
        kept = members if isinstance(body, dict) else _as_data(body)
    if in_url.status is not None:
        is_command = EVENT.has_keys(members) and json_event.names_an_event(members)
        return None if is_command else _report_of_status(delivery, in_url, in_url.status, kept)
    if not _has_no_status(delivery, in_url, body, is_kept=is_kept):
        return None
    marks.add("status", f"none can be read; this is an {statuses.OTHERWISE}")
    return _report(delivery, in_url, None, kept)


def _mended_callback(in_url: Parameters, body: dict[str, Any], marks: Marks) -> Report | None:
    """The callback in a leniently read body. With a token, values of wrong types are accepted and marked."""
    callback = agave.read(body, in_url.status) or tapis.read(body)
    if callback is None and in_url.token is not None:
        callback = agave.read(body, in_url.status, leniently=True)
        if callback is not None:
            problem = recognition.refusal(body)
            marks.add(problem.path, f"{problem.problem}; kept as it is")
    return callback


def _has_no_status(delivery: Delivery, in_url: Parameters, body: Any, *, is_kept: bool) -> bool:
    """Whether a job system sent this without a status: as one of Agave's bodies that have none, or with an unresolved
    macro in the URL in place of the status. Only job systems leave such macros."""
    if in_url.token is None:
        return False
    if (body is None and is_kept) or agave.has_no_status(body):
        return True
    members = body if isinstance(body, dict) else {}
    return parameters.has_unresolved_status(delivery.parameters) and recognition.form_of(members) is not EVENT


def _json_event(delivery: Delivery, in_url: Parameters, body: dict[str, Any]) -> Event:
    EVENT.check(body)
    job, name = job_uuid(body["uuid"], "uuid"), event_name(body["name"], "name")
    if in_url.job not in (None, job):
        raise Malformed("parameter uuid", f"is {in_url.job}, but the body's uuid is {job}")
    if in_url.name not in (None, name):
        raise Malformed(in_url.name_path, f"is {in_url.name}, but the body's name is {name}")
    token = Secret(body["token"]) if "token" in body else None
    return _command(delivery, in_url._replace(job=job), name, body.get("data"), token)


def _command(
    delivery: Delivery, in_url: Parameters, name: str, data: dict[str, Any] | None, token: Secret | None = None
) -> Event:
    """A command.

    Args:
        token: the token in the body; None if there is none.
    """
    external.check(name, data)
    return Event(
        job=_job(in_url),
        name=name,
        kind=Kind.COMMAND,
        id=event_id.of_delivery(in_url.event_id, delivery.id),
        data=data,
        # A callback URL may hold a job's first token while the body has its newest.
        tokens=tuple(one for one in (token, in_url.token) if one is not None),
        sender=delivery.sender,
    )


def _report(
    delivery: Delivery,
    in_url: Parameters,
    status: str | None,
    data: dict[str, Any] | None,
    callback: Report | None = None,
) -> Event:
    """A report.

    Args:
        status: the status word in upper case; None without one.
        callback: the job system's callback from which it was read; None if it was read from parameters.
    """
    event = Event(
        job=_job(in_url),
        name=statuses.event_of(status),
        kind=Kind.REPORT,
        id=event_id.of_delivery(in_url.event_id, delivery.id),
        data=data,
        status=status,
        tokens=() if in_url.token is None else (in_url.token,),
        sender=delivery.sender,
    )
    if callback is None or callback.job is None:
        return event
    return event._replace(id=event_id.of_report(callback), external=f"{callback.system}:{callback.job}")


def _report_of_status(delivery: Delivery, in_url: Parameters, status: str, data: dict[str, Any] | None) -> Event:
    word = statuses.as_word(status)
    # The status goes into the data: nothing else in the history distinguishes KILLED from FAILED.
    return _report(delivery, in_url, word, {"status": word} | (data or {}))


def _as_data(body: Any) -> dict[str, Any]:
    """The data for a body that is not an object. Text is redacted: it may be an unreadable event with its token."""
    if not isinstance(body, str):
        return {KEPT_UNDER: body}
    from pipelinejobs.util.redaction import without_lookalikes  # loaded here, because few messages need it

    return {KEPT_UNDER: without_lookalikes(body)}


def _job(in_url: Parameters) -> str:
    if in_url.job is None:
        raise Malformed("parameter uuid", "is missing")
    return in_url.job


def _with_remarks(event: Event, in_url: Parameters) -> Event:
    """The event with the parameters `note` and `session` in its data, unless the data have such keys.

    They are added after the id was made, because they are not part of what a report says.
    """
    remarks = {"note": in_url.note, "session": in_url.session}
    own = event.data or {}
    added = {key: text for key, text in remarks.items() if text is not None and key not in own}
    return event._replace(data={**own, **added}) if added else event
