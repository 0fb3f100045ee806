"""Waiting for a job: what is asked, and when it ends."""

import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from pipelinejobs import client
from pipelinejobs.client import Job, Misused, Refused, Unanswered, Unauthorised, Waited, main
from support.canaries import NONCE, plant
from support.message_samples import JOB, TOKEN
from support.misbehaving import PATH, UNAVAILABLE, Asked, Manager, Reply, answer, drip, drop, half, manager, refusal
from support.terminal import terminal

pytestmark = pytest.mark.promise("P10")


@pytest.fixture(autouse=True)
def sender(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The job's token must not be shown. Questions follow each other quickly."""
    plant(TOKEN)
    monkeypatch.setattr(client, "ASK_SECONDS", 0.01)
    monkeypatch.setattr(client, "POLL_SECONDS", 0.01)
    monkeypatch.delenv("PIPELINEJOBS_CALLBACK", raising=False)


@pytest.fixture
def patient(sender: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A question that was asked in time is answered, however slow the machine is."""
    monkeypatch.setattr(client, "LEAST_SECONDS", 30.0)


def told(state: str, reached: object = None, revision: int | None = 3) -> Reply:
    """What a gateway answers; without `reached` one that knows no waiting."""
    result: dict[str, Any] = {"uuid": JOB, "state": state}
    if reached is not None:
        result.update(reached=reached, revision=revision)
    return answer(200, {"message": "fine", "result": result, "status": "success", "version": "1"})


def waits(served: Manager, **options: Any) -> Waited:
    return Job(served.url, JOB, TOKEN, nonce=NONCE).wait(timeout=20, **options)


class TestTheQuestion:
    def test_shows_the_nonce_and_the_jobs_token(self) -> None:
        with manager(told("FINISHED", True)) as served:
            url = f"{served.url}?x-nonce={NONCE}&session=blue&uuid={JOB}&token={TOKEN}"
            assert Job.from_callback(url).wait(("FINISHED", "RETIRED"), 10.9).reached
        (asked,) = served.asked
        assert asked.target.partition("?")[0] == f"/jobs/{JOB}"
        assert asked.parameters == {"x-nonce": NONCE, "until": "FINISHED,RETIRED", "wait": "0"}
        assert asked.headers["X-Job-Token"] == TOKEN

    def test_shows_an_access_token(self) -> None:
        with manager(told("FINISHED", True)) as served:
            Job(served.url, JOB, TOKEN, bearer="access").wait()
            Job(served.url.replace("/actors/v2/", "/base/v3/actors/"), JOB, TOKEN, tapis_token="tapis").wait()
        first, second = served.asked
        assert first.headers["Authorization"] == "Bearer access"
        assert second.headers["X-Tapis-Token"] == "tapis"
        assert second.target.startswith(f"/base/jobs/{JOB}?")

    def test_is_for_any_change_if_changes_are_of_interest(self) -> None:
        seen: list[str] = []
        replies = [
            told("CREATED", False, 1),
            told("RUNNING", False, 2),
            told("RUNNING", False, 3),
            told("FAILED", True),
        ]
        with manager(*replies) as served:
            assert waits(served, on_change=seen.append) == Waited("FAILED", True, False, 3)
        assert seen == ["CREATED", "RUNNING", "FAILED"]
        assert [one.parameters.get("revision") for one in served.asked] == [None, "1", "2", "3"]

    def test_is_held_back_but_for_the_first_answer(self) -> None:
        with manager(drop, told("RUNNING", False), told("FINISHED", True)) as served:
            assert Job(served.url, JOB, TOKEN).wait().reached
        assert [one.parameters["wait"] for one in served.asked] == ["0", "0", "25"]

    def test_tells_the_known_revision_if_the_last_one_was_not_held_back_in_full(
        self, patient: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(client, "WAIT_SECONDS", 1)

        def held(handler: BaseHTTPRequestHandler, asked: Asked) -> None:
            time.sleep(float(asked.parameters["wait"]))
            told("RUNNING", False, 4)(handler, asked)

        early = told("CREATED", False, 1)
        with manager(drop, early, drop, drop, told("RUNNING", False, 2), held, told("FINISHED", True)) as served:
            assert waits(served).reached
        assert [one.parameters.get("revision") for one in served.asked] == [None, None, "1", "1", "1", "2", None]

    def test_is_asked_once_more_without_a_token_that_is_not_yet_known(self) -> None:
        unknown = refusal(404, "", "not found: no such job")
        with manager(unknown, told("CREATED", False, 0), drop, told("FINISHED", True)) as served:
            assert waits(served).reached
        assert [one.headers.get("X-Job-Token") for one in served.asked] == [TOKEN, None, None, None]

    @pytest.mark.parametrize("until", ["FINISHED", (), ("finished",), ("A,B",)])
    def test_names_states(self, until: Any) -> None:
        with pytest.raises(Misused, match="until"):
            Job(f"https://host{PATH}", JOB, TOKEN).wait(until)

    def test_needs_a_messages_url_and_time(self) -> None:
        with pytest.raises(Misused, match="url: jobs can be read only"):
            Job("https://host/messages", JOB, TOKEN).wait()
        with pytest.raises(Misused, match="timeout"):
            Job(f"https://host{PATH}", JOB, TOKEN).wait(timeout=0)


class TestTheEnd:
    def test_is_a_state_that_was_waited_for(self) -> None:
        with manager(told("RUNNING", False), told("RUNNING", False), told("FINISHED", True)) as served:
            assert waits(served) == Waited("FINISHED", True, False, 3)
        assert len(served.asked) == 3

    def test_is_one_that_the_job_has_left_again(self) -> None:
        with manager(told("INDEXING", True)) as served:
            assert waits(served).reached

    def test_is_that_no_way_leads_there(self) -> None:
        with manager(told("RETIRED", "never")) as served:
            assert waits(served) == Waited("RETIRED", False, True, 3)

    def test_is_that_the_time_is_over(self, patient: None) -> None:
        with manager(told("RUNNING", False)) as served:
            waited = Job(served.url, JOB, TOKEN).wait(timeout=0.3)
            assert waited == Waited("RUNNING", False, False, 3)

    @pytest.mark.parametrize("reply", [UNAVAILABLE, drop, half, answer(200, b"<html>"), drip])
    def test_is_that_nothing_was_answered_in_time(self, reply: Reply) -> None:
        with manager(reply) as served, pytest.raises(Unanswered):
            Job(served.url, JOB, TOKEN).wait(timeout=0.4)

    def test_is_a_refusal(self) -> None:
        with manager(refusal(401, "", "no"), refusal(403, "", "no"), refusal(400, "malformed", "no")) as served:
            for kind in (Unauthorised, Unauthorised, client.Malformed):
                with pytest.raises(kind):
                    waits(served)
        assert len(served.asked) == 3

    def test_is_an_unknown_job_or_a_server_without_jobs(self) -> None:
        for reply, words, questions in (
            (refusal(404, "", "not found: no such job"), r"no such job$", 2),
            (answer(404, b""), r"answered 404 .* not by Abaco$", 1),
        ):
            with manager(reply) as served, pytest.raises(Refused, match=words) as caught:
                waits(served)
            assert caught.value.status == 404
            assert len(served.asked) == questions

    def test_is_a_redirect(self) -> None:
        with manager(answer(302, b"", Location="https://other.example.org/")) as served, pytest.raises(Unanswered):
            waits(served)
        assert len(served.asked) == 1


class TestGoingOn:
    def test_after_errors(self) -> None:
        errors = [drop, half, UNAVAILABLE, refusal(429, ""), refusal(500, ""), refusal(502, ""), answer(200, b"{}")]
        with manager(*errors, told("RUNNING", False), drop, told("FINISHED", True)) as served:
            assert waits(served).reached
        assert len(served.asked) == len(errors) + 3

    def test_not_before_the_server_wants_it(self) -> None:
        with manager(answer(503, b"", Retry_After="1"), told("FINISHED", True)) as served:
            began = time.monotonic()
            assert waits(served).reached
            assert time.monotonic() - began >= 1

    def test_with_a_gateway_that_knows_no_waiting(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It answers at once; it is asked after pauses."""
        monkeypatch.setattr(client, "POLL_SECONDS", 0.3)
        with manager(told("RUNNING"), told("RUNNING"), told("FINISHED")) as served:
            began = time.monotonic()
            assert waits(served) == Waited("FINISHED", True)
            assert time.monotonic() - began >= 2 * 0.3 * 0.8
        assert len(served.asked) == 3

    def test_with_a_gateway_that_holds_nothing_back(self, patient: None, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(client, "ASK_SECONDS", 0.3)
        with manager(told("RUNNING", False)) as served:
            Job(served.url, JOB, TOKEN).wait(timeout=1)
        assert len(served.asked) <= 5

    def test_while_an_answer_is_held_back(self, patient: None) -> None:
        def held(handler: BaseHTTPRequestHandler, asked: Asked) -> None:
            time.sleep(float(asked.parameters["wait"]))
            told("RUNNING", False)(handler, asked)

        with manager(held) as served:
            assert Job(served.url, JOB, TOKEN).wait(timeout=2.9).state == "RUNNING"
        assert all(int(one.parameters["wait"]) <= 2 for one in served.asked)


class TestTheCommand:
    def callback(self, served: Manager) -> str:
        return f"{served.url}?x-nonce={NONCE}&uuid={JOB}&token={TOKEN}"

    @pytest.mark.parametrize(
        ("reply", "code", "printed"),
        [
            (told("FINISHED", True), 0, "FINISHED"),
            (told("RETIRED", "never"), 1, "RETIRED"),
            (told("RUNNING", False), 75, "RUNNING"),
            (UNAVAILABLE, 75, ": no"),
            (refusal(403, ""), 77, ": no"),
            (refusal(404, "", "not found: no such job"), 65, ": not found: no such job"),
        ],
    )
    def test_has_an_exit_code_for_each_end(
        self, capsys: pytest.CaptureFixture[str], patient: None, reply: Reply, code: int, printed: str
    ) -> None:
        with manager(reply) as served:
            arguments = ["wait", "--callback", self.callback(served), "--timeout", "0.3s"]
            assert main(arguments) == code
            shown = capsys.readouterr()
            is_error = printed.startswith(":")
            assert (shown.err if is_error else shown.out).endswith(f"{printed}\n")
            assert (shown.out if is_error else shown.err) == ""
            assert main([*arguments, "--json"]) == code
            assert json.loads(capsys.readouterr().out)["state"] == (None if is_error else printed)

    def test_says_it_as_json(self, capsys: pytest.CaptureFixture[str]) -> None:
        with manager(told("RETIRED", "never")) as served:
            arguments = ["--until", "finished, failed", "--timeout", "1h", "--json"]
            code = main(["wait", "--callback", self.callback(served), *arguments])
            text = capsys.readouterr().out
        assert served.asked[0].parameters["until"] == "FINISHED,FAILED"
        assert (code, json.loads(text)) == (1, {"uuid": JOB, "state": "RETIRED", "reached": "never", "reason": ""})

    def test_shows_changes_at_a_terminal(self) -> None:
        with manager(told("CREATED", False, 1), told("RUNNING", False, 2), told("FINISHED", True)) as served:
            url = f"{served.url}?uuid={JOB}&token={TOKEN}"
            variables = {"PATH": os.environ["PATH"], "PIPELINEJOBS_CALLBACK": url}
            with terminal([sys.executable, client.__file__, "wait"], variables) as shown:
                assert shown.end() == 0
        assert shown.printed == "FINISHED\n"
        assert [line.split()[1] for line in shown.text.splitlines()] == ["CREATED", "RUNNING", "FINISHED"]
        assert "after 0 s, waiting for FINISHED or FAILED" in shown.text

    @pytest.mark.parametrize(
        ("more", "words"),
        [
            (["--data", "{}"], "--data"),
            (["--later"], "--later"),
            (["--until", "x?"], "until"),
            (["--until", ""], "until"),
            (["--flush"], "--flush"),
        ],
    )
    def test_wrong_arguments(self, capsys: pytest.CaptureFixture[str], more: list[str], words: str) -> None:
        assert main(["wait", "--callback", f"https://host{PATH}?uuid={JOB}&token={TOKEN}", *more]) == 2
        assert words in capsys.readouterr().err
