"""Questions to stand-ins for Agave and Tapis, over HTTP."""

import json
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs

import pytest

from pipelinejobs.job_systems import Answer, Found, JobSystems, from_settings
from pipelinejobs.job_systems.host import TOLERATED
from pipelinejobs.settings.reconcile import ReconcileSection
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.secret import Secret
from support.canaries import assert_hidden, plant
from support.job_systems import (
    Reply,
    StandIn,
    StandInAgave,
    StandInTapis,
    cut,
    drop,
    error,
    flood,
    free_address,
    hang,
    html,
    redirect,
    says,
    too_many,
)
from support.server import RudeServer, answers, self_signed

JOB: Final = "7381-4223007-007"
FAST: Final = 1000.0
ENOUGH: Final = 60.0
"""The deadline, in seconds, of questions that get an answer, on a machine that is busy too."""


@pytest.fixture(params=[StandInAgave, StandInTapis])
def served(request: pytest.FixtureRequest) -> Iterator[StandIn]:
    """Each of the stand-ins in turn, with one job."""
    with request.param() as stand_in:
        stand_in.jobs[JOB] = "RUNNING"
        yield stand_in


def systems(stand_in: StandIn, *, account: bool = False, rate: float = FAST) -> JobSystems:
    return from_settings(stand_in.section(account=account, rate=rate))


def ask(asked: JobSystems, stand_in: StandIn, job: str = JOB, seconds: float = ENOUGH) -> Answer:
    answer = asked.ask(stand_in.system, job, Deadline(seconds))
    assert_hidden(repr(answer), "the answer")
    assert (answer.found is Found.STATUS) == (answer.status is not None) == bool(answer.body)
    assert "\n" not in answer.why
    return answer


# What is asked


def test_a_status_is_asked_for_with_one_request(served: StandIn) -> None:
    answer = ask(systems(served), served)
    assert (answer.found, answer.status) == (Found.STATUS, "RUNNING")
    assert answer.body["status"] == "RUNNING"
    assert "_links" not in answer.body
    (request,) = served.received
    assert (request.method, request.token, request.body) == ("GET", served.token, b"")
    assert request.headers["host"] == served.host
    if served.system == "agave":
        assert request.path == f"/jobs/v2/{JOB}/status"
        assert request.headers["authorization"] == f"Bearer {served.token}"
    else:
        assert request.path == f"/v3/jobs/{JOB}/status"
        assert (request.headers["x-tapis-token"], "authorization" in request.headers) == (served.token, False)


def test_a_status_that_goes_back_is_told_as_it_is(served: StandIn) -> None:
    asked = systems(served)
    told = []
    for status in ("RUNNING", "ARCHIVING", "STAGING_JOB", "FINISHED"):
        served.jobs[JOB] = status
        told.append(ask(asked, served).status)
    assert told == ["RUNNING", "ARCHIVING", "STAGING_JOB", "FINISHED"]


def test_aloe_is_asked_at_the_server_of_agave() -> None:
    with StandInAgave() as agave:
        agave.jobs[JOB] = "FINISHED"
        asked = systems(agave)
        assert asked.names == {"agave", "aloe"}
        assert asked.ask("aloe", JOB, Deadline(ENOUGH)).status == "FINISHED"
        why = "no server of tapis is configured (settings reconcile.*)"
        assert asked.ask("tapis", JOB, Deadline(ENOUGH)) == (Found.UNANSWERED, None, {}, why)
        assert (asked.unaskable("tapis", JOB), asked.obstacle("tapis")) == (why, why)
        assert asked.unaskable("aloe", JOB) is None


def test_without_settings_there_is_nothing_to_ask() -> None:
    assert from_settings(ReconcileSection()).names == frozenset()


@pytest.mark.promise("S26")
@pytest.mark.parametrize(
    "job",
    ["", ".", "..", "../x", "a/../b", "a..b", "a/b", "a b", "a\n", "a?x=1", "a#b", "a%2e", "-a", "_a", ".a", "é", "a\0",
     "a" * 256, "@evil.example", "http://evil.example/", "a;b", "a\\b", "\ud800"],
)  # fmt: skip
def test_what_is_not_an_id_is_not_asked_for(served: StandIn, job: str) -> None:
    answer = ask(systems(served), served, job)
    assert answer.found is Found.UNANSWERED
    assert f"is not an id of a job of {served.system.title()}, so it is not asked for" in answer.why
    assert served.received == []


