"""A requeued message means what it meant, and only what may be requeued is."""

import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelinejobs.messages.delivery import Delivery
from pipelinejobs.messages.event import Event, Kind
from pipelinejobs.messages.marks import unmarked
from pipelinejobs.messages.reader import read
from pipelinejobs.service.requeue import COUNT, Requeue, again, by_hand, count, obstacle
from pipelinejobs.util.backoff import Backoff
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.errors import Malformed, Undelivered
from support.message_samples import JOB, TOKEN, delivery, sample

pytestmark = pytest.mark.promise("F20")

WHERE = {"uuid": JOB, "token": TOKEN}


def notified(uuid: str) -> dict[str, Any]:
    """A notification of Tapis that gives its event this id."""
    body: dict[str, Any] = sample("tapis-notification")
    return body | {"event": body["event"] | {"uuid": uuid}}


FORMS: dict[str, tuple[object, dict[str, str]]] = {
    "a JSON event": ({"uuid": JOB, "name": "update", "token": TOKEN, "data": {"a": [1, 2.5, None, True, "ü'\""]}}, {}),
    "a JSON event with its token outside": ({"uuid": JOB, "name": "run"}, {"token": TOKEN}),
    "parameters and no body": (None, {**WHERE, "event": "run"}),
    "parameters, a note and no body": (None, {**WHERE, "event": "run", "note": "n", "session": "s"}),
    "parameters and an empty object": ({}, {**WHERE, "name": "run"}),
    "parameters and data": ({"progress": 0.5}, {**WHERE, "event": "update", "note": "n"}),
    "data as deep as they may be": (json.loads('{"a":' * 31 + "1" + "}" * 31), {**WHERE, "event": "update"}),
    "a status and no body": (None, {**WHERE, "status": "RUNNING"}),
    "a status and data": ({"progress": 1}, {**WHERE, "state": "killed", "session": "s"}),
    "Agave's callback": (sample("agave-callback"), WHERE),
    "Agave's callback with a status": (sample("agave-callback"), {**WHERE, "status": "FINISHED"}),
    "Aloe's callback": (sample("aloe-callback"), {**WHERE, "note": "n"}),
    "Tapis's notification": (sample("tapis-notification"), WHERE),
    "Tapis's notification with an id that is no ASCII": (notified("é-1"), WHERE),
    "Tapis's notification with an id that cannot be printed": (notified("a\x07b"), WHERE),
    "Tapis's notification with an id longer than ours": (notified("u" * 200), WHERE),
    "Agave's callback as an event": (sample("agave-callback"), {**WHERE, "event": "update"}),
    "a text with a status": ("Job failed. Unable to stage 'inputs'\n", {**WHERE, "status": "FAILED", "note": "\udce9"}),
    "a text with an event": ("disk full", {**WHERE, "event": "fail"}),
    "a list with an event": ([1, {"a": None}], {**WHERE, "event": "update"}),
    "a callback that was mended": (
        json.dumps(sample("agave-callback")).replace("{", f'{{"x": NaN, "y": {2**64}, "z": "\\ud800", ', 1),
        WHERE,
    ),
    "a callback with bytes of another encoding": (
        json.dumps(sample("aloe-callback") | {"name": "\udce9"}, ensure_ascii=False),
        {**WHERE, "status": "RUNNING"},
    ),
    "a callback that is too deep": (
        json.dumps(sample("tapis-notification")).replace("{", '{"x": ' + "[" * 40 + "]" * 40 + ", ", 1),
        WHERE,
    ),
    "no status that can be read": ({"CUSTOM_USER_JOB_EVENT_NAME": "HALF_WAY"}, {**WHERE, "status": "${JOB_STATUS}"}),
    "nothing at all": (None, WHERE),
    "a status and an id that is none": ("{}", {**WHERE, "status": "RUNNING", "x_event_id": "a\nb"}),
    "a sender's own id": ({"uuid": JOB, "name": "run", "token": TOKEN}, {"x_event_id": "mine: 1"}),
}


