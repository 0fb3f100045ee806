"""Pace and circuit of a host, on a clock that only waiting moves."""

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelinejobs.job_systems.host import BACKOFF, LONGEST_ANSWER, TOLERATED, Host, NoAnswer
from pipelinejobs.util import http_json
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.errors import Undelivered
from pipelinejobs.util.http_json import JsonAnswer

WELL = JsonAnswer(200, {"status": "success"})
DOWN = JsonAnswer(503, None)
PAUSE = BACKOFF.longest + 1
"""Seconds after which no circuit is open any more."""


class World:
    """A host, its clock, and what it answers.

    Attributes:
        answer: what the host answers to each request; an error is raised.
        sent: when each request was sent.
    """

    def __init__(self, rate: float) -> None:
        self.now = 1000.0
        self.answer: JsonAnswer | Undelivered = WELL
        self.sent: list[float] = []
        self.limits: list[float] = []
        self.host = Host("api.example.org", rate, clock=lambda: self.now, sleep=self.sleep)
        self.during: Callable[[], None] = lambda: None

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def request(self, method: str, url: str, headers: object, seconds: float, body: bytes | None) -> JsonAnswer:
        self.sent.append(self.now)
        self.limits.append(seconds)
        self.during()
        if isinstance(self.answer, Undelivered):
            raise self.answer
        return self.answer

    def ask(self, seconds: float = 3600) -> str:
        """What came of a request: the status, or the reason why there is none."""
        try:
            return str(self.host.request("GET", "https://api.example.org/x", {}, Deadline(seconds)).status)
        except NoAnswer as error:
            return error.reason


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(rate=1000.0)
    monkeypatch.setattr(http_json, "request", lambda *arguments: world.request(*arguments))
    return world


def test_there_is_never_more_than_the_rate_in_any_second(monkeypatch: pytest.MonkeyPatch) -> None:
    @given(
        rate=st.sampled_from([0.5, 1.0, 5.0, 7.3]),
        pauses=st.lists(st.sampled_from([0.0, 0.0, 0.05, 0.3, 5.0]), min_size=20, max_size=60),
    )
    def check(rate: float, pauses: list[float]) -> None:
        world = World(rate)
        monkeypatch.setattr(http_json, "request", lambda *arguments: world.request(*arguments))
        for pause in pauses:
            world.now += pause
            assert world.ask() == "200"
        gaps = [later - earlier for earlier, later in itertools.pairwise(world.sent)]
        assert min(gaps) >= 1 / rate - 1e-6

    check()


def test_the_first_request_waits_for_nothing(world: World) -> None:
    world.ask()
    assert world.sent == [1000.0]


def test_a_turn_after_the_deadline_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = World(rate=0.001)
    monkeypatch.setattr(http_json, "request", lambda *arguments: slow.request(*arguments))
    assert slow.ask() == "200"
    said = slow.ask(seconds=900)
    assert said == "the time was over before a request to api.example.org had its turn (0.001 a second)"
    assert (slow.now, len(slow.sent)) == (1000.0, 1)
    assert slow.ask(seconds=1100) == "200"  # the turn was not used up


def test_no_answer_is_waited_for_longer_than_the_deadline_or_the_limit(world: World) -> None:
    world.ask(seconds=3600)
    world.ask(seconds=2)
    assert world.limits[0] == LONGEST_ANSWER
    assert world.limits[1] <= 2


@pytest.mark.promise("F22")
@pytest.mark.parametrize(
    "failure",
    [JsonAnswer(status, {"status": "error"}) for status in (408, 429, 500, 502, 503, 504)]
    + [Undelivered("nothing answers at api.example.org")],
)
def test_after_failures_in_a_row_the_circuit_opens(world: World, failure: JsonAnswer | Undelivered) -> None:
    world.answer = failure
    for _ in range(TOLERATED):
        assert world.host.obstacle() is None
        world.ask()
    said = world.host.obstacle()
    assert said is not None
    assert said.startswith(("api.example.org answered ", "nothing answers at api.example.org"))
    assert "; it is not asked again for " in said
    assert world.ask() == said
    assert len(world.sent) == TOLERATED


@pytest.mark.parametrize("status", [200, 204, 301, 307, 400, 401, 403, 404])
def test_other_answers_open_nothing(world: World, status: int) -> None:
    for document in (None, {"status": "error"}):
        world.answer = JsonAnswer(status, document)
        assert [world.ask() for _ in range(3 * TOLERATED)] == [str(status)] * 3 * TOLERATED
        assert world.host.obstacle() is None


def test_failures_with_answers_between_open_nothing(world: World) -> None:
    for _ in range(3):
        for answer in (DOWN,) * (TOLERATED - 1) + (WELL,):
            world.answer = answer
            world.ask()
    assert world.host.obstacle() is None


@pytest.mark.promise("F22")
def test_one_request_tries_an_open_circuit_and_closes_it(world: World) -> None:
    world.answer = DOWN
    for _ in range(TOLERATED):
        world.ask()
    world.now += PAUSE
    others: list[str | None] = []
    world.during = lambda: others.extend([world.host.obstacle()])
    world.answer = WELL
    assert world.ask() == "200"
    assert others == ["api.example.org answered 503 Service Unavailable; one request is trying it again"]
    assert world.host.obstacle() is None
    assert world.ask() == "200"


@pytest.mark.promise("F22")
def test_each_failed_trial_opens_it_for_longer(world: World) -> None:
    world.answer = DOWN
    for _ in range(TOLERATED):
        world.ask()
    waits = []
    for _ in range(12):
        begin = world.now
        while world.host.obstacle() is not None:
            world.now += 0.5
        waits.append(world.now - begin)
        sent = len(world.sent)
        assert world.ask() == "api.example.org answered 503 Service Unavailable"
        assert len(world.sent) == sent + 1
    assert BACKOFF.first / 2 <= waits[0] <= BACKOFF.first + 0.5
    assert max(waits[:3]) < min(waits[-3:])
    assert max(waits) <= BACKOFF.longest + 0.5


@pytest.mark.promise("F22")
@pytest.mark.parametrize("status", [429, 503])
def test_a_retry_after_opens_the_circuit_at_once_until_then(world: World, status: int) -> None:
    world.answer = JsonAnswer(status, None, "120")
    world.ask()
    world.answer = WELL
    world.now += 119
    assert "; it is not asked again for 1 s" in world.ask()
    world.now += 1
    assert world.ask() == "200"
    assert world.sent == [1000.0, 1120.0]


@pytest.mark.parametrize(("status", "header"), [(429, "0"), (429, "soon"), (500, "120"), (429, None)])
def test_without_a_time_to_wait_one_failure_opens_nothing(world: World, status: int, header: str | None) -> None:
    world.answer = JsonAnswer(status, None, header)
    world.ask()
    assert world.host.obstacle() is None


def test_an_answer_that_was_on_its_way_does_not_end_the_pause(world: World) -> None:
    """Two threads ask; the second is told to wait while the answer to the first is on its way."""

    def second() -> None:
        world.during = lambda: None
        world.answer = JsonAnswer(429, None, "60")
        world.ask()
        world.answer = WELL

    world.during = second
    assert world.ask() == "200"
    assert world.host.obstacle() == "api.example.org answered 429 Too Many Requests; it is not asked again for 60 s"
