"""Reports the progress of a job to a PipelineJobs Manager.

    job = Job.from_callback("https://api.example.org/actors/v2/jobs-manager.prod/messages?x-nonce=...&uuid=...&token=...")
    job.run()
    job.update({"progress": 0.5})
    job.finish()

This file needs only the standard library of Python 3.6 or newer: copy it to the machine where a job runs. It is also a
command: `python client.py --callback URL finish`; see `python client.py --help`.

Every event has an id, which stays the same however often the event is sent, so that the manager applies the event once.
If the network or a server fails, the event is sent again until `timeout` is over. With a spool directory, each event is
written to disk before it is sent, so that it is not lost if the network, the manager or this process fails. `flush`
sends the events that wait in the spool, in order.

Errors:

    ClientError
    +-- Misused              an argument is wrong; nothing was sent
    +-- Refused              the manager, or a server in front of it, refused the event
    |   +-- Malformed        ... because the manager cannot read it
    |   +-- Unauthorised     ... because a token or nonce is missing, wrong or not sufficient
    |   +-- Illegal          ... because the job's state does not allow it
    +-- Undelivered          timed out; the event may or may not be applied - send it again with the same id
    +-- SpoolFailed          the spool cannot be used
"""

import argparse
import contextlib
import email.utils
import errno
import http.client
import ipaddress
import json
import logging
import math
import os
import queue
import random
import re
import ssl
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid as uuids
from pathlib import Path
from typing import IO, Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, TextIO, Tuple, Type, Union

try:
    import fcntl
except ImportError:  # Windows: several processes may send the same event, and the manager applies it once
    fcntl = None  # type: ignore[assignment]

__all__ = [
    "EVENTS",
    "ClientError",
    "Flushed",
    "Illegal",
    "Job",
    "Malformed",
    "Misused",
    "Refused",
    "Result",
    "SpoolFailed",
    "Unauthorised",
    "Undelivered",
    "flush",
]

# fmt: off
EVENTS = ("run", "update", "resource", "fail", "finish", "index", "indexed",
          "validate", "validated", "reject", "finalize", "retire", "reset", "ready")
# fmt: on
"""The events that can be sent. `create` is reserved for the agents that create jobs."""

AGAVE_EVENTS = ("RUNNING", "FINISHED", "FAILED", "STOPPED", "KILLED", "ARCHIVING_FAILED")
"""The statuses that Agave is asked to report: the start of the job, and each status with which it can end."""

CALLBACK_VARIABLE = "PIPELINEJOBS_CALLBACK"
SPOOL_VARIABLE = "PIPELINEJOBS_SPOOL"

TIMEOUT = 30.0
"""Seconds that sending an event may take, all attempts included."""
ATTEMPT_SECONDS = 12.0  # the gateway answers within 8 s, at worst with 503
LEAST_SECONDS = 1.0  # no further attempt is made with less time left
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0
MOST_BYTES = 1024 * 1024
"""The longest message that the manager reads, in bytes. On Abaco the limit is 131 067 bytes."""
ANSWER_BYTES = 4 * 1024 * 1024

SPOOL_EVENTS = 10000
SPOOL_BYTES = 64 * 1024 * 1024
"""The most events and bytes in a spool, including refused and damaged events."""
LOCK_SECONDS = 30.0
STALE_SECONDS = 3600.0

_LOG = logging.getLogger("pipelinejobs.client")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MACRO = re.compile(r"\$\{[^{}]*\}")
_PLAIN = re.compile(r"[!-~]+")  # printable ASCII without the blank
_LINE = re.compile(r"[ -~]+")
_EVENT_ID = re.compile(r"(?! )[ -~]{1,128}(?<! )")  # HTTP removes blanks around a header's value
_SENT_SEPARATELY = frozenset(("uuid", "token", "event", "name", "status", "state", "x_event_id"))
_AGAIN = frozenset((408, 425, 429, 500, 502, 503, 504))  # Abaco answers many temporary errors with 500
_REFUSALS = {401: "unauthorised", 403: "unauthorised", 409: "illegal"}

Data = Optional[Mapping[str, Any]]


class ClientError(Exception):
    """The event was not accepted."""

    verdict: Optional[str] = None
    exit_code = 65

    def __init__(self, reason: str = "") -> None:
        self.reason = reason or (self.__doc__ or "").strip()
        super().__init__(self.reason)


class Misused(ClientError):
    """An argument is wrong; nothing was sent."""

    exit_code = 2


class Refused(ClientError):
    """The manager, or a server in front of it, refused the event. It would refuse the same event again.

    Attributes:
        verdict: the manager's verdict; None if another server answered, such as Abaco.
        reason: the server's own words.
        status: the HTTP status.
        event, event_id: the event's name and id.
    """

    def __init__(self, reason: str = "", status: int = 0, event: str = "", event_id: str = "") -> None:
        super().__init__(reason)
        self.status, self.event, self.event_id = status, event, event_id


class Malformed(Refused):
    """The manager cannot read the event."""

    verdict = "malformed"


class Unauthorised(Refused):
    """A token or nonce is missing, wrong or not sufficient for the event, or there is no such job."""

    verdict, exit_code = "unauthorised", 77


class Illegal(Refused):
    """The state of the job does not allow the event."""

    verdict, exit_code = "illegal", 70


class Undelivered(ClientError):
    """Timed out. The event may or may not be applied; send it again with the same id, and it is applied once.

    Attributes:
        event_id: the event's id.
    """

    verdict, exit_code = "unavailable", 75

    def __init__(self, reason: str = "", event_id: str = "") -> None:
        super().__init__(reason)
        self.event_id = event_id


class SpoolFailed(ClientError):
    """The spool cannot be used."""

    exit_code = 75