def read_again(event: Event, parameters: Mapping[str, str], execution: str) -> Event:
    """What a run makes of the message when Abaco brings it."""
    message = again(event, parameters)
    return read(
        Delivery(id=execution, body=str(message.body), parameters=message.parameters | {COUNT: "1"}, sender="us")
    )


def bare(event: Event) -> Event:
    data = unmarked(event.data) if event.kind is Kind.REPORT else event.data
    return event._replace(tokens=(), sender=None, message=None, data=data)


@pytest.mark.parametrize("form", FORMS)
def test_it_comes_again_as_the_same_event(form: str) -> None:
    body, parameters = FORMS[form]
    event = read(delivery(body, parameters, execution="first"))
    second = read_again(event, parameters, "second")
    assert bare(second) == bare(event)
    assert [token.reveal() for token in second.tokens] == [TOKEN]
    third = read_again(second, again(event, parameters).parameters, "third")
    assert bare(third) == bare(event)
    assert obstacle(event, again(event, parameters)) is None


_TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXTS, inner, max_size=4),
    max_leaves=20,
)


@settings(derandomize=True)
@given(data=st.dictionaries(_TEXTS, _VALUES, max_size=5), form=st.sampled_from(["json", "parameters"]))
def test_any_data_come_again_as_they_were(data: dict[str, Any], form: str) -> None:
    if form == "json":
        body, parameters = {"uuid": JOB, "name": "update", "token": TOKEN, "data": data}, {}
    else:
        body, parameters = data, {**WHERE, "event": "update"}
    try:
        event = read(delivery(body, parameters, execution="first"))
    except Malformed:
        return  # data that look like another form
    second = read_again(event, parameters, "second")
    assert json.dumps(second.data, sort_keys=True) == json.dumps(event.data, sort_keys=True)
    assert bare(second) == bare(event)


class TestObstacles:
    def test_no_token(self) -> None:
        """It would come back under our own name, which may be trusted where the sender's is not."""
        event = read(delivery({"uuid": JOB, "name": "indexed"}))
        assert "no token" in (obstacle(event, again(event, {})) or "")

    def test_more_than_abaco_can_give_to_a_process(self) -> None:
        event = read(delivery({"uuid": JOB, "name": "update", "token": TOKEN, "data": {"a": "ü" * 65_500}}))
        assert "131067 bytes" in (obstacle(event, again(event, {})) or "")

    def test_what_fits_just_so_fits(self) -> None:
        event = read(delivery({"uuid": JOB, "name": "update", "token": TOKEN, "data": {"a": ""}}))
        room = 131_067 - len(str(event.message))
        event = read(delivery({"uuid": JOB, "name": "update", "token": TOKEN, "data": {"a": "x" * room}}))
        assert obstacle(event, again(event, {})) is None

    def test_an_id_that_no_parameter_can_hold(self) -> None:
        event = read(delivery({"uuid": JOB, "name": "run", "token": TOKEN}, execution="e" * 200))
        assert "cannot be written as a message again (parameter x_event_id)" in (
            obstacle(event, again(event, {})) or ""
        )


@pytest.mark.parametrize(
    ("text", "number"),
    [("7", 7), ("", 0), ("-1", 0), ("many", 0), ("٣", 0), ("9" * 500, 0), ("1e3", 0), ("99999", 99999)],
)
def test_the_count_is_a_number_or_nothing(text: str, number: int) -> None:
    assert count({COUNT: text}) == number
    assert count({}) == 0


class Queue:
    """Our own queue. It refuses as often as told."""

    def __init__(self, refuses: int = 0) -> None:
        self.refuses = refuses
        self.sent: list[tuple[Mapping[str, Any], str, dict[str, str]]] = []

    def __call__(self, parameters: Mapping[str, str]) -> "Queue":
        self.parameters = dict(parameters)
        return self

    def send(self, message: Mapping[str, Any], *, key: str, deadline: float) -> None:
        if self.refuses:
            self.refuses -= 1
            raise Undelivered("api.example.org answered 500")
        self.sent.append((message, key, self.parameters))


