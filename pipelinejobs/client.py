"""Reports the progress of a job to a PipelineJobs Manager.

    job = Job.from_callback("https://api.example.org/actors/v2/jobs-manager.prod/messages?x-nonce=...&uuid=...&token=...")
    job.run()
    job.update({"progress": 0.5})
    job.finish()

This file needs only the standard library of Python 3.6 or newer: copy it to the machine where a job runs. It is also a
command; see `python client.py --help`:

    python client.py --callback URL finish             sends one event
    python client.py exec --callback URL -- CMD ...    runs a command, and reports its start and its end
    python client.py wait --callback URL               waits until the job is finished or has failed

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
    +-- Unanswered           timed out; the job's state could not be read
    +-- SpoolFailed          the spool cannot be used

The sections of this file: limits and errors; `Job` and `flush`; Sending; Reading; The spool; Running a command (its
reporter, its signals); The command.
"""

import argparse
import collections
import contextlib
import datetime
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
import shlex
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid as uuids
from pathlib import Path
from typing import (
    IO,
    Any,
    Callable,
    Deque,
    Dict,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    TextIO,
    Tuple,
    Type,
    TypeVar,
    Union,
)

try:
    import fcntl
except ImportError:  # Windows: no `exec`; several processes may send the same event, and the manager applies it once
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
    "Unanswered",
    "Unauthorised",
    "Undelivered",
    "Waited",
    "flush",
]

# fmt: off
EVENTS = ("run", "update", "resource", "fail", "finish", "index", "indexed",
          "validate", "validated", "reject", "finalize", "retire", "reset", "ready")
# fmt: on
"""The events that can be sent. `create` is reserved for the agents that create jobs."""

AGAVE_EVENTS = ("RUNNING", "FINISHED", "FAILED", "STOPPED", "KILLED", "ARCHIVING_FAILED")
"""The statuses that Agave is asked to report: the start of the job, and each status with which it can end."""

TOKEN_HEADER = "X-Job-Token"  # noqa: S105 - only its name
CALLBACK_VARIABLE = "PIPELINEJOBS_CALLBACK"
SPOOL_VARIABLE = "PIPELINEJOBS_SPOOL"
EXEC_VARIABLE = "PIPELINEJOBS_EXEC"  # the job on which an `exec` reports; one below it would end the job too early

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

WAIT_SECONDS = 25  # one question to the gateway; proxies give up after 30 s and more
ASK_SECONDS, POLL_SECONDS = 1.0, 5.0  # the least time between questions; that to a gateway that holds none back

START_SECONDS = 5.0
"""Seconds that `exec` waits at most for the spool before it starts the command."""
HURRY_SECONDS = 10.0
"""Seconds that `exec` goes on sending at most after a signal. Batch systems kill 10 to 30 s after their SIGTERM."""
IDLE_PAUSE = 60.0  # the longest pause between attempts while the command runs
PROGRESS_BYTES = 65536
TEXT_LENGTH = 1000

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
_T = TypeVar("_T")


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


class Unanswered(ClientError):
    """Timed out. The job's state could not be read."""

    exit_code = 75


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