_REFUSED_AS: Dict[Any, Type[Refused]] = {kind.verdict: kind for kind in (Malformed, Unauthorised, Illegal)}


class Result(NamedTuple):
    """The result of sending an event that was not refused.

    Attributes:
        event: the event's name.
        event_id: the event's id.
        verdict: `applied`, `duplicate` (the event was applied before) or `stale` (a report that came too late). None if
            the manager has not judged the event yet: it is in the spool, or Abaco has queued the message.
        reason: the reason for the verdict, in words.
        state: the job's state after the event, if the answer contains it.
        execution: the id of the execution that handles the event, if there is one.
        spooled: whether the event waits in the spool.
    """

    event: str
    event_id: str
    verdict: Optional[str]
    reason: str
    state: Optional[str] = None
    execution: Optional[str] = None
    spooled: bool = False


class Flushed(NamedTuple):
    """The result of sending the events in a spool.

    Attributes:
        taken: the events that were sent and not refused, in order.
        refused: the events that were refused. Their files are in `refused/`; to send one again, move its file back.
        damaged: the names of unreadable files, which are now in `damaged/`.
        left: the number of events that still wait.
        reason: why one of these events waits; empty if none waits.
    """

    taken: List[Result]
    refused: List[Refused]
    damaged: List[str]
    left: int
    reason: str