@pytest.mark.parametrize("job", ["a", "7", "0001414144065563-5056a550b8-0001-007", "a.b_c-d", "a" * 255])
def test_every_id_that_job_systems_give_is_asked_for(served: StandIn, job: str) -> None:
    served.jobs[job] = "QUEUED"
    assert ask(systems(served), served, job).status == "QUEUED"
    assert served.asked == [job]


# What the job system does not say


@pytest.mark.parametrize("envelope", ["success", "error"])
def test_a_job_that_is_not_there_is_unknown(served: StandIn, envelope: str) -> None:
    served.not_found = envelope
    answer = ask(systems(served), served, "7382-007")
    why = f"{served.host} answered 404: no such job, or not visible to this credential"
    assert answer == (Found.UNKNOWN, None, {}, why)


def test_a_job_of_others_is_unknown(served: StandIn) -> None:
    served.forbidden.add(JOB)
    assert ask(systems(served), served).found is Found.UNKNOWN


FAULTS: Final[dict[str, tuple[Reply, str]]] = {
    "500": (error(500), "answered 500 Internal Server Error"),
    "502": (says(502, "<html>Bad gateway</html>"), "answered 502 Bad Gateway"),
    "503": (error(503), "answered 503 Service Unavailable"),
    "408": (error(408), "answered 408 Request Timeout"),
    "429": (error(429), "answered 429 Too Many Requests"),
    "400": (error(400), "answered 400 Bad Request"),
    "418": (error(418), "answered 418 I'm a Teapot"),
    "redirect": (redirect("https://evil.example/"), "answered 307 Temporary Redirect; redirects are not followed"),
    "html": (html, "answered 200 without a JSON object"),
    "bytes": (says(200, b"\xff\xfe\x00{"), "answered 200 without a JSON object"),
    "nested": (says(200, b"[" * 200_000), "answered 200 without a JSON object"),
    "number": (says(200, b'{"status": "success", "x": ' + b"9" * 9999 + b"}"), "answered 200 without a JSON object"),
    "empty": (says(200, b""), "answered 200 without a JSON object"),
    "cut": (cut, "is too long, or incomplete"),
    "flood": (flood, "is too long, or incomplete"),
    "drop": (drop, "closed the connection, or gave no HTTP answer"),
    "success without a result": (says(200, {"status": "success"}), "answered 200 without a text in result.status"),
    "204": (says(204), "answered 204 No Content"),
}


@pytest.mark.promise("F22")
@pytest.mark.parametrize("fault", FAULTS)
def test_what_says_nothing_is_unanswered_and_the_next_question_is_asked(served: StandIn, fault: str) -> None:
    reply, why = FAULTS[fault]
    asked = systems(served)
    served.next(reply)
    answer = ask(asked, served)
    assert answer.found is Found.UNANSWERED
    assert served.host in answer.why
    assert why in answer.why
    assert ask(asked, served).status == "RUNNING"


@pytest.mark.promise("F22")
def test_a_hanging_answer_is_not_waited_for_after_the_deadline(served: StandIn) -> None:
    served.next(hang)
    begin = time.monotonic()
    answer = ask(systems(served), served, seconds=2)
    assert time.monotonic() - begin < 30  # the stand-in hangs for longer
    assert answer.found is Found.UNANSWERED
    assert f"{served.host} did not answer in full within " in answer.why


@pytest.mark.parametrize("system", ["agave", "tapis"])
@pytest.mark.parametrize(
    ("server", "why"),
    [
        (None, "nothing answers at 127.0.0.1:"),
        ("http://169.254.169.254", "169.254.169.254 is a link-local or metadata address"),
        ("http://name.invalid", "the host name name.invalid does not resolve"),
    ],
)
def test_a_server_that_is_not_there_is_no_answer(system: str, server: str | None, why: str) -> None:
    values: dict[str, object] = {f"{system}_server": server or free_address(), f"{system}_token": Secret("x")}
    answer = from_settings(ReconcileSection(**values)).ask(system, JOB, Deadline(ENOUGH))  # type: ignore[arg-type]
    assert answer.found is Found.UNANSWERED
    assert answer.why.startswith(why)


def test_a_server_without_a_valid_certificate_gets_no_token(tmp_path: Path) -> None:
    _, tls = self_signed(tmp_path, "localhost")
    with RudeServer(answers(), tls) as server:
        asked = from_settings(ReconcileSection(tapis_server=server.url, tapis_token=Secret("x")))
        answer = asked.ask("tapis", JOB, Deadline(ENOUGH))
        assert answer.found is Found.UNANSWERED
        assert answer.why.startswith(f"the certificate of 127.0.0.1:{server.port} is not valid: ")
        assert server.requests == []


# Credentials