class Waited(NamedTuple):
    """The result of waiting for a job.

    Attributes:
        state: the job's state.
        reached: whether the job is, or was while this process waited, in one of the states that were waited for.
        never: whether the job can get to none of these states any more, unless an administrator resets it.
        revision: the job's revision, if the answer contains it.
    """

    state: str
    reached: bool
    never: bool = False
    revision: Optional[int] = None


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
            url: the manager's messages URL, `https://HOST/actors/v2/ALIAS/messages`. Its query may hold a nonce, but
                not dry_run: the manager would judge each event and store none.
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
        self._parameters = _parameters(parts.query)
        if self._parameters.get("dry_run", "false").lower() not in ("false", "0"):
            raise Misused("url: must not hold dry_run: the manager would judge each event and store none")
        self._where = urllib.parse.urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))
        self._token = token
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
        return _Flush(self._spool, time.monotonic() + timeout, self.uuid).run()

    def wait(
        self,
        until: Sequence[str] = ("FINISHED", "FAILED"),
        timeout: Optional[float] = None,
        on_change: Optional[Callable[[str], object]] = None,
    ) -> Waited:
        """Waits until the job is in one of these states. Needs a gateway: Abaco by itself shows no jobs.

        Lost connections, restarts and overload of the gateway do not end it.

        Args:
            until: the names of the states.
            timeout: seconds; None waits without limit.
            on_change: called at once with the first state that is read, and then with each other state that is seen.

        Returns:
            The result. If the time is over, or no way leads to these states, `reached` is False.

        Raises:
            Misused: an argument is wrong, or the job's URL is not of the form `.../actors/v2/ALIAS/messages`.
            Refused: the gateway refused the question (status 404: there is no such job).
            Unauthorised: the credential or the job's token is not sufficient.
            Unanswered: the time is over, and the gateway never answered; or it never will, as with a bad certificate.
        """
        if isinstance(until, str) or not until or not all(re.fullmatch("[A-Z]+", state) for state in until):
            raise Misused("until: must be names of states, such as FINISHED")
        if timeout is not None and not timeout > 0:
            raise Misused("timeout: must be a number of seconds above 0")
        return _wait(self._question(), until, math.inf if timeout is None else timeout, on_change)

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

    def _question(self) -> "_Event":
        """A request for the job, in the form of an event so that its errors are handled like an event's."""
        base, found, _ = self._where.rpartition("/actors/v2/")
        if not found:
            base, found, _ = self._where.rpartition("/v3/actors/")
        if not found:
            raise Misused("url: jobs can be read only beside .../actors/v2/ALIAS/messages or /v3/actors/ALIAS/messages")
        nonce = {name: value for name, value in self._parameters.items() if name == "x-nonce"}
        headers = dict(self._headers, **{TOKEN_HEADER: self._token})
        url = "%s/jobs/%s?%s" % (base, self.uuid, urllib.parse.urlencode(nonce))
        return _Event(url, headers, self.uuid, "wait", "", json.dumps({"token": self._token}))

    def _by_spool(self, spool: "_Spool", event: "_Event", deadline: float) -> Result:
        try:
            name = spool.add(event)
        except SpoolFailed as error:
            if self._later or spool.names(self.uuid):
                raise  # sent now, the event would overtake those that wait in the spool
            return _deliver_without_spool(event, deadline, error)
        if self._later:
            return Result(event.name, event.id, None, "it waits in the spool", spooled=True)
        flush = _Flush(spool, deadline, self.uuid, until=name)
        reason = flush.run().reason
        result = flush.result_of(event)
        if result is not None:
            return result
        first = (spool.names(self.uuid) or [name])[0]
        behind = "" if first == name else " behind %s, which goes to the address it was written with" % first
        return Result(event.name, event.id, None, "it waits in the spool%s: %s" % (behind, reason), spooled=True)


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
    return _Flush(_Spool(Path(spool)), time.monotonic() + timeout).run()


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
        """Seconds until the next attempt; None if there will be none."""
        pause = self.backoff(attempts, LONGEST_PAUSE)
        return None if self.hopeless or time.monotonic() + pause + LEAST_SECONDS > deadline else pause

    def backoff(self, attempts: int, longest: float) -> float:
        """Seconds until the next attempt: exponential with full jitter, and not less than the server asked for.

        This repeats `util.backoff`, because this file is copied to other machines on its own.
        """
        drawn = random.uniform(0, min(longest, FIRST_PAUSE * 2.0 ** min(attempts, 16)))  # noqa: S311 - spreads load
        return max(drawn, self.asked)


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
    """Sends an event once."""
    seconds = min(ATTEMPT_SECONDS, deadline - time.monotonic())
    if seconds <= 0:
        raise _Away("no time was left to send the event")
    return _in_time(_post, event, seconds)


def _in_time(exchange: Callable[[_Event, float], _T], event: _Event, seconds: float) -> _T:
    """Does an exchange in a thread: a socket timeout limits neither name look-ups nor slow answers."""
    done: queue.Queue[Tuple[Optional[_T], Optional[BaseException]]] = queue.Queue(1)

    def work() -> None:
        try:
            done.put((exchange(event, seconds), None))
        except BaseException as error:
            done.put((None, error))

    try:
        threading.Thread(target=work, name="pipelinejobs-client", daemon=True).start()
    except RuntimeError:  # no more threads, or the interpreter is ending; then only the socket's timeout counts
        work()
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
    return _result(event, _exchange(event, request, seconds))


def _exchange(event: _Event, request: urllib.request.Request, seconds: float) -> bytes:
    """The body of an answer with a status 2xx.

    Raises:
        Refused, _Away: there is no such answer.
    """
    try:
        with _opener(event.url).open(request, timeout=seconds) as response:
            body: bytes = response.read(ANSWER_BYTES)
            return body
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


# Reading


def _wait(
    question: _Event, until: Sequence[str], seconds: float, on_change: Optional[Callable[[str], object]]
) -> Waited:
    """Asks until the job is in one of the states, or never will be, or the time is over. The rest is as for `Job.wait`.

    The gateway holds each question back until there is something to say. A gateway that does not (one of an older
    version) is asked again after a pause. The first question is not held back: it tells the state and the revision.

    After a question that was not held back in full, because the gateway ended or could not be reached, the next one
    shows the last known revision: a state that the job has passed through meanwhile then counts.

    A gateway does not know a token that is to be trusted on first use, before an event was sent with it, and answers
    404. The question is then asked without the token, which is enough for a credential that may read.
    """
    deadline = time.monotonic() + seconds
    waited: Optional[Waited] = None
    reason, failures, interrupted = "no time was left", 0, False
    pause: Optional[float]
    while time.monotonic() < deadline:
        began, before = time.monotonic(), waited
        wait = 0 if waited is None else int(min(WAIT_SECONDS, deadline - began))
        try:
            waited, held = _ask(question, until, wait, deadline - began, waited if on_change or interrupted else None)
        except Refused as refused:
            if not _is_no_such_job(refused) or TOKEN_HEADER not in question.headers:
                raise _explained(refused) from None
            without = {name: value for name, value in question.headers.items() if name != TOKEN_HEADER}
            question, pause = question._replace(headers=without), 0.0
        except _Away as away:
            pause = away.pause(failures, math.inf)
            if pause is None:
                raise Unanswered(away.reason) from None
            reason, failures, interrupted = away.reason, failures + 1, True
        else:
            if on_change and (before is None or before.state != waited.state):
                on_change(waited.state)
            if waited.reached or waited.never:
                return waited
            taken = time.monotonic() - began
            failures, interrupted = 0, wait == 0 or taken < wait
            pause = (ASK_SECONDS - taken) if held else POLL_SECONDS * random.uniform(0.8, 1.2)  # noqa: S311
        time.sleep(max(0.0, min(pause, deadline - time.monotonic())))
    if waited is None:
        raise Unanswered(reason)
    return waited