class Job:
    """A job to report on. Several threads can use one instance."""

    def __init__(
        self,
        url: str,
        uuid: str,
        token: str,
        *,
        nonce: Optional[str] = None,
        bearer: Optional[str] = None,
        tapis_token: Optional[str] = None,
        spool: Union[str, "os.PathLike[str]", None] = None,
        later: bool = False,
        timeout: float = TIMEOUT,
        allow_http: bool = False,
    ) -> None:
        """
        Args:
            url: the manager's messages URL, `https://HOST/actors/v2/ALIAS/messages`. Its query may hold a nonce.
            uuid: the job's uuid.
            token: the job's token; for `reset` and `ready`, an administrative token.
            nonce: the nonce by which the manager admits the request; or
            bearer: an access token, sent as `Authorization: Bearer`; or
            tapis_token: a Tapis token, sent as `X-Tapis-Token`.
            spool: a directory in which events wait until they are delivered. It holds tokens: it is created with mode
                0700, and refused if other users can read it.
            later: only write events to the spool, for a machine without a network; `flush` sends them.
            timeout: seconds that sending one event may take, all attempts included.
            allow_http: whether the token may be sent unencrypted to another machine.

        Raises:
            Misused: an argument is wrong.
        """
        parts = _split(url, allow_http=allow_http)
        if not isinstance(uuid, str) or not _UUID.fullmatch(uuid):
            raise Misused("uuid: is not a UUID in canonical text, such as 1073f4ff-c2b9-5190-bd9a-e6a406d9796a")
        _check_secrets(token=token, nonce=nonce, bearer=bearer, tapis_token=tapis_token)
        if not 0 < timeout < math.inf:
            raise Misused("timeout: must be a number of seconds above 0")
        if later and spool is None:
            raise Misused("later: needs a spool; name one (spool=, --spool, %s)" % SPOOL_VARIABLE)
        self.uuid = uuid
        self.timeout = timeout
        self._where = urllib.parse.urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))
        self._token = token
        self._parameters = _parameters(parts.query)
        if nonce is not None:
            self._parameters["x-nonce"] = nonce
        self._headers = {} if bearer is None else {"Authorization": "Bearer " + bearer}
        if tapis_token is not None:
            self._headers["X-Tapis-Token"] = tapis_token
        self._spool = None if spool is None else _Spool(Path(spool))
        self._later = later

    @classmethod
    def from_callback(cls, url: str, **options: Any) -> "Job":
        """The job of a callback URL.

        Args:
            url: a messages URL with the parameters `uuid` and `token`, and `x-nonce` if the job is reported with a
                nonce. An event or a status in the URL is ignored.
            options: as for `Job`.

        Raises:
            Misused: the URL has no uuid or no token, or an option is wrong.
        """
        parts = _split(url, allow_http=True)
        values = dict(reversed(urllib.parse.parse_qsl(parts.query)))
        for name in ("uuid", "token"):
            if not values.get(name) or _MACRO.fullmatch(values[name]):
                raise Misused("callback: its parameter %s is missing" % name)
        return cls(url, values["uuid"], values["token"], **options)

    @classmethod
    def from_environment(cls, **options: Any) -> "Job":
        """The job of the callback URL in PIPELINEJOBS_CALLBACK, with the spool PIPELINEJOBS_SPOOL if that is set.

        Raises:
            Misused: PIPELINEJOBS_CALLBACK is not set, or as for `from_callback`.
        """
        callback = os.environ.get(CALLBACK_VARIABLE)
        if not callback:
            raise Misused(CALLBACK_VARIABLE + ": is not set")
        options.setdefault("spool", os.environ.get(SPOOL_VARIABLE) or None)
        return cls.from_callback(callback, **options)

    def __repr__(self) -> str:
        return "<Job %s at %s>" % (self.uuid, self._where)

    def run(self, data: Data = None, *, event_id: Optional[str] = None) -> Result:
        """The job is processing data.

        Arguments, result and errors of this method and of the other events' methods are those of `send`.
        """
        return self.send("run", data, event_id=event_id)

    def update(self, data: Data = None, *, event_id: Optional[str] = None) -> Result:
        """Adds information to the job's history."""
        return self.send("update", data, event_id=event_id)

    def resource(self, data: Data = None, *, event_id: Optional[str] = None) -> Result:
        """Resources are being prepared."""
        return self.send("resource", data, event_id=event_id)

    def fail(self, data: Data = None, *, event_id: Optional[str] = None) -> Result:
        """The job has failed permanently."""
        return self.send("fail", data, event_id=event_id)

    def finish(self, data: Data = None, *, event_id: Optional[str] = None) -> Result:
        """The job is complete, and its outputs are archived."""
        return self.send("finish", data, event_id=event_id)

    def index(self, data: Data = None, *, event_id: Optional[str] = None) -> Result:
        """The outputs should be indexed."""
        return self.send("index", data, event_id=event_id)

    def indexed(self, data: Data = None, *, event_id: Optional[str] = None) -> Result:
        """The outputs are indexed."""
        return self.send("indexed", data, event_id=event_id)

    def validate(self, data: Data = None, *, event_id: Optional[str] = None) -> Result:
        """The outputs are being validated."""
        return self.send("validate", data, event_id=event_id)

    def validated(self, data: Data = None, *, event_id: Optional[str] = None) -> Result:
        """The outputs are validated."""
        return self.send("validated", data, event_id=event_id)

    def reject(self, data: Data = None, *, event_id: Optional[str] = None) -> Result:
        """The outputs are not fit for use."""
        return self.send("reject", data, event_id=event_id)

    def finalize(self, data: Data = None, *, event_id: Optional[str] = None) -> Result:
        """The outputs are fit for use."""
        return self.send("finalize", data, event_id=event_id)

    def retire(self, data: Data = None, *, event_id: Optional[str] = None) -> Result:
        """The outputs should no longer be used."""
        return self.send("retire", data, event_id=event_id)

    def reset(self, data: Data = None, *, event_id: Optional[str] = None) -> Result:
        """The job is being reset for another run. Needs an administrative token."""
        return self.send("reset", data, event_id=event_id)

    def ready(self, data: Data = None, *, event_id: Optional[str] = None) -> Result:
        """The reset is complete, and the job may run again. Needs an administrative token."""
        return self.send("ready", data, event_id=event_id)

    def send(self, name: str, data: Data = None, *, event_id: Optional[str] = None) -> Result:
        """Sends an event. Events of this job that wait in the spool are sent first.

        Args:
            name: the event's name, one of `EVENTS`.
            data: a JSON object for the history.
            event_id: the event's id, 1 to 128 printable ASCII characters; by default a new one. If another run of your
                program may send the same event again, pass the same id in both.

        Returns:
            The result. With a spool, it may say that the event waits there.

        Raises:
            Misused: name, data or id are wrong.
            Refused: the event was refused; usually raised as one of the subclasses.
            Undelivered: no answer came in time, and there is no spool.
            SpoolFailed: the spool cannot be used, and sending the event without it failed too.
        """
        event = self._event(name, data, event_id or uuids.uuid4().hex)
        deadline = time.monotonic() + self.timeout
        return _deliver(event, deadline) if self._spool is None else self._by_spool(self._spool, event, deadline)

    def flush(self, timeout: float = 60.0) -> Flushed:
        """Sends the events of this job that wait in its spool; see the function `flush`.

        Raises:
            Misused: the job has no spool.
            SpoolFailed: the spool cannot be used.
        """
        if self._spool is None:
            raise Misused("spool: this job has none")
        return _flush(self._spool, time.monotonic() + timeout, self.uuid)

    def callback_url(self, **parameters: str) -> str:
        """The callback URL, to which a job system reports on the job. It contains the token and the nonce.

        Args:
            parameters: further parameters of the URL, such as `session`. Macros such as `${JOB_STATUS}` stay.

        Raises:
            Misused: the job has no nonce; the manager would refuse the job system's requests.
        """
        if "x-nonce" not in self._parameters:
            raise Misused("nonce: a callback needs one, because a job system sends no access token")
        query = dict(self._parameters, token=self._token, uuid=self.uuid, **parameters)
        return "%s?%s" % (self._where, urllib.parse.urlencode(query, safe="${}"))

    def agave_notifications(self, events: Sequence[str] = AGAVE_EVENTS) -> List[Dict[str, Any]]:
        """The `notifications` of an Agave or Aloe job submission, one for each status in `events`.

        If deliveries of a notification fail, Agave stops that notification for good; the others go on. RUNNING is
        persistent, because a job can be queued and run again. The policy retries for about a day.

        Raises:
            Misused: there is no nonce, or the URL has more than 1024 characters.
        """
        url = self.callback_url(status="${JOB_STATUS}")
        if len(url) > 1024:
            raise Misused("url: the callback is longer than the 1024 characters that Agave accepts")
        policy = {"retryStrategy": "EXPONENTIAL", "retryLimit": 40, "saveOnFailure": True}
        return [
            {"event": event, "url": url, "persistent": event in ("RUNNING", "*"), "policy": dict(policy)}
            for event in events
        ]

    def tapis_subscriptions(self, ttl_minutes: int = 40320) -> List[Dict[str, Any]]:
        """The `subscriptions` of a Tapis job submission.

        Args:
            ttl_minutes: minutes that Tapis keeps the subscription; by default four weeks, which is Tapis's maximum.

        Raises:
            Misused: there is no nonce, or the URL has more than 2048 characters.
        """
        url = self.callback_url()
        if len(url) > 2048:
            raise Misused("url: the callback is longer than the 2048 characters that Tapis accepts")
        return [
            {
                "description": "PipelineJob " + self.uuid,
                "enabled": True,
                "eventCategoryFilter": "JOB_NEW_STATUS",
                "ttlMinutes": ttl_minutes,
                "deliveryTargets": [{"deliveryMethod": "WEBHOOK", "deliveryAddress": url}],
            }
        ]

    def _event(self, name: str, data: Data, event_id: str) -> "_Event":
        if not isinstance(name, str) or not name:
            raise Misused("event: must be a name, such as run")
        if not isinstance(event_id, str) or not _EVENT_ID.fullmatch(event_id):
            raise Misused("event_id: must be 1 to 128 printable ASCII characters, without blanks around them")
        if data is not None and not isinstance(data, Mapping):
            raise Misused("data: must be an object, not " + type(data).__name__)
        body: Dict[str, Any] = {"uuid": self.uuid, "name": name, "token": self._token}
        if data is not None:
            body["data"] = dict(data)
        try:
            text = json.dumps(body, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise Misused("data: is not JSON: %s" % str(error)[:200]) from None
        if len(text) > MOST_BYTES:
            raise Misused("data: makes the message longer than %d bytes" % MOST_BYTES)
        # The id is sent as a parameter too, because Abaco passes parameters to the manager, but no headers.
        query = urllib.parse.urlencode(dict(self._parameters, x_event_id=event_id))
        return _Event("%s?%s" % (self._where, query), dict(self._headers), self.uuid, name, event_id, text)

    def _by_spool(self, spool: "_Spool", event: "_Event", deadline: float) -> Result:
        try:
            name = spool.add(event)
        except SpoolFailed as error:
            if self._later or spool.names(self.uuid):
                raise  # sent now, the event would overtake those that wait in the spool
            return _deliver_without_spool(event, deadline, error)
        if self._later:
            return Result(event.name, event.id, None, "it waits in the spool", spooled=True)
        flushed = _flush(spool, deadline, self.uuid, until=name)
        _warn_of_others(flushed, event)
        for result in flushed.taken:
            if result.event_id == event.id:
                return result
        for refused in flushed.refused:
            if refused.event_id == event.id:
                raise refused
        left = spool.names(self.uuid)
        if name not in left:
            spool.raise_if_refused(name)
            return Result(event.name, event.id, None, "another process has delivered the event")
        behind = "" if left[0] == name else " behind %s, which goes to the address it was written with" % left[0]
        waiting = "it waits in the spool%s: %s" % (behind, flushed.reason)
        return Result(event.name, event.id, None, waiting, spooled=True)


def flush(spool: Union[str, "os.PathLike[str]"], timeout: float = 60.0) -> Flushed:
    """Sends the events that wait in a spool, those of each job in order.

    If an event cannot be delivered, the later events of its job wait. Refused events are moved to `refused/` with the
    reason, unreadable files to `damaged/`.

    Args:
        spool: the directory; if it does not exist, no event waits.
        timeout: seconds that this may take.

    Raises:
        SpoolFailed: the spool cannot be used.
    """
    return _flush(_Spool(Path(spool)), time.monotonic() + timeout)


# Sending


class _Event(NamedTuple):
    """One event, with everything that is needed to send it. It is stored in the spool in this form."""

    url: str
    headers: Dict[str, str]
    uuid: str
    name: str
    id: str
    text: str

    def __repr__(self) -> str:
        return "<%s %s>" % (self.name, self.id)  # the rest holds secrets

    @property
    def host(self) -> str:
        """The host that it is sent to."""
        return urllib.parse.urlsplit(self.url).netloc

    def shown(self, text: object) -> str:
        """A text from the server, fit for a log: one line, at most 1000 characters, without the secrets we sent."""
        shown = "".join(char if char.isprintable() else " " for char in str(text))
        secrets = [json.loads(self.text)["token"], *self.headers.values()]
        secrets += [value[len("Bearer ") :] for value in self.headers.values() if value.startswith("Bearer ")]
        secrets += [
            value for name, value in urllib.parse.parse_qsl(urllib.parse.urlsplit(self.url).query) if name == "x-nonce"
        ]
        secrets += [urllib.parse.quote_plus(secret) for secret in secrets]
        for secret in sorted(secrets, key=len, reverse=True):
            shown = shown.replace(secret, "***")
        return shown[:1000]


class _Damaged(Exception):
    """A file of the spool cannot be read as an event."""


class _Away(Exception):
    """An attempt got no usable answer.

    Attributes:
        asked: seconds that the server asked us to wait.
        hopeless: whether a further attempt would fail in the same way.
    """

    def __init__(self, reason: str, *, asked: float = 0.0, hopeless: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.asked, self.hopeless = reason, asked, hopeless

    def pause(self, attempts: int, deadline: float) -> Optional[float]:
        """Seconds until the next attempt (exponential, full jitter); None if there will be none.

        This repeats `util.backoff`, because this file is copied to other machines on its own.
        """
        longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(attempts, 16))
        pause = max(random.uniform(0, longest), self.asked)  # noqa: S311 - spreads load, hides nothing
        return None if self.hopeless or time.monotonic() + pause + LEAST_SECONDS > deadline else pause


def _deliver(event: _Event, deadline: float) -> Result:
    """Sends an event, with retries, until a server accepts or refuses it or the time is over."""
    attempts = 0
    while True:
        try:
            return _attempt(event, deadline)
        except _Away as away:
            pause = away.pause(attempts, deadline)
            if pause is None:
                raise Undelivered(away.reason, event.id) from None
        attempts += 1
        time.sleep(pause)


def _deliver_without_spool(event: _Event, deadline: float, why: SpoolFailed) -> Result:
    _LOG.warning("%s; the event is sent without it", why.reason)
    try:
        return _deliver(event, deadline)
    except Undelivered as undelivered:
        raise SpoolFailed("%s; and without it: %s" % (why.reason, undelivered.reason)) from None


def _attempt(event: _Event, deadline: float) -> Result:
    """Sends an event once, in a thread: a socket timeout limits neither name look-ups nor slow answers."""
    seconds = min(ATTEMPT_SECONDS, deadline - time.monotonic())
    if seconds <= 0:
        raise _Away("no time was left to send the event")
    done: queue.Queue[Tuple[Optional[Result], Optional[BaseException]]] = queue.Queue(1)

    def post() -> None:
        try:
            done.put((_post(event, seconds), None))
        except BaseException as error:
            done.put((None, error))

    try:
        threading.Thread(target=post, name="pipelinejobs-client", daemon=True).start()
    except RuntimeError:  # no more threads, or the interpreter is ending; then only the socket's timeout counts
        post()
    try:
        result, error = done.get(timeout=seconds)
    except queue.Empty:
        raise _Away("%s did not answer in full within %.3g s" % (event.host, seconds)) from None
    if result is None:
        assert error is not None
        raise error
    return result


def _post(event: _Event, seconds: float) -> Result:
    headers = dict(event.headers)
    headers.update(
        {"Content-Type": "application/json", "Idempotency-Key": event.id, "User-Agent": "pipelinejobs-client"}
    )
    request = urllib.request.Request(  # noqa: S310 - only http and https URLs come here
        event.url, event.text.encode("ascii"), headers, method="POST"
    )
    try:
        with _opener(event.url).open(request, timeout=seconds) as response:
            return _result(event, response.read(ANSWER_BYTES))
    except urllib.error.HTTPError as error:
        raise _failure(event, error) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        cause = getattr(error, "reason", error)
        why = str(cause) if isinstance(cause, (OSError, str)) else type(cause).__name__
        bad_certificate = isinstance(cause, ssl.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(cause)
        raise _Away("%s cannot be reached: %s" % (event.host, event.shown(why)), hopeless=bad_certificate) from None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """None, which ends the request: credentials are sent only to the host that they were meant for."""


def _opener(url: str) -> urllib.request.OpenerDirector:
    """An HTTP client that checks certificates, with the environment's proxies except for requests to this machine."""
    handlers: List[Any] = [_NoRedirect(), urllib.request.HTTPSHandler(context=ssl.create_default_context())]
    if _is_loopback(urllib.parse.urlsplit(url).hostname or ""):
        handlers.append(urllib.request.ProxyHandler({}))
    return urllib.request.build_opener(*handlers)


def _result(event: _Event, raw: bytes) -> Result:
    """The result from an answer with a status 2xx: the manager's verdict in Abaco's envelope."""
    whole = _object(raw)
    result = _object(whole.get("result"))
    execution = result.get("executionId") or result.get("execution_id")
    if whole.get("status") != "success" or not isinstance(execution, str):
        raise _Away("%s gave an answer that is neither the manager's nor Abaco's" % event.host)
    verdict, state = result.get("verdict"), _object(result.get("job")).get("state")
    if not isinstance(verdict, str):
        return Result(event.name, event.id, None, "acknowledged, not judged yet", execution=execution)
    state = state if isinstance(state, str) else None
    return Result(event.name, event.id, verdict, event.shown(result.get("reason", "")), state, execution)


def _failure(event: _Event, error: urllib.error.HTTPError) -> Exception:
    """The error for an answer with any other status."""
    status = error.code
    named = "%s answered %d %s" % (event.host, status, http.client.responses.get(status, ""))
    whole: Dict[str, Any] = {}
    with contextlib.suppress(OSError, http.client.HTTPException, ValueError), error:
        whole = _object(error.read(ANSWER_BYTES))
    message = whole.get("message")
    reason = event.shown(message) if isinstance(message, str) and message else named.strip()
    if status in _AGAIN or status < 200:  # below 200 it is not the final answer
        return _Away(reason, asked=_seconds_asked(error.headers.get("Retry-After")))
    if 300 <= status <= 399:
        return _Away(
            named + "; redirects are not followed, because they could send the token to another host", hopeless=True
        )
    if status == 407 or status >= 500:
        return _Away(reason, hopeless=True)
    verdict = _object(whole.get("result")).get("verdict") or _REFUSALS.get(status)
    kind = _REFUSED_AS.get(verdict if isinstance(verdict, str) else None, Refused)
    return kind(reason, status, event.name, event.id)


def _object(value: Any) -> Dict[str, Any]:
    """The object in a JSON text, or the value itself if it is an object; an empty object for anything else."""
    if isinstance(value, bytes):
        try:
            value = json.loads(value.decode("utf-8"))
        except (ValueError, RecursionError):
            return {}
    return value if isinstance(value, dict) else {}


def _seconds_asked(retry_after: Optional[str]) -> float:
    """The seconds in the header Retry-After, a number or a date; 0 if it cannot be read."""
    text = (retry_after or "").strip()
    if re.fullmatch("[0-9]{1,9}", text):
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError, IndexError, OverflowError):
        return 0.0


def _split(url: str, *, allow_http: bool) -> urllib.parse.SplitResult:
    """The parts of a messages URL. Errors do not show the URL, because it contains secrets."""
    try:
        if not isinstance(url, str) or not _PLAIN.fullmatch(url):
            raise Misused("url: must be text of printable ASCII characters without blanks")
        parts = urllib.parse.urlsplit(url)
        host = parts.hostname
        parts.port  # noqa: B018 - raises ValueError if it is not a number
    except ValueError:
        raise Misused("url: cannot be read") from None
    if parts.scheme not in ("http", "https") or not host:
        raise Misused("url: must begin with https:// and a host (http:// only for this machine)")
    if "@" in parts.netloc:
        raise Misused("url: must not hold a user and a password")
    if parts.scheme == "http" and not allow_http and not _is_loopback(host):
        raise Misused("url: http:// sends the token unencrypted; use https://, or set allow_http (--allow-http)")
    return parts


def _check_secrets(**secrets: Optional[str]) -> None:
    for name, secret in secrets.items():
        if secret is not None and not (isinstance(secret, str) and _PLAIN.fullmatch(secret)):
            raise Misused(name + ": must be text of printable ASCII characters without blanks")
    if not secrets["token"]:
        raise Misused("token: is missing")


def _parameters(query: str) -> Dict[str, str]:
    """The parameters of a messages URL that are sent with every event. If one occurs twice, the first counts."""
    return {
        name: value
        for name, value in reversed(urllib.parse.parse_qsl(query))
        if name not in _SENT_SEPARATELY and not _MACRO.fullmatch(value)
    }


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


# The spool


class _Spool:
    """A directory with a file for each event, `UUID.NUMBER.RANDOM.json`. Events of a job are sent in order of numbers.

    A file with such a name is complete. It is removed after the manager accepted its event; if the process dies before
    that, the event is sent again with the same id. A process that sends an event locks the event's file, and one that
    adds an event locks the directory. If the file system has no locks, several processes may send the same event; the
    manager applies it once.
    """

    _name = re.compile(r"(?P<uuid>%s)\.(?P<number>[0-9]{10})\.[0-9a-f]{8}\.json" % _UUID.pattern)

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def add(self, event: _Event) -> str:
        """Writes an event durably, as the last of its job, and returns the name of its file.

        Raises:
            SpoolFailed: the event cannot be written; no partial file is left.
        """
        raw = json.dumps(event._asdict()).encode("ascii")
        with self._working("written to"):
            self._make(self.directory)
            with self._locked():
                self._sweep()
                self._check_room(len(raw))
                last = max((int(self._of(name, "number")) for name in self.names(event.uuid)), default=0)
                name = "%s.%010d.%s.json" % (event.uuid, last + 1, os.urandom(4).hex())
                self._write(self.directory / name, raw)
        return name

    def names(self, uuid: Optional[str] = None) -> List[str]:
        """The names of the waiting files of one job or of all, sorted by job and then by number."""
        with self._working("read"):
            try:
                found = os.listdir(str(self.directory))
            except FileNotFoundError:
                return []
        return sorted(name for name in found if self._name.fullmatch(name) and uuid in (None, self._of(name, "uuid")))

    @contextlib.contextmanager
    def claimed(self, name: str, deadline: float) -> Iterator[Optional[_Event]]:
        """The event of a file, locked against other processes; None if another process has sent it.

        Raises:
            _Away: another process held the lock until the deadline.
            _Damaged: the file cannot be read as an event.
        """
        path = self.directory / name
        with contextlib.ExitStack() as stack:
            with self._working("read"):
                try:
                    file = stack.enter_context(path.open("r+b"))  # for writing, because NFS gives no lock otherwise
                except FileNotFoundError:
                    raw = None
                else:
                    if not _lock(file, deadline):
                        raise _Away("another process is sending an event of the same job")
                    stack.callback(_unlock, file)
                    raw = file.read(4 * MOST_BYTES) if path.exists() else None
                    if fcntl is None:  # there is no lock to hold, and Windows cannot remove an open file
                        stack.close()
            yield None if raw is None else self._event_of(raw)

    def remove(self, name: str) -> None:
        """Removes the file of an accepted event. If the file is back after a crash, the event is sent again."""
        with self._working("written to"):
            self._unlink(self.directory / name)

    def refuse(self, name: str, event: _Event, why: Refused) -> None:
        """Moves a refused event to `refused/`, with the reason."""
        record = dict(event._asdict(), refused={"verdict": why.verdict, "reason": why.reason, "status": why.status})
        with self._working("written to"):
            self._make(self.directory / "refused")
            self._write(self.directory / "refused" / name, json.dumps(record).encode("ascii"))
            self._unlink(self.directory / name)

    def raise_if_refused(self, name: str) -> None:
        """Raises the error of an event whose file is in `refused/` or `damaged/`; else does nothing."""
        with self._working("read"):
            if (self.directory / "damaged" / name).exists():
                raise SpoolFailed("the event cannot be read back from the spool, and was not sent; it is in damaged/")
            try:
                record = json.loads((self.directory / "refused" / name).read_text("ascii"))
            except FileNotFoundError:
                return
        why = record["refused"]
        raise _REFUSED_AS.get(why["verdict"], Refused)(why["reason"], why["status"], record["name"], record["id"])

    def set_aside(self, name: str) -> None:
        """Moves a damaged file to `damaged/`."""
        with self._working("written to"):
            self._make(self.directory / "damaged")
            with contextlib.suppress(FileNotFoundError):
                (self.directory / name).replace(self.directory / "damaged" / name)
                _sync(self.directory / "damaged")
                _sync(self.directory)

    def _of(self, name: str, part: str) -> str:
        match = self._name.fullmatch(name)
        assert match is not None
        return match.group(part)

    @staticmethod
    def _event_of(raw: bytes) -> _Event:
        stored = _object(raw)
        headers, texts = stored.get("headers"), [stored.get(field) for field in _Event._fields if field != "headers"]
        if not isinstance(headers, dict) or not all(isinstance(text, str) for text in [*texts, *headers.values()]):
            raise _Damaged
        event = _Event(**{field: stored[field] for field in _Event._fields})
        try:
            _split(event.url, allow_http=True)
            token = _object(event.text.encode("ascii")).get("token")
        except (Misused, ValueError):
            raise _Damaged from None
        if not isinstance(token, str) or not all(_LINE.fullmatch(text) for text in [event.id, *event.headers.values()]):
            raise _Damaged
        return event

    @contextlib.contextmanager
    def _working(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise SpoolFailed(
                "the spool %s cannot be %s: %s" % (self.directory, what, error.strerror or error)
            ) from None

    def _make(self, directory: Path) -> None:
        """Makes a directory that other users cannot read; if it exists, checks that they cannot."""
        if not directory.is_dir():
            directory.mkdir(0o700, parents=True, exist_ok=True)
            _sync(directory.parent)
        if os.name == "posix" and directory.stat().st_mode & 0o077:
            raise SpoolFailed("the spool holds tokens, and other users can read it: chmod 700 %s" % directory)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        descriptor = os.open(str(self.directory / "lock"), os.O_RDWR | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "r+b") as file:
            if not _lock(file, time.monotonic() + LOCK_SECONDS):
                raise SpoolFailed(
                    "the spool %s was locked by another process for %d s" % (self.directory, LOCK_SECONDS)
                )
            try:
                yield
            finally:
                _unlock(file)

    def _sweep(self) -> None:
        """Removes temporary files that dead processes left behind: those older than any that is still being written."""
        for path in self.directory.glob(".*.json.tmp"):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < time.time() - STALE_SECONDS:
                    path.unlink()

    def _check_room(self, size: int) -> None:
        events = 1
        for directory in (self.directory, self.directory / "refused", self.directory / "damaged"):
            with contextlib.suppress(FileNotFoundError):
                for path in directory.glob("*.json"):
                    with contextlib.suppress(FileNotFoundError):
                        size += path.stat().st_size
                        events += 1
        if events > SPOOL_EVENTS or size > SPOOL_BYTES:
            limits = "%d events or %d bytes, refused and damaged ones included" % (SPOOL_EVENTS, SPOOL_BYTES)
            raise SpoolFailed("the spool %s is full: it holds at most %s" % (self.directory, limits))

    def _write(self, path: Path, raw: bytes) -> None:
        """Writes a file atomically, so that it survives a power failure."""
        temporary = path.with_name(".%s.tmp" % path.name)
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        descriptor = os.open(str(temporary), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(raw)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        _sync(path.parent)

    def _unlink(self, path: Path) -> None:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        _sync(path.parent)


def _flush(spool: _Spool, deadline: float, uuid: Optional[str] = None, until: Optional[str] = None) -> Flushed:
    """Sends the waiting events of one job or of all, in rounds, until all are sent or the time is over.

    Args:
        until: the name of the last file to send.
    """
    flushed = Flushed([], [], [], 0, "")
    attempts = 0
    while True:
        away: Dict[str, _Away] = {}
        if _flush_round(spool, deadline, uuid, until, away, flushed):
            return flushed
        left = len(spool.names(uuid))
        if not left:
            return flushed
        pauses = [pause for pause in (error.pause(attempts, deadline) for error in away.values()) if pause is not None]
        if (away and not pauses) or time.monotonic() > deadline:
            reason = next(iter(away.values())).reason if away else "the time is over"
            return flushed._replace(left=left, reason=reason)
        attempts += 1
        time.sleep(min(pauses, default=0.01))


def _flush_round(
    spool: _Spool,
    deadline: float,
    uuid: Optional[str],
    until: Optional[str],
    away: Dict[str, _Away],
    flushed: Flushed,
) -> bool:
    """Sends the events of each job in order, up to the job's first event that cannot be delivered.

    Args:
        away: receives the errors of deliveries, by job and by host. If a host cannot be reached, events of other jobs
            are not sent to it in this round.
        flushed: receives the results of the other events.

    Returns:
        Whether the event `until` was sent, refused, or found damaged.
    """
    for name in spool.names(uuid):
        job = spool._of(name, "uuid")
        if job in away:
            continue
        try:
            # If several jobs are sent, do not wait for a lock: send the other jobs' events first.
            with spool.claimed(name, 0.0 if uuid is None else deadline) as event:
                if event is not None:
                    _send_spooled(spool, name, event, deadline, away, flushed)
        except _Damaged:
            spool.set_aside(name)
            flushed.damaged.append(name)
        except _Away as error:
            away[job] = error
        except SpoolFailed as error:  # one file cannot be read or removed; events of other jobs can still be sent
            away[job] = _Away(error.reason, hopeless=True)
        if name == until and job not in away:
            return True
    return False


def _warn_of_others(flushed: Flushed, event: _Event) -> None:
    """Logs older events of the spool that were refused or damaged, because no caller learns of them otherwise."""
    for other in flushed.refused:
        if other.event_id != event.id:
            _LOG.warning("the spooled event %s of job %s was refused: %s", other.event, event.uuid, other.reason)
    for damaged in flushed.damaged:
        _LOG.warning("the spooled event %s cannot be read; it is in damaged/", damaged)


def _send_spooled(
    spool: _Spool, name: str, event: _Event, deadline: float, away: Dict[str, _Away], flushed: Flushed
) -> None:
    if event.host in away:
        raise away[event.host]
    try:
        flushed.taken.append(_attempt(event, deadline))
    except Refused as refused:
        flushed.refused.append(refused)
        spool.refuse(name, event, refused)
    except _Away as error:
        away[event.host] = error
        raise
    else:
        spool.remove(name)


def _lock(file: IO[bytes], deadline: float) -> bool:
    """Locks a file until it is closed; False if another process holds the lock until the deadline."""
    while fcntl is not None:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)
        except OSError:  # a file system without locks
            return True
        else:
            return True
    return True


def _unlock(file: IO[bytes]) -> None:
    """Releases a lock explicitly: a process forked meanwhile has the file open too, and would keep the lock."""
    if fcntl is not None:
        with contextlib.suppress(OSError):
            fcntl.flock(file.fileno(), fcntl.LOCK_UN)


def _sync(directory: Path) -> None:
    """Makes the names in a directory durable, if the system supports it."""
    if os.name != "posix":
        return
    descriptor = os.open(str(directory), os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (
            errno.EINVAL,
            errno.ENOTSUP,
        ):  # as on some network file systems
            raise
    finally:
        os.close(descriptor)


# The command


class CommandResult(NamedTuple):
    """The result of a command: facts for `--json`, the same facts as lines of text, and the exit code."""

    facts: Dict[str, Any]
    lines: List[str]
    exit_code: int


def arguments(parser: Union[argparse.ArgumentParser, "argparse._ArgumentGroup"]) -> None:
    """Adds the arguments for where and how an event is sent."""
    add = parser.add_argument
    add(
        "--callback",
        metavar="URL",
        help="the job's callback URL (default: %s; other users can see arguments)" % CALLBACK_VARIABLE,
    )
    add("--spool", metavar="DIR", help="directory in which undelivered events wait (default: %s)" % SPOOL_VARIABLE)
    add("--later", action="store_true", help="only write the event to the spool")
    add("--flush", action="store_true", help="send the events in the spool instead of an event")
    add(
        "--timeout",
        type=seconds,
        metavar="SECONDS",
        help="how long sending may take, retries included (default: %g; --flush: 60)" % TIMEOUT,
    )
    add("--allow-http", action="store_true", help="send the token unencrypted to another machine")


def perform(options: argparse.Namespace, event: Optional[str]) -> CommandResult:
    """Sends one event or the events in the spool, as the arguments say.

    Raises:
        Misused: the arguments contradict each other, or something is missing.
    """
    spool = options.spool or os.environ.get(SPOOL_VARIABLE) or None
    if options.flush:
        return _flush_spool(options, event, spool)
    if event is None:
        raise Misused("name an event")
    if event not in EVENTS:  # checked here, because the user may not see the refusal of a spooled event
        raise Misused("%s is not an event; the events are %s" % (ascii(event), ", ".join(EVENTS)))
    callback = options.callback or os.environ.get(CALLBACK_VARIABLE)
    if not callback:
        raise Misused("name the job with --callback or %s" % CALLBACK_VARIABLE)
    timeout = options.timeout or TIMEOUT
    job = Job.from_callback(callback, spool=spool, later=options.later, timeout=timeout, allow_http=options.allow_http)
    return _send(job, event, options.data, options.id or uuids.uuid4().hex)


def _flush_spool(options: argparse.Namespace, event: Optional[str], spool: Optional[str]) -> CommandResult:
    if any(one is not None for one in (event, options.data, options.id, options.callback)):
        raise Misused("--flush sends the events in the spool, and takes no event")
    if spool is None:
        raise Misused("--flush: name the spool with --spool or %s" % SPOOL_VARIABLE)
    return _flushed_result(flush(spool, options.timeout or 60.0))


def _send(job: Job, event: str, data: Data, event_id: str) -> CommandResult:
    facts: Dict[str, Any] = {"verdict": None, "uuid": job.uuid, "event": event, "id": event_id, "spooled": False}
    facts.update(state=None, reason="", execution=None)
    try:
        result = job.send(event, data, event_id=event_id)
    except (Refused, Undelivered, SpoolFailed) as error:
        facts.update(verdict=error.verdict, reason=error.reason)
        return CommandResult(facts, ["%s: %s" % (error.verdict or "not taken", error.reason)], error.exit_code)
    facts.update(verdict=result.verdict, reason=result.reason, state=result.state, execution=result.execution)
    facts["spooled"] = result.spooled
    word = "spooled" if result.spooled else result.verdict or "sent"
    return CommandResult(
        facts, ["%s%s: %s" % (word, " (now %s)" % result.state if result.state else "", result.reason)], 0
    )


def _flushed_result(flushed: Flushed) -> CommandResult:
    refused = [
        {"event": each.event, "id": each.event_id, "verdict": each.verdict, "reason": each.reason}
        for each in flushed.refused
    ]
    facts = {
        "taken": [dict(each._asdict()) for each in flushed.taken],
        "refused": refused,
        "damaged": flushed.damaged,
        "left": flushed.left,
        "reason": flushed.reason,
    }
    lines = ["%s: %s" % (each.verdict or "sent", each.event) for each in flushed.taken]
    lines += ["%s: %s: %s" % (each.verdict or "refused", each.event, each.reason) for each in flushed.refused]
    lines += ["damaged: %s" % name for name in flushed.damaged]
    lines.append("%d left%s" % (flushed.left, ": " + flushed.reason if flushed.reason else ""))
    code = flushed.refused[0].exit_code if flushed.refused else 65 if flushed.damaged else 0
    return CommandResult(facts, lines, Undelivered.exit_code if flushed.left else code)


def main(argv: Optional[Sequence[str]] = None, prog: Optional[str] = None) -> int:
    """The command: sends one event of a job, or the events in a spool. Returns the exit code of the verdict."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Reports the progress of a job to a PipelineJobs Manager.",
        epilog="exit codes: 0 accepted, or in the spool; 2 wrong arguments; 65 malformed, or refused without a "
        "verdict; 70 not allowed in the job's state; 75 not delivered; 77 not authorised.",
    )
    parser.add_argument("event", nargs="?", metavar="EVENT", help=", ".join(EVENTS))
    parser.add_argument("--data", type=json_object, metavar="JSON", help="a JSON object for the history")
    parser.add_argument(
        "--id", metavar="TEXT", help="the event's id; an event that is sent twice with one id is applied once"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    arguments(parser)
    options = parser.parse_args(argv)
    try:
        outcome = perform(options, options.event)
    except ClientError as error:
        _print("%s: %s" % (parser.prog, error.reason), sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    _print(json.dumps(outcome.facts, indent=2) if options.json else "\n".join(outcome.lines), sys.stdout)
    return outcome.exit_code


def _print(text: str, stream: Optional[TextIO]) -> None:
    """Prints, ignoring errors of the stream: a full disk must not change the exit code, because the event was sent."""
    if stream is None:  # it was closed before the program started
        return
    encoding = stream.encoding or "ascii"
    try:
        print(text.encode(encoding, "backslashreplace").decode(encoding), file=stream, flush=True)
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError("is not a number of seconds above 0")
    return value


def json_object(text: str) -> Dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise argparse.ArgumentTypeError("is not a JSON object: %s" % error) from None
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError("is not a JSON object")
    return value


if __name__ == "__main__":
    sys.exit(main())
