"""When an access token is renewed, and when not."""

import itertools
import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelinejobs.job_systems.access_token import BACKOFF, REFUSED, TOLERATED, AccessToken, Renewed, check, renewed
from pipelinejobs.job_systems.host import Host, NoAnswer, NotAsked
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.http_json import JsonAnswer
from pipelinejobs.util.secret import Secret

HOST = Host("api.example.org", rate=1.0)
CANARY = "canary-token-99e1"
LONG = 3600.0


class Issuer:
    """Issues tokens one after the other: `t1`, `t2`; counts the requests, and fails as it is told."""

    def __init__(self, life: float | None = None) -> None:
        self.life = life
        self.fails = False
        self.is_refused = False
        self.renewals = 0
        self.during: Callable[[], None] = lambda: None

    def renew(self, host: Host, deadline: Deadline) -> Renewed:
        self.renewals += 1
        self.during()
        if self.is_refused:
            raise NotAsked("api.example.org is not asked again for 60 s")
        if self.fails:
            raise NoAnswer("api.example.org answered 500 Internal Server Error")
        return Renewed(Secret(f"t{self.renewals}"), self.life)

    def settle(self) -> None:
        pass


class World:
    """A token on a clock of its own."""

    def __init__(self, issuer: Issuer | None, first: str | None = None) -> None:
        self.now = 1000.0
        self.issuer = issuer
        self.token = AccessToken(Secret(first) if first else None, issuer, clock=lambda: self.now)

    def current(self) -> str:
        """The token to show, or the reason why there is none."""
        try:
            return self.token.current(HOST, Deadline(60)).reveal()
        except NoAnswer as error:
            return error.reason

    def question(self, *good: str) -> str:
        """Asks a question that these tokens are good for, as `Asker` does; what came of it."""
        try:
            token = self.token.current(HOST, Deadline(60))
            if token.reveal() not in good:
                token = self.token.another(token, HOST, Deadline(60))
        except NoAnswer as error:
            return error.reason
        if token.reveal() not in good:
            return "401"
        self.token.worked()
        return token.reveal()


def test_a_token_is_got_when_it_is_needed_and_kept() -> None:
    issuer = Issuer()
    world = World(issuer)
    assert (issuer.renewals, world.token.obstacle()) == (0, None)
    assert [world.question("t1") for _ in range(3)] == ["t1"] * 3
    world.now += 10 * 365 * 86400
    assert world.question("t1") == "t1"
    assert issuer.renewals == 1


@pytest.mark.parametrize(("life", "early"), [(14_400.0, 60.0), (10.0, 2.0), (0.5, 0.1)])
def test_it_is_renewed_shortly_before_its_end(life: float, early: float) -> None:
    world = World(Issuer(life))
    assert world.question("t1") == "t1"
    world.now += life - early - 0.01
    assert world.question("t1") == "t1"
    world.now += 0.02
    assert world.question("t2") == "t2"


def test_a_refused_token_is_renewed_once_and_again_when_it_is_refused_later() -> None:
    issuer = Issuer()
    world = World(issuer)
    assert [world.question(good) for good in ("t1", "t2", "t2", "t3", "t4")] == ["t1", "t2", "t2", "t3", "t4"]
    assert issuer.renewals == 4


def test_a_token_that_was_given_and_cannot_be_renewed_stays() -> None:
    world = World(None, first="given")
    assert world.question("given") == "given"
    why = "the access token of the settings is wrong, has expired, or may not see this job"
    assert world.question() == f"api.example.org answered 401: {why}"
    assert world.question("given") == "given"


@pytest.mark.parametrize("issuer", [None, Issuer()])
def test_after_refusals_in_a_row_no_question_is_asked_for_a_while(issuer: Issuer | None) -> None:
    world = World(issuer, first="given")
    waits = []
    for _ in range(12):
        while world.token.obstacle() is None:
            assert "401" in world.question()
        begin = world.now
        assert "; it is not tried again for " in world.question("given", "t1", "t2")
        while world.token.obstacle() is not None:
            world.now += 0.5
        waits.append(world.now - begin)
    assert REFUSED.first / 2 <= waits[0] <= REFUSED.first + 0.5
    assert min(waits[-2:]) >= REFUSED.longest / 2
    assert max(waits) <= REFUSED.longest + 0.5
    assert world.question("given", "t1", *(f"t{n}" for n in range(99))) != "401"
    assert world.token.obstacle() is None


@pytest.mark.promise("F22")
@pytest.mark.parametrize("issuer", [None, Issuer()])
def test_jobs_that_are_always_refused_do_not_hold_up_the_others(issuer: Issuer | None) -> None:
    """A server may answer 401 for a job that the user may not see; so five questions are asked between two pauses."""
    world = World(issuer, first="given")
    begin, refused = world.now, 100
    while refused:
        while world.token.obstacle() is not None:
            world.now += 0.5
        assert "401" in world.question()
        refused -= 1
    while world.token.obstacle() is not None:
        world.now += 0.5
    assert "401" not in world.question("given", *(f"t{n}" for n in range(99)))
    assert world.now - begin <= 100 / TOLERATED * (REFUSED.longest + 0.5)