@pytest.mark.promise("S26")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_carries_no_credential_elsewhere(served: StandIn, status: int) -> None:
    with StandInTapis() as other:
        served.always(says(status, Location=f"{other.url}/v3/jobs/{JOB}/status"))
        served.next_renewals(says(status, Location=f"{other.url}/v3/oauth2/tokens"))
        assert ask(systems(served, account=True), served).found is Found.UNANSWERED
        assert ask(systems(served), served).found is Found.UNANSWERED
        assert other.received == []
    assert [request.method for request in served.received] == ["POST", "GET"]


def test_a_refused_token_is_renewed_once_and_the_question_asked_again(served: StandIn) -> None:
    asked = systems(served, account=True)
    for renewals in (1, 2, 3):
        assert ask(asked, served).status == "RUNNING"
        assert ask(asked, served).status == "RUNNING"
        assert len(served.renewals) == renewals
        served.expire()
    assert len(served.asked) == 6 + 2


def test_how_agave_is_asked_for_a_token() -> None:
    with StandInAgave() as agave:
        agave.jobs[JOB] = "RUNNING"
        first = agave.refresh_token
        asked = systems(agave, account=True)
        for _ in range(3):
            assert ask(asked, agave).status == "RUNNING"
            agave.expire()
        client = b64encode(f"{agave.client_key}:{agave.client_secret}".encode()).decode()
        assert {request.headers["authorization"] for request in agave.renewals} == {f"Basic {client}"}
        forms = [parse_qs(request.body.decode()) for request in agave.renewals]
        assert forms[0] == {"grant_type": ["refresh_token"], "refresh_token": [first], "scope": ["PRODUCTION"]}
        assert len({form["refresh_token"][0] for form in forms}) == 3


def test_a_refresh_token_that_is_not_replaced_stays() -> None:
    with StandInAgave() as agave:
        agave.jobs[JOB] = "RUNNING"
        agave.rotates = False
        asked = systems(agave, account=True)
        for _ in range(3):
            assert ask(asked, agave).status == "RUNNING"
            agave.expire()


def test_without_a_keeper_a_new_process_begins_with_the_configured_refresh_token() -> None:
    with StandInAgave() as agave:
        agave.jobs[JOB] = "RUNNING"
        section = agave.section(account=True, rate=FAST)
        assert ask(from_settings(section), agave).status == "RUNNING"
        assert ask(from_settings(section), agave).why == (
            f"the access token could not be renewed: {agave.host} answered 400: it does not accept the client or the "
            "refresh token (reconcile.agave_client_key, agave_refresh_token)"
        )


def test_how_tapis_is_asked_for_a_token() -> None:
    with StandInTapis() as tapis:
        tapis.jobs[JOB] = "RUNNING"
        assert ask(systems(tapis, account=True), tapis).status == "RUNNING"
        (renewal,) = tapis.renewals
        assert renewal.path == "/v3/oauth2/tokens"
        assert json.loads(renewal.body) == {
            "username": tapis.user, "password": tapis.password, "grant_type": "password",
        }  # fmt: skip


def test_a_wrong_password_is_named_and_not_tried_again_at_once() -> None:
    with StandInTapis() as tapis:
        section = tapis.section(account=True, rate=FAST)._replace(tapis_password=Secret("canary-wrong"))
        plant("canary-wrong")
        asked = from_settings(section)
        why = (
            f"the access token could not be renewed: {tapis.host} answered 401: it does not accept the user or the "
            "password (reconcile.tapis_user, tapis_password)"
        )
        assert ask(asked, tapis).why == why
        for _ in range(5):
            assert ask(asked, tapis).why.startswith(f"{why}; it is not tried again for ")
        assert (asked.obstacle("tapis") or "").startswith(why)
        assert [request.method for request in tapis.received] == ["POST"]


def test_a_given_token_that_has_expired_is_said(served: StandIn) -> None:
    asked = systems(served)
    assert ask(asked, served).status == "RUNNING"
    served.expire()
    assert ask(asked, served).why == (
        f"{served.host} answered 401: the access token of the settings is wrong, has expired, or may not see this job"
    )
    assert served.renewals == []


def test_a_question_that_is_refused_whatever_the_token_is_unanswered(served: StandIn) -> None:
    served.refused.add("7382-007")
    asked = systems(served, account=True)
    assert ask(asked, served).status == "RUNNING"
    answer = ask(asked, served, "7382-007")
    why = f"{served.host} answered 401, also to a new access token: it does not work, or may not see this job"
    assert answer == (Found.UNANSWERED, None, {}, why)
    assert len(served.renewals) == 2
    assert ask(asked, served).status == "RUNNING"