def _ask(question: _Event, until: Sequence[str], wait: int, left: float, last: Optional[Waited]) -> Tuple[Waited, bool]:
    """Asks once for the job.

    Args:
        wait: seconds for which the gateway is to hold the question back.
        left: seconds that are left.
        last: the last answer, if any change of the job since is to be answered at once.

    Returns:
        The answer, and whether the gateway can hold a question back.
    """
    parameters = {"until": ",".join(until), "wait": str(wait)}
    if last is not None and last.revision is not None:
        parameters["revision"] = str(last.revision)
    asked = question._replace(url="%s&%s" % (question.url, urllib.parse.urlencode(parameters, safe=",")))
    result = _in_time(_get, asked, min(wait + ATTEMPT_SECONDS, left + LEAST_SECONDS))
    reached, state, revision = result.get("reached"), result["state"], result.get("revision")
    revision = revision if isinstance(revision, int) else None
    return Waited(state, reached is True or state in until, reached == "never", revision), reached is not None


def _get(question: _Event, seconds: float) -> Dict[str, Any]:
    """The job from an answer of the gateway."""
    headers = dict(question.headers, **{"User-Agent": "pipelinejobs-client"})
    request = urllib.request.Request(question.url, None, headers, method="GET")  # noqa: S310 - http or https
    whole = _object(_exchange(question, request, seconds))
    result = _object(whole.get("result"))
    if whole.get("status") != "success" or not isinstance(result.get("state"), str):
        raise _Away("%s gave an answer that is not the manager's" % question.host)
    return result


def _is_no_such_job(refused: Refused) -> bool:
    return refused.status == 404 and "no such job" in refused.reason


def _explained(refused: Refused) -> Refused:
    if refused.status != 404 or _is_no_such_job(refused):
        return refused
    return Refused(refused.reason + "; jobs are shown by a gateway of the manager, not by Abaco", refused.status)


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


class _Flush:
    """Sends the waiting events of one job or of all.

    Args:
        uuid: the job; None for all.
        until: the name of the last file to send.

    Attributes:
        away: why events cannot be delivered in this round, by job and by host. If a host cannot be reached, events of
            other jobs are not sent to it.
        flushed: the results of the other events.
    """

    def __init__(self, spool: _Spool, deadline: float, uuid: Optional[str] = None, until: Optional[str] = None) -> None:
        self._spool, self._deadline, self._uuid, self._until = spool, deadline, uuid, until
        self.away: Dict[str, _Away] = {}
        self.flushed = Flushed([], [], [], 0, "")

    def run(self) -> Flushed:
        """Sends in rounds, until all are sent or the time is over."""
        attempts = 0
        while not self.round():
            left = len(self._spool.names(self._uuid))
            if not left:
                break
            errors = list(self.away.values())
            maybe = (error.pause(attempts, self._deadline) for error in errors)
            pauses = [pause for pause in maybe if pause is not None]
            if (errors and not pauses) or time.monotonic() > self._deadline:
                return self.flushed._replace(left=left, reason=errors[0].reason if errors else "the time is over")
            attempts += 1
            time.sleep(min(pauses, default=0.01))
        return self.flushed

    def round(self) -> bool:
        """Sends the events of each job in order, up to the job's first event that cannot be delivered.

        Returns:
            Whether the event `until` was sent, refused, or found damaged.
        """
        self.away.clear()
        for name in self._spool.names(self._uuid):
            job = self._spool._of(name, "uuid")
            if job in self.away:
                continue
            try:
                # If several jobs are sent, do not wait for a lock: send the other jobs' events first.
                with self._spool.claimed(name, 0.0 if self._uuid is None else self._deadline) as event:
                    if event is not None:
                        self._send(name, event)
            except _Damaged:
                self._spool.set_aside(name)
                self.flushed.damaged.append(name)
            except _Away as error:
                self.away[job] = error
            except SpoolFailed as error:  # one file cannot be read or removed; events of other jobs can still be sent
                self.away[job] = _Away(error.reason, hopeless=True)
            if name == self._until and job not in self.away:
                return True
        return False

    def _send(self, name: str, event: _Event) -> None:
        if event.host in self.away:
            raise self.away[event.host]
        try:
            self.flushed.taken.append(_attempt(event, self._deadline))
        except Refused as refused:
            self.flushed.refused.append(refused)
            self._spool.refuse(name, event, refused)
        except _Away as error:
            self.away[event.host] = error
            raise
        else:
            self._spool.remove(name)

    def result_of(self, event: _Event) -> Optional[Result]:
        """What came of the event whose file is `until`; None if it still waits.

        Logs older events that were refused or damaged, because no caller learns of them otherwise.

        Raises:
            Refused: it was refused.
            SpoolFailed: its file was damaged, and it was not sent.
        """
        for damaged in self.flushed.damaged:
            _LOG.warning("the spooled event %s cannot be read; it is in damaged/", damaged)
        for other in self.flushed.refused:
            if other.event_id != event.id:
                _LOG.warning("the spooled event %s of job %s was refused: %s", other.event, event.uuid, other.reason)
        for result in self.flushed.taken:
            if result.event_id == event.id:
                return result
        for refused in self.flushed.refused:
            if refused.event_id == event.id:
                raise refused
        assert self._until is not None
        if self._until in self._spool.names(event.uuid):
            return None
        self._spool.raise_if_refused(self._until)
        return Result(event.name, event.id, None, "another process has delivered the event")


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