EVENT = read(delivery({"uuid": JOB, "name": "run", "token": TOKEN}, execution="abc"))


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited each time, without waiting. Other threads of this process go on sleeping."""
    waited: list[float] = []
    monkeypatch.setattr("pipelinejobs.service.requeue.time", SimpleNamespace(sleep=waited.append))
    return waited


def test_it_goes_with_its_id_and_one_more(waits: list[float]) -> None:
    queue = Queue()
    Requeue(queue, Backoff(attempts=9)).send(EVENT, {COUNT: "4", "x-nonce": "SD2E_x", "PATH": "/bin"}, Deadline(30))
    ((message, key, parameters),) = queue.sent
    assert message == {"uuid": JOB, "name": "run", "token": TOKEN}
    assert key == "execution:abc"
    assert parameters == {"x_event_id": "execution:abc", COUNT: "5"}


def test_a_report_goes_under_a_key_that_a_header_can_hold(waits: list[float]) -> None:
    """What it says is what it is known by, and Tapis may give its event any text for an id."""
    queue = Queue()
    for text in ("é-1", "é-1", "é-2"):
        event = read(delivery(notified(text), WHERE))
        Requeue(queue, Backoff()).send(event, WHERE, Deadline(30))
        assert "x_event_id" not in queue.parameters
    keys = [key for _, key, _ in queue.sent]
    assert keys[0] == keys[1] != keys[2]
    for key in keys:  # agavepy would send it as x_event_id too
        assert read(delivery(notified("é-1"), {**WHERE, "x_event_id": key})).id == "tapis:é-1"


@pytest.mark.parametrize("before", [0, 1, 5, 50])
def test_it_waits_first_the_longer_the_more_often(before: int, waits: list[float]) -> None:
    Requeue(Queue(), Backoff(attempts=99, longest=8)).send(EVENT, {COUNT: str(before)}, Deadline(60))
    longest = min(8.0, 2.0 ** max(before - 1, 0))
    assert longest / 2 <= waits[0] <= longest


def test_the_wait_leaves_time_to_send(waits: list[float]) -> None:
    Requeue(Queue(), Backoff(attempts=99, longest=500)).send(EVENT, {COUNT: "20"}, Deadline(12))
    assert waits[0] <= 2


def test_it_ends(waits: list[float]) -> None:
    queue = Queue()
    with pytest.raises(Undelivered, match="requeued 3 times"):
        Requeue(queue, Backoff(attempts=3)).send(EVENT, {COUNT: "3"}, Deadline(30))
    assert not queue.sent


def test_a_refusing_queue_is_asked_again(waits: list[float]) -> None:
    queue = Queue(refuses=3)
    Requeue(queue, Backoff()).send(EVENT, {}, Deadline(30))
    assert len(queue.sent) == 1


def test_but_not_for_ever() -> None:
    with pytest.raises(Undelivered, match="answered 500"):
        Requeue(Queue(refuses=99), Backoff()).send(EVENT, {}, Deadline(0.9))


def test_where_there_is_no_queue() -> None:
    with pytest.raises(Undelivered, match="no queue"):
        Requeue(None, Backoff()).send(EVENT, {}, Deadline(30))


@pytest.mark.parametrize("form", FORMS)
def test_by_hand_everything_but_the_secrets(form: str) -> None:
    body, parameters = FORMS[form]
    event = read(delivery(body, parameters, execution="first"))
    fields = by_hand(event, parameters | {"x-nonce": "SD2E_canary"})
    assert TOKEN not in repr(fields)
    assert "canary" not in repr(fields)
    told: dict[str, str] = json.loads(fields["send_parameters"])
    sent = read(Delivery(id="by hand", body=fields["send_message"], parameters={**told, "token": TOKEN}, sender="me"))
    assert bare(sent) == bare(event)