@pytest.mark.promise("F22")
@pytest.mark.parametrize(
    "reply", [error(500), html, says(200, {"access_token": "a\r\nb"}), says(200, {}), drop, cut, error(404)]
)
def test_a_failed_renewal_is_unanswered(served: StandIn, reply: Reply) -> None:
    served.next_renewals(reply)
    asked = systems(served, account=True)
    for _ in range(3):
        answer = ask(asked, served)
        assert answer.found is Found.UNANSWERED
        assert answer.why.startswith("the access token could not be renewed: ")
        assert served.host in answer.why
    assert len(served.renewals) == 1
    assert served.asked == []


def test_threads_that_find_the_token_expired_renew_it_once(served: StandIn) -> None:
    asked = systems(served, account=True)
    assert ask(asked, served).status == "RUNNING"
    served.expire()
    found: list[str | None] = []
    threads = [threading.Thread(target=lambda: found.append(ask(asked, served).status)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["RUNNING"] * 6
    assert len(served.renewals) == 2


# Politeness


@pytest.mark.promise("F22")
def test_a_retry_after_is_heeded_by_all_questions_to_that_host_alone() -> None:
    with StandInAgave() as agave, StandInTapis() as tapis:
        tapis.jobs[JOB] = agave.jobs[JOB] = "RUNNING"
        agave.next(too_many(3600))
        both = {name: value for name, value in tapis.section()._asdict().items() if name.startswith("tapis_")}
        asked = from_settings(agave.section(rate=FAST)._replace(**both))
        assert asked.names == {"agave", "aloe", "tapis"}
        assert ask(asked, agave).why == f"{agave.host} answered 429 Too Many Requests"
        for system in ("agave", "aloe"):
            assert "; it is not asked again for 3" in asked.ask(system, JOB, Deadline(ENOUGH)).why
            assert "; it is not asked again for 3" in (asked.obstacle(system) or "")
        assert len(agave.received) == 1
        assert asked.obstacle("tapis") is None
        assert ask(asked, tapis).status == "RUNNING"


@pytest.mark.promise("F22")
@pytest.mark.parametrize("fault", ["500", "408", "429", "drop", "cut"])
def test_a_host_that_fails_is_left_alone(served: StandIn, fault: str) -> None:
    served.always(FAULTS[fault][0])
    asked = systems(served)
    answers = [ask(asked, served) for _ in range(3 * TOLERATED)]
    assert {answer.found for answer in answers} == {Found.UNANSWERED}
    assert len(served.received) == TOLERATED
    assert "; it is not asked again for " in (asked.obstacle(served.system) or "")


@pytest.mark.parametrize("what", ["404", "403", "html", "redirect"])
def test_a_host_that_works_is_asked_on(served: StandIn, what: str) -> None:
    served.always({"404": error(404), "403": error(403)}[what] if what.isdigit() else FAULTS[what][0])
    asked = systems(served)
    for _ in range(3 * TOLERATED):
        assert ask(asked, served).found is not Found.STATUS
    assert len(served.received) == 3 * TOLERATED
    assert asked.obstacle(served.system) is None


def test_systems_at_one_host_share_its_pace_and_circuit() -> None:
    with StandInTapis() as tapis:
        agave: dict[str, Any] = {"agave_server": f"{tapis.url}/agave", "agave_token": Secret("x")}
        asked = from_settings(tapis.section(rate=FAST, **agave))
        tapis.next(too_many(3600))
        ask(asked, tapis)
        assert asked.obstacle("agave") == asked.obstacle("tapis")
        assert asked.obstacle("agave") is not None


def test_no_more_requests_a_second_than_the_rate_tokens_and_threads_included(served: StandIn) -> None:
    rate, threads, each = 20.0, 3, 5
    asked = systems(served, account=True, rate=rate)

    def work() -> None:
        for _ in range(each):
            assert ask(asked, served).status == "RUNNING"

    begin = time.monotonic()
    running = [threading.Thread(target=work) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    times = sorted(request.at for request in served.received)
    assert len(times) == threads * each + 1
    # A slow machine delays requests; none comes before its turn.
    assert all(at - begin >= number / rate - 0.001 for number, at in enumerate(times))


def test_a_turn_that_comes_too_late_is_not_waited_for(served: StandIn) -> None:
    asked = systems(served, rate=0.01)
    assert ask(asked, served).status == "RUNNING"
    begin = time.monotonic()
    answer = ask(asked, served, seconds=20)
    assert time.monotonic() - begin < 15
    assert answer.why == f"the time was over before a request to {served.host} had its turn (0.01 a second)"
    assert len(served.received) == 1