# Running a command


class _Reporter:
    """Reports on a command. Each event is written to the spool at once; a thread sends the events in order.

    Nothing here may keep the command from running or hold its exit code back for long: errors are only said, waits are
    bounded, and a hanging file system stops threads of its own.

    Args:
        say: prints a line for people.
        flush_with: the command that sends the events in the spool, for a message.
    """

    def __init__(self, job: Job, say: Callable[[str], None], flush_with: str) -> None:
        self._job, self._spool, self._say, self._flush_with = job, job._spool, say, flush_with
        self._id = uuids.uuid4().hex
        self._count = 0
        self._waiting: Deque[Tuple[_Event, Optional[str]]] = collections.deque()  # with the names of their files
        self._unwritten: List[str] = []  # the names of events that the spool has not taken or refused yet
        self._reason = "the manager has not answered yet"
        self._said: List[str] = []
        self._wants_progress = True
        self._adding = threading.Lock()
        self._changed, self._ending, self._done = threading.Event(), threading.Event(), threading.Event()
        self._ended = False
        self._end: Tuple[str, Dict[str, Any]] = ("fail", {})
        self._listener: Optional[threading.Thread] = None
        self._sender: Optional[threading.Thread] = None
        self._watcher: Optional[threading.Thread] = None
        self._signals, self._signalled = os.pipe()
        os.set_blocking(self._signalled, False)

    def begin(self, data: Dict[str, Any]) -> None:
        """Writes the event `run` to the spool, before the command starts and may report by itself."""
        thread = self._thread(self._add, "run", data)
        if thread is None:
            self._add("run", data)
        else:
            thread.join(START_SECONDS)

    def start(self, progress: Optional[str], every: float) -> None:
        """Starts to send, to take notice of signals, and to read a file with the command's progress."""
        self._listener = self._thread(self._listen)
        self._sender = None if self._job._later else self._thread(self._send)
        if progress is not None:
            self._watcher = self._thread(self._watch, progress, every)

    def signalled(self, number: int) -> None:
        """Takes notice of a signal. A handler of signals may call it at any point: it uses no locks."""
        with contextlib.suppress(OSError):
            os.write(self._signalled, bytes((number,)))

    def end(self, name: str, data: Dict[str, Any], seconds: Callable[[], float]) -> None:
        """Reports the end, and tries to send what waits. Says what is left.

        Args:
            seconds: how long it tries; asked again and again, because a signal may shorten it.
        """
        began = time.monotonic()
        self._ending.set()
        if self._watcher is not None:
            self._watcher.join(LEAST_SECONDS)
        self._end = (name, data)
        self.signalled(0)
        if self._listener is None:
            self._add(name, data)
        if self._sender is None and not self._job._later:
            self._round()
        while self._is_at_work() and time.monotonic() < began + seconds():
            self._done.wait(0.1)
        self._say_what_is_left()

    def _is_at_work(self) -> bool:
        return not self._ended if self._sender is None else not self._done.is_set()

    def _say_what_is_left(self) -> None:
        left = list(self._waiting)
        spooled = [event.name for event, file in left if file is not None]
        if spooled:
            why = "" if self._job._later else " (%s)" % self._reason
            self._say("waiting in the spool: %s%s; to send: %s" % (", ".join(spooled), why, self._flush_with))
        lost = [event.name for event, file in left if file is None] + self._unwritten
        if lost:
            why = "the spool did not answer" if self._unwritten else self._reason
            self._say("not reported: %s (%s)" % (", ".join(lost), why))

    def _say_once(self, text: str) -> None:
        if text not in self._said:
            self._said.append(text)
            self._say(text)

    def _thread(self, target: Callable[..., object], *given: Any) -> Optional[threading.Thread]:
        """Starts a thread that does not outlive the process. It blocks the signals that the main thread blocks now."""
        thread = threading.Thread(target=target, args=given, name="pipelinejobs-exec", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the user has too many processes
            self._say_once("no thread can be started; the command is reported only at its end")
            return None
        return thread

    def _add(self, name: str, data: Dict[str, Any]) -> None:
        """Puts an event behind those that wait, in the spool too if that can be used; after the end, does nothing.

        Raises:
            Misused: the data cannot be sent, as with progress that is NaN.
        """
        self._unwritten.append(name)
        try:
            with self._adding:
                if not self._ended:
                    event = self._job._event(name, data, "exec-%s-%d" % (self._id, self._count + 1))
                    self._count += 1
                    self._waiting.append((event, self._file_of(event)))
                    self._ended = name in ("finish", "fail")
        finally:
            self._unwritten.remove(name)
        self._changed.set()

    def _file_of(self, event: _Event) -> Optional[str]:
        """The name of the event's file in the spool; None if it cannot be written."""
        try:
            return None if self._spool is None else self._spool.add(event)
        except SpoolFailed as error:
            self._reason = error.reason
            self._say_once(error.reason)
            return None

    def _listen(self) -> None:
        """Reports each kind of signal, and at last the end."""
        seen = set()
        while True:
            (number,) = os.read(self._signals, 1)
            if number == 0:
                self._add(*self._end)
                return
            if number not in seen:
                seen.add(number)
                self._add("update", {"signal_received": _signal_name(number)})

    def _watch(self, file: str, every: float) -> None:
        """Reports what a file says if it has changed, the last time at the end of the command."""
        last, is_over = b"", False
        while not is_over and self._wants_progress:
            is_over = self._ending.wait(every)
            try:
                last = self._look(file, last, is_over)
            except FileNotFoundError:
                pass
            except OSError as error:
                self._say_once("%s cannot be read: %s" % (file, error.strerror or error))
        if not self._wants_progress:
            self._say_once("%s is no longer read, because an update was refused" % file)

    def _look(self, file: str, last: bytes, is_over: bool) -> bytes:
        """Reports what a file says; not while earlier events wait, because progress could fill the spool."""
        raw = _tail(file)
        data = None if raw == last else _progress_in(raw)
        if data is None or (self._waiting and not is_over):
            return last
        try:
            self._add("update", data)
        except Misused as error:
            self._say_once("%s: not reported: %s" % (file, error.reason))
        return raw

    def _send(self) -> None:
        """Sends until all is sent and the end among it."""
        attempts = 0
        while True:
            self._changed.clear()
            away = self._round()
            if self._ended and (not self._waiting or (away is not None and away.hopeless)):
                self._done.set()
                return
            if away is None:
                attempts = 0
                self._changed.wait()
            else:
                self._changed.wait(away.backoff(attempts, LONGEST_PAUSE if self._ended else IDLE_PAUSE))
                attempts += 1

    def _round(self) -> Optional[_Away]:
        """Sends the waiting events in order, up to the first that cannot be delivered; returns why it cannot."""
        while self._waiting:
            event, file = self._waiting[0]
            try:
                self._deliver(event, file)
            except _Away as away:
                self._reason = away.reason
                return away
            except Refused as refused:
                self._say_once("%s was refused: %s" % (event.name, refused.reason))
                self._wants_progress &= event.name != "update"
            self._waiting.popleft()
        return None

    def _deliver(self, event: _Event, file: Optional[str]) -> None:
        """Sends one event, after the events before it in the spool, with one attempt for each."""
        deadline = time.monotonic() + ATTEMPT_SECONDS
        if self._spool is not None:
            flush = _Flush(self._spool, deadline, event.uuid, until=file)
            with contextlib.suppress(SpoolFailed):  # the spool is gone or damaged, but the event is in memory
                flush.round()
                if file is not None and flush.result_of(event) is not None:
                    return
                for away in flush.away.values():
                    raise away
        _attempt(event, deadline)


class _Child:
    """A command as a child process, to which the signals that this process gets are passed on.

    The child gets a process group of its own, so that signals can be passed to all of its processes and to no others.
    It stays in the session: batch systems such as PBS find the processes of a job by their session, and a new session
    would have no terminal. If this process is in the foreground of a terminal, the child's group is moved there, as a
    shell does: Ctrl-C and Ctrl-Z reach the child directly, and the child can read.

    A signal that was ignored when this process started (nohup) stays ignored by both and is not passed on. The signals'
    state is otherwise that which this process found.

    Args:
        on_signal: called with the number of each signal that asks the child for something; may use no locks.

    Attributes:
        received: the names of these signals, each once.
    """

    URGENT = ("HUP", "INT", "QUIT", "TERM", "XCPU")
    NAMES = (*URGENT, "USR1", "USR2", "ALRM", "TSTP", "CONT")

    def __init__(self, on_signal: Optional[Callable[[int], None]]) -> None:
        self.received: List[str] = []
        self._on_signal = on_signal
        self._process: Optional["subprocess.Popen[bytes]"] = None  # while it runs
        self._group = os.getpgrp()
        numbers = [getattr(signal, "SIG" + name) for name in self.NAMES]
        # Until `listen`, signals stay pending. TTOU stays blocked, so that this process can move the terminal.
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, [*numbers, signal.SIGTTOU])
        self._handled = [number for number in numbers if signal.getsignal(number) != signal.SIG_IGN]
        for number in self._handled:
            signal.signal(number, self._handle)
        self._found_chld = signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # if ignored, the exit status would be lost
        self._terminal: Optional[int] = None
        with contextlib.suppress(OSError):
            self._terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)

    def start(self, command: Sequence[str], environment: Dict[str, str]) -> None:
        """Starts the command. Signals stay pending until `listen`.

        Raises:
            OSError: it cannot be started.
        """
        words = list(command)
        # Descriptors stay open for the child, as they would without this process; Python closes its own.
        options: Dict[str, Any] = {"env": environment, "close_fds": False, "preexec_fn": self._prepare}
        foreground = self._is_in_foreground(self._group)
        try:
            self._process = subprocess.Popen(words, **options)  # noqa: S603 - the command is the user's own
        except OSError as error:
            if foreground and self._terminal is not None:  # the process that failed had taken it
                os.tcsetpgrp(self._terminal, self._group)
            if error.errno != errno.ENOEXEC:
                raise
            # a script without #!, which shells run too
            script = ["/bin/sh", shutil.which(words[0]) or words[0], *words[1:]]
            self._process = subprocess.Popen(script, **options)  # noqa: S603

    def _prepare(self) -> None:
        """In the child, before the command: its group, and the signals as this process found them."""
        with contextlib.suppress(OSError):
            os.setpgid(0, 0)
        self._move_terminal(self._group, os.getpid())
        for number in self._handled:
            signal.signal(number, signal.SIG_DFL)
        if self._found_chld == signal.SIG_IGN:
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)

    @property
    def is_running(self) -> bool:
        return self._process is not None

    @property
    def is_urged(self) -> bool:
        """Whether a signal came that announces the end of this process too."""
        return any(name in self.URGENT for name in self.received)

    def listen(self) -> None:
        """Lets signals in. Call it when all threads run: they go on blocking signals, so that this thread gets each."""
        signal.pthread_sigmask(signal.SIG_UNBLOCK, self._handled)

    def wait(self) -> int:
        """Waits for the child, passes signals on meanwhile, and returns the exit code, negative for a signal."""
        process = self._process
        assert process is not None
        while True:
            _, status = os.waitpid(process.pid, 0 if self._terminal is None else os.WUNTRACED)
            if not os.WIFSTOPPED(status):
                break
            if os.WSTOPSIG(status) in (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU):
                self._stop_too(process.pid)
        self._process = None
        self._move_terminal(process.pid, self._group)
        process.returncode = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        return process.returncode

    def is_interrupted(self, code: int) -> bool:
        """Whether Ctrl-C ended the child while a script was waiting for this process, which should end too."""
        return code == -signal.SIGINT and self._is_in_foreground(self._group) and self._group != os.getpid()

    def _handle(self, number: int, _: object) -> None:
        if self._process is not None:
            if number == signal.SIGCONT:
                self._move_terminal(self._group, self._process.pid)
            with contextlib.suppress(OSError):
                os.killpg(self._process.pid, number)
        if number not in (signal.SIGTSTP, signal.SIGCONT):
            if _signal_name(number) not in self.received:
                self.received.append(_signal_name(number))
            if self._on_signal is not None:
                self._on_signal(number)

    def _stop_too(self, child: int) -> None:
        """Stops this process after the terminal stopped the child, so that the shell gets its prompt back."""
        self._move_terminal(child, self._group)
        handler = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(0, signal.SIGTSTP)  # returns when the shell continues this process (or if there is no such shell)
        signal.signal(signal.SIGTSTP, handler)
        self._move_terminal(self._group, child)
        if not self._is_in_foreground(child):
            time.sleep(1.0)  # the child may want the terminal again at once
        with contextlib.suppress(OSError):
            os.killpg(child, signal.SIGCONT)

    def _is_in_foreground(self, group: int) -> bool:
        with contextlib.suppress(OSError):
            return self._terminal is not None and os.tcgetpgrp(self._terminal) == group
        return False

    def _move_terminal(self, source: int, target: int) -> None:
        """Brings a process group to the foreground of the terminal, if another one is there now."""
        if self._terminal is not None and self._is_in_foreground(source):
            with contextlib.suppress(OSError):
                os.tcsetpgrp(self._terminal, target)