def test_a_token_that_was_refused_for_long_is_renewed_again() -> None:
    """It may have ended meanwhile, and not all servers say when a token ends."""
    issuer = Issuer()
    world = World(issuer, first="given")
    for _ in range(3 * TOLERATED):
        while world.token.obstacle() is not None:
            world.now += 0.5
        world.question()
    renewals = issuer.renewals
    world.now += BACKOFF.longest + 1
    assert world.question(f"t{renewals + 1}") == f"t{renewals + 1}"


@pytest.mark.promise("F22")
def test_a_failed_renewal_is_not_repeated_at_once() -> None:
    issuer = Issuer()
    world = World(issuer)
    issuer.fails = True
    failed = "the access token could not be renewed: api.example.org answered 500 Internal Server Error"
    assert world.question() == failed
    for _ in range(50):
        assert world.question().startswith(f"{failed}; it is not tried again for ")
        assert world.question() == world.token.obstacle()
    assert issuer.renewals == 1
    world.now += BACKOFF.longest + 1
    issuer.fails = False
    assert world.token.obstacle() is None
    assert world.question("t2") == "t2"


def test_a_renewal_that_was_not_asked_for_is_no_failure() -> None:
    issuer = Issuer()
    world = World(issuer)
    issuer.is_refused = True
    assert [world.question() for _ in range(5)] == ["api.example.org is not asked again for 60 s"] * 5
    issuer.is_refused = False
    assert world.token.obstacle() is None
    assert world.question("t6") == "t6"


@pytest.mark.promise("F22")
def test_renewals_that_go_on_failing_become_rare() -> None:
    issuer = Issuer()
    issuer.fails = True
    world = World(issuer)
    times = []
    for _ in range(12):
        while world.token.obstacle() is not None:
            world.now += 0.5
        world.question()
        times.append(world.now)
    waits = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert issuer.renewals == len(times)
    assert waits[0] >= BACKOFF.first / 2
    assert max(waits[:2]) < min(waits[-2:])


def test_a_token_that_is_still_valid_is_used_while_its_renewal_fails() -> None:
    issuer = Issuer(life=1000.0)
    world = World(issuer)
    assert world.question("t1") == "t1"
    issuer.fails = True
    world.now += 950
    assert [world.question("t1") for _ in range(20)] == ["t1"] * 20
    assert issuer.renewals == 2
    assert world.token.obstacle() is None
    world.now += 51
    assert "could not be renewed" in world.question("t1")


def test_a_refused_token_is_not_shown_again_when_its_renewal_fails() -> None:
    issuer = Issuer()
    world = World(issuer)
    assert world.question("t1") == "t1"
    issuer.fails = True
    assert "could not be renewed" in world.question()
    assert "could not be renewed" in world.current()


@pytest.mark.promise("F22")
def test_questions_that_are_refused_whatever_the_token_cost_few_renewals() -> None:
    issuer = Issuer()
    world = World(issuer)
    for _ in range(TOLERATED - 1):
        world.question()
    assert issuer.renewals == 1
    assert world.question("t1") == "t1"


def test_one_thread_renews_and_the_others_use_what_it_got() -> None:
    issuer = Issuer()
    world = World(issuer)
    old = world.token.current(HOST, Deadline(60))
    world.token.worked()
    entered, leave = threading.Event(), threading.Event()

    def slow() -> None:
        entered.set()
        leave.wait(60)

    issuer.during = slow
    got: list[str] = []
    threads = [
        threading.Thread(target=lambda: got.append(world.token.another(old, HOST, Deadline(60)).reveal()))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    assert entered.wait(60)
    with pytest.raises(NoAnswer, match="before another question had renewed the access token"):
        world.token.current(HOST, Deadline(0.01))
    leave.set()
    for thread in threads:
        thread.join()
    assert got == ["t2"] * 8
    assert issuer.renewals == 2


@pytest.mark.parametrize(
    "token", [None, "", 1, True, ["x"], {"x": "x"}, "a b", "a\r\nX-Evil: 1", "é", "x" * 16_385, "\ud800"]
)
def test_a_token_that_is_not_fit_for_a_header_is_none(token: object) -> None:
    for grant in ({"access_token": token}, token, {}):
        with pytest.raises(NoAnswer, match=r"^api\.example\.org gave no usable access token$"):
            renewed(grant, "api.example.org")


@pytest.mark.parametrize(
    ("told", "life"),
    [(14_400, 14_400.0), (0.5, 0.5), ("3600", 3600.0), (None, None), (0, None), (-1, None), (True, None),
     ("soon", None), ("-5", None), (float("nan"), None), (float("inf"), None), (10**400, None), ("9" * 50, None),
     ([60], None)],
)  # fmt: skip
def test_for_how_long_a_token_is_valid(told: object, life: float | None) -> None:
    new = renewed({"access_token": CANARY, "expires_in": told}, "api.example.org")
    assert (new.token.reveal(), new.life) == (CANARY, life)
    assert CANARY not in repr(new)


@given(status=st.integers(100, 999))
def test_only_200_and_201_give_a_token(status: int) -> None:
    if status in (200, 201):
        check(JsonAnswer(status, None), "api.example.org", "the client")
    else:
        with pytest.raises(NoAnswer, match=f"^api.example.org answered {status}"):
            check(JsonAnswer(status, None), "api.example.org", "the client")