def _run_command(child: _Child, reporter: Optional[_Reporter], command: Sequence[str], options: Any) -> int:
    """Runs a command and reports its start and end. Returns its exit code: 128 + N if signal N killed it."""
    environment = dict(os.environ)
    if options.callback:
        environment[CALLBACK_VARIABLE] = options.callback
    if reporter is not None:
        environment[EXEC_VARIABLE] = reporter._job.uuid
        if reporter._spool is not None:  # in the same spool, events that the command sends wait behind `run`
            environment[SPOOL_VARIABLE] = str(reporter._spool.directory.absolute())
        reporter.begin(_start_data(command[0]))
    began = time.monotonic()
    try:
        child.start(command, environment)
    except OSError as error:
        code = 127 if error.errno in (errno.ENOENT, errno.ENOTDIR) else 126
        why = "%s cannot be started: %s" % (shlex.quote(_plain(command[0])), os.strerror(error.errno or errno.EIO))
        _say(options, why)
        data: Dict[str, Any] = {"exit_code": code, "reason": why}
    if reporter is not None:
        reporter.start(options.progress, options.update_every or 60.0)
    child.listen()
    if child.is_running:
        code = child.wait()
        data = _end_data(child.received, code, time.monotonic() - began)
    if reporter is not None:
        timeout = options.timeout or TIMEOUT
        reporter.end(
            "fail" if code else "finish", data, lambda: min(timeout, HURRY_SECONDS) if child.is_urged else timeout
        )
    if child.is_interrupted(code):
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(0, signal.SIGINT)
    return code if code >= 0 else 128 - code


def _start_data(program: str) -> Dict[str, Any]:
    """What is reported of a command's start: its name without arguments, and where it runs."""
    ids = {"slurm_job_id": "SLURM_JOB_ID", "pbs_job_id": "PBS_JOBID", "lsb_job_id": "LSB_JOBID"}
    if "SGE_TASK_ID" in os.environ:  # JOB_ID alone may be anything
        ids["sge_job_id"] = "JOB_ID"
    data = {key: _plain(os.environ[name]) for key, name in ids.items() if os.environ.get(name)}
    return dict(data, command=_plain(Path(program).name), host=_plain(socket.gethostname()), started=_now())


def _end_data(received: List[str], code: int, ran: float) -> Dict[str, Any]:
    """What is reported of a command's end."""
    data: Dict[str, Any] = {"exit_code": code} if code >= 0 else {"signal": _signal_name(-code)}
    data.update(seconds=round(ran, 3), ended=_now())
    if received:
        data["signals_received"] = list(received)
    return data


def _default_spool() -> Optional[str]:
    """The spool of `exec` if none is named: in the user's directory for state (XDG); None if the user has no home."""
    state = Path(os.environ.get("XDG_STATE_HOME", ""))
    try:
        state = state if state.is_absolute() else Path.home() / ".local" / "state"
    except (RuntimeError, KeyError):
        return None
    return str(state / "pipelinejobs" / "spool")


def _tail(file: str) -> bytes:
    """The last bytes of a regular file."""
    with os.fdopen(os.open(file, os.O_RDONLY | os.O_NONBLOCK), "rb") as opened:  # a FIFO must not block
        if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        opened.seek(max(0, opened.seek(0, os.SEEK_END) - PROGRESS_BYTES))
        return opened.read(PROGRESS_BYTES)


def _progress_in(raw: bytes) -> Optional[Dict[str, Any]]:
    """The data of an update: the file's JSON object or number, or that of its last line, or else that line as text.

    None if the file is empty, or seems to be half-written.
    """
    text = raw.decode("utf-8", "replace").strip()
    last = (text.splitlines() or [""])[-1].strip()
    for part in (text, last):
        try:
            value = json.loads(part)
            if isinstance(value, dict):
                return value
            if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
                return {"progress": value}
        except (ValueError, RecursionError, OverflowError):
            continue
    return {"message": _plain(last, TEXT_LENGTH)} if last and not text.startswith("{") and last[0] != "{" else None


def _signal_name(number: int) -> str:
    """A signal's name without SIG, such as TERM."""
    try:
        return signal.Signals(number).name[3:]
    except ValueError:  # a real-time signal
        return str(number)


def _plain(text: str, length: int = 200) -> str:
    """A text from the system, fit for JSON and for a line: without control characters and undecodable bytes."""
    shown = "".join(char if char.isprintable() else "?" for char in text)
    return shown[:length]


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


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
        metavar="TIME",
        help="how long sending may take, retries included, in seconds or as in 1h30m (default: %gs; --flush: 60s; "
        "exec: %gs after the end; wait: no limit)" % (TIMEOUT, TIMEOUT),
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
    return _send(_job_of(options, spool), event, options.data, options.id or uuids.uuid4().hex)


def _exec(options: argparse.Namespace, command: Sequence[str]) -> int:
    """Runs a command and reports on it. What is wrong with the reporting is said, and does not stop the command."""
    if not command:
        raise Misused("exec: name the command after --, as in: exec --callback URL -- CMD ...")
    if options.progress is None and options.update_every is not None:
        raise Misused("--update-every: name the file with --progress")
    if options.progress is not None and options.later:
        raise Misused("--progress: has no use with --later, because nothing is sent meanwhile")
    if os.name != "posix":
        raise Misused("exec: needs a POSIX system")
    reporter = None
    try:
        spool = options.spool or os.environ.get(SPOOL_VARIABLE) or _default_spool()
        job = _job_of(options, spool)
        if os.environ.get(EXEC_VARIABLE) == job.uuid:
            raise Misused("the exec above this one reports on the job (unset %s to change that)" % EXEC_VARIABLE)
        file, directory = Path(__file__).absolute(), Path(spool or "").absolute()
        flush_with = " ".join(map(shlex.quote, (sys.executable, str(file), "--flush", "--spool", str(directory))))
        reporter = _Reporter(job, lambda text: _say(options, text), flush_with)
    except Misused as error:
        _say(options, "nothing is reported: " + error.reason)
    return _run_command(_Child(None if reporter is None else reporter.signalled), reporter, command, options)


def _say(options: argparse.Namespace, text: str) -> None:
    _print("%s: %s" % (options.prog, text), sys.stderr)


def _wait_command(options: argparse.Namespace) -> CommandResult:
    """Waits for a job."""
    job = _job_of(options, None)
    wanted = "FINISHED,FAILED" if options.until is None else options.until
    until = [state.strip() for state in wanted.upper().split(",")]
    shown = sys.stderr is not None and sys.stderr.isatty()
    began = time.monotonic()

    def show(state: str) -> None:
        _say(options, "%s after %d s, waiting for %s" % (state, time.monotonic() - began, " or ".join(until)))

    facts: Dict[str, Any] = {"uuid": job.uuid, "state": None, "reached": False, "reason": ""}
    try:
        waited = job.wait(until, options.timeout, show if shown else None)
    except (Refused, Unanswered) as error:
        if not options.json:
            raise  # to stderr, because a line on stdout would be taken for a state
        facts["reason"] = error.reason
        return CommandResult(facts, [], error.exit_code)
    facts.update(state=waited.state, reached="never" if waited.never else waited.reached)
    return CommandResult(facts, [waited.state], 0 if waited.reached else 1 if waited.never else Unanswered.exit_code)


def _job_of(options: argparse.Namespace, spool: Optional[str]) -> Job:
    callback = options.callback or os.environ.get(CALLBACK_VARIABLE)
    if not callback:
        raise Misused("name the job with --callback or %s" % CALLBACK_VARIABLE)
    timeout = options.timeout or TIMEOUT
    return Job.from_callback(callback, spool=spool, later=options.later, timeout=timeout, allow_http=options.allow_http)


def _flush_spool(options: argparse.Namespace, event: Optional[str], spool: Optional[str]) -> CommandResult:
    if any(one is not None for one in (event, options.data, options.id, options.callback)):
        raise Misused("--flush sends the events in the spool, and takes no event")
    if spool is None:
        raise Misused("--flush: name the spool with --spool or %s" % SPOOL_VARIABLE)
    return _flushed_result(flush(spool, options.timeout or 60.0))


def _send(job: Job, event: str, data: Data, event_id: str) -> CommandResult:
    try:
        result, code = job.send(event, data, event_id=event_id), 0
    except (Refused, Undelivered, SpoolFailed) as error:
        result, code = Result(event, event_id, error.verdict, error.reason), error.exit_code
    facts = dict(result._asdict(), uuid=job.uuid, id=event_id)
    del facts["event_id"]
    word = "spooled" if result.spooled else result.verdict or ("not taken" if code else "sent")
    state = " (now %s)" % result.state if result.state else ""
    return CommandResult(facts, ["%s%s: %s" % (word, state, result.reason)], code)


def _flushed_result(flushed: Flushed) -> CommandResult:
    facts = dict(flushed._asdict(), taken=[dict(each._asdict()) for each in flushed.taken])
    facts["refused"] = [
        {"event": each.event, "id": each.event_id, "verdict": each.verdict, "reason": each.reason}
        for each in flushed.refused
    ]
    lines = ["%s: %s" % (each.verdict or "sent", each.event) for each in flushed.taken]
    lines += ["%s: %s: %s" % (each.verdict or "refused", each.event, each.reason) for each in flushed.refused]
    lines += ["damaged: %s" % name for name in flushed.damaged]
    lines.append("%d left%s" % (flushed.left, ": " + flushed.reason if flushed.reason else ""))
    code = flushed.refused[0].exit_code if flushed.refused else 65 if flushed.damaged else 0
    return CommandResult(facts, lines, Undelivered.exit_code if flushed.left else code)


def main(argv: Optional[Sequence[str]] = None, prog: Optional[str] = None) -> int:
    """The command: sends one event of a job or the events in a spool, runs a command, or waits for a job.

    Returns:
        The exit code of the verdict, of the command, or of the wait.
    """
    parser = _parser(prog)
    options, command = _parsed(parser, list(sys.argv[1:] if argv is None else argv))
    try:
        _check_options(options)
        if options.event == "exec":
            return _exec(options, command)
        outcome = _wait_command(options) if options.event == "wait" else perform(options, options.event)
    except ClientError as error:
        _print("%s: %s" % (parser.prog, error.reason), sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    _print(json.dumps(outcome.facts, indent=2) if options.json else "\n".join(outcome.lines), sys.stdout)
    return outcome.exit_code


def _parser(prog: Optional[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=prog,
        usage="%(prog)s [options] EVENT\n       %(prog)s exec [options] -- CMD ...\n       %(prog)s wait [options]",
        description="Reports the progress of a job to a PipelineJobs Manager. exec runs CMD and reports its start and "
        "its end (run, then finish or fail); wait waits until the job is in one of some states, and prints its state.",
        epilog="exit codes: 0 accepted, or in the spool; 2 wrong arguments; 65 malformed, or refused without a "
        "verdict; 70 not allowed in the job's state; 75 not delivered; 77 not authorised. exec: that of CMD, 128 + N "
        "if signal N killed it, 127 or 126 if CMD cannot be started. wait: 0 reached; 1 the job cannot get there any "
        "more; 65 no such job; 75 timed out; 77 not authorised.",
    )
    parser.add_argument("event", nargs="?", metavar="EVENT", help=", ".join(EVENTS))
    parser.add_argument("--data", type=json_object, metavar="JSON", help="a JSON object for the history")
    parser.add_argument(
        "--id", metavar="TEXT", help="the event's id; an event that is sent twice with one id is applied once"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    arguments(parser)
    add = parser.add_argument
    add("--progress", metavar="FILE", help="exec: send the JSON, number or last line in FILE when it has changed")
    add("--update-every", type=seconds, metavar="TIME", help="exec: how often to look into FILE (default: 60s)")
    add("--until", metavar="STATES", help="wait: the states, separated by commas (default: FINISHED,FAILED)")
    return parser


def _parsed(parser: argparse.ArgumentParser, words: List[str]) -> Tuple[argparse.Namespace, List[str]]:
    """The options, and the command of `exec`: all that follows the first `--`."""
    if "--" in words:
        first = words.index("--")
        if "exec" in words[:first]:
            options = parser.parse_args(words[:first])
            if options.event == "exec":
                options.prog = parser.prog
                return options, words[first + 1 :]
    options = parser.parse_args(words)
    options.prog = parser.prog
    return options, []


def _check_options(options: argparse.Namespace) -> None:
    """Refuses options of another command.

    Raises:
        Misused: there are some.
    """
    of = {
        "exec": ("data", "id", "json", "flush", "until"),
        "wait": ("data", "id", "later", "flush", "progress", "update_every"),
    }
    for name in of.get(options.event, ("progress", "update_every", "until")):
        if getattr(options, name) not in (None, False):
            raise Misused("%s: takes no --%s" % (options.event or "--flush", name.replace("_", "-")))


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
    """Seconds from a number, or from a duration such as 90s, 1h30m or 2d."""
    if re.fullmatch(r"(?:[0-9]+(?:\.[0-9]+)?[wdhms])+", text):
        units = {"w": 604800.0, "d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
        value = sum(float(number) * units[unit] for number, unit in re.findall(r"([0-9.]+)([wdhms])", text))
    else:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError("must be above 0: seconds, or a duration such as 90s, 1h30m or 2d")
    return value


def json_object(text: str) -> Dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise argparse.ArgumentTypeError("is not a JSON object: %s" % error) from None
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError("is not a JSON object")
    return value


def leave(code: int) -> None:
    """Ends the process at once with this code.

    Python's own way to end may crash while threads wait for a server, and lets a late signal change the exit code.
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    leave(main())
