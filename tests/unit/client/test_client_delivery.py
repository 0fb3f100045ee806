"""Delivering an event to servers that behave, and to those that do not."""

import socket
import ssl
import threading
import time
import traceback
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from pipelinejobs import client
from pipelinejobs.client import ClientError, Illegal, Job, Malformed, Refused, Result, Unauthorised, Undelivered
from pipelinejobs.core.verdict import EXIT_CODES, STATUSES, Verdict
from support import tls
from support.canaries import NONCE, plant
from support.message_samples import JOB, TOKEN
from support.misbehaving import (
    ABACO,
    PATH,
    TAKEN,
    UNAVAILABLE,
    Asked,
    Manager,
    Reply,
    answer,
    drip,
    drop,
    half,
    manager,
    refusal,
    success,
)

BEARER = "pj-canary-sender"


@pytest.fixture(autouse=True)
def sender(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy of this machine is asked, and the job's token must not be shown."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    plant(TOKEN)


def job(to: Manager, **more: Any) -> Job:
    return Job(to.url, JOB, TOKEN, **{"nonce": NONCE, **more})


def keys(of: Manager) -> set[str]:
    return {one.key for one in of.asked}


class TestAnAnswer:
    def test_says_what_became_of_the_event(self) -> None:
        with manager(success("applied", "FINISHED", "finish: RUNNING -> FINISHED")) as served:
            result = job(served).finish({"files": 3}, event_id="my id")
        expected = Result(
            event="finish",
            event_id="my id",
            verdict="applied",
            reason="finish: RUNNING -> FINISHED",
            state="FINISHED",
            execution="N4xBQWo8YyO7y",
        )
        assert result == expected
        (asked,) = served.asked
        assert asked.body == {"uuid": JOB, "name": "finish", "token": TOKEN, "data": {"files": 3}}
        assert asked.parameters == {"x-nonce": NONCE, "x_event_id": "my id"}
        assert asked.key == "my id"
        assert asked.headers["Content-Type"] == "application/json"

    def test_of_abaco_is_an_acknowledgement(self) -> None:
        with manager(ABACO) as served:
            result = job(served).run()
        assert (result.verdict, result.state, result.execution) == (None, None, "N4xBQWo8YyO7y")
        assert "not judged yet" in result.reason

    def test_of_actors_v3_has_other_keys(self) -> None:
        result = {"execution_id": "x", "verdict": "stale", "job": {"state": "FINISHED", "last_event": "finish"}}
        with manager(answer(200, {"result": result, "status": "success"})) as served:
            told = job(served).run()
        assert (told.verdict, told.state, told.execution) == ("stale", "FINISHED", "x")

    def test_each_event_has_an_id_of_its_own(self) -> None:
        with manager(TAKEN) as served:
            assert job(served).run().event_id != job(served).run().event_id
        assert len(keys(served)) == 2

    @pytest.mark.parametrize(
        ("credential", "header"),
        [
            ({"bearer": BEARER}, ("Authorization", f"Bearer {BEARER}")),
            ({"tapis_token": BEARER}, ("X-Tapis-Token", BEARER)),
        ],
    )
    def test_a_token_goes_in_its_header(self, credential: dict[str, str], header: tuple[str, str]) -> None:
        with manager(TAKEN) as served:
            Job(served.url, JOB, TOKEN, **credential).run()  # type: ignore[arg-type]
        (asked,) = served.asked
        assert header in asked.headers.items()
        assert BEARER not in asked.target


class TestARefusal:
    @pytest.mark.parametrize(
        ("status", "kind", "verdict"),
        [
            (400, Malformed, "malformed"),
            (401, Unauthorised, "unauthorised"),
            (403, Unauthorised, "unauthorised"),
            (409, Illegal, "illegal"),
            (413, Malformed, "malformed"),
        ],
    )
    def test_of_the_gateway(self, status: int, kind: type[Refused], verdict: str) -> None:
        with manager(refusal(status, verdict, "because")) as served, pytest.raises(kind) as caught:
            job(served).run(event_id="7")
        assert type(caught.value) is kind
        told = caught.value
        assert (told.verdict, told.reason, told.status, told.event, told.event_id) == (
            verdict, "because", status, "run", "7",
        )  # fmt: skip
        assert len(served.asked) == 1

    @pytest.mark.parametrize("status", [400, 404, 405, 410, 422])
    def test_of_others_has_no_verdict(self, status: int) -> None:
        envelope = {"message": "No JWT or nonce provided.", "result": None, "status": "error", "version": "1.9.0"}
        with manager(answer(status, envelope)) as served, pytest.raises(Refused) as caught:
            job(served).run()
        assert (type(caught.value), caught.value.verdict) == (Refused, None)
        assert caught.value.reason == "No JWT or nonce provided."
        assert len(served.asked) == 1

    @pytest.mark.parametrize(("status", "kind"), [(401, Unauthorised), (409, Illegal), (400, Refused)])
    def test_that_cannot_be_read_is_one_still(self, status: int, kind: type[Refused]) -> None:
        with manager(answer(status, b"<html>")) as served, pytest.raises(kind, match=str(status)):
            job(served).run()
        assert len(served.asked) == 1

    def test_exits_as_its_verdict(self) -> None:
        assert set(STATUSES) == set(Verdict)
        for kind in (Malformed, Unauthorised, Illegal, Undelivered):
            assert kind.verdict is not None
            assert kind.exit_code == EXIT_CODES[Verdict(kind.verdict)]

    def test_shows_no_secret_as_it_stands_in_the_url(self) -> None:
        def echo(handler: BaseHTTPRequestHandler, asked: Asked) -> None:
            answer(400, {"message": asked.target})(handler, asked)

        with manager(echo) as served, pytest.raises(Refused, match=r"x-nonce=\*\*\*&"):
            job(served, nonce=NONCE + "/+=").run()

    def test_shows_no_secret(self) -> None:
        echo = f"{TOKEN} and {NONCE} and {BEARER} \x1b[31m\n" + "x" * 5000
        with manager(answer(400, {"message": echo})) as served, pytest.raises(Refused) as caught:
            job(served, bearer=BEARER).run()
        shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
        for secret in (TOKEN, NONCE, BEARER, "\x1b"):
            assert secret not in shown
        assert caught.value.reason.startswith("*** and *** and *** ")
        assert len(caught.value.reason) <= 1000


class TestTryingAgain:
    @pytest.mark.parametrize(
        "trouble",
        [
            drop,
            half,
            UNAVAILABLE,
            *(answer(status, b"Bad gateway") for status in (408, 429, 500, 502, 504)),
            answer(200, b"<html>sign in</html>"),
            answer(200, b'{"status": "success"}'),
            answer(200, b'{"status": "success", "result": {"executionId": 5}}'),
            answer(200, b"[" * 100_000),
            answer(204, b""),
            answer(503, b"", Retry_After="0"),
            answer(503, b"", Retry_After="Wed, 21 Oct 2015 07:28:00 GMT"),
            answer(503, b"", Retry_After="soon"),
        ],
    )
    def test_ends_when_a_server_answers(self, trouble: Reply) -> None:
        with manager(trouble, trouble, TAKEN) as served:
            assert job(served).run().verdict == "applied"
        assert len(served.asked) == 3
        assert len(keys(served)) == 1

    def test_ends_with_a_refusal(self) -> None:
        with manager(drop, refusal(409, "illegal")) as served, pytest.raises(Illegal):
            job(served).run()
        assert len(served.asked) == 2

    @pytest.mark.parametrize("trouble", [drop, half, UNAVAILABLE, answer(200, b"hello")])
    def test_ends_when_the_time_is_over(self, trouble: Reply) -> None:
        with manager(trouble) as served, pytest.raises(Undelivered) as caught:
            job(served, timeout=1).run(event_id="7")
        assert caught.value.event_id == "7"
        assert keys(served) == {"7"}

    def test_a_server_that_asks_for_more_time_than_there_is_gets_it(self) -> None:
        for asked in ("3600", format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)):
            with manager(answer(503, b"", Retry_After=asked)) as served, pytest.raises(Undelivered):
                job(served, timeout=60).run()
            assert len(served.asked) == 1

    def test_waits_as_long_as_it_is_asked_to(self) -> None:
        times: list[float] = []

        def timed(reply: Reply) -> Reply:
            def replying(handler: BaseHTTPRequestHandler, asked: Asked) -> None:
                times.append(time.monotonic())
                reply(handler, asked)

            return replying

        with manager(timed(answer(503, b"", Retry_After="1")), timed(TAKEN)) as served:
            assert job(served, timeout=60).run().verdict == "applied"
        assert times[1] - times[0] >= 1

    def test_an_answer_that_drips_is_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each of its pieces comes in time, so that a limit for single reads would not notice."""
        monkeypatch.setattr(client, "ATTEMPT_SECONDS", 1.0)
        with manager(drip, TAKEN) as served:
            assert job(served).run().verdict == "applied"
        assert len(served.asked) > 1  # on a busy machine the second attempt may take too long as well
        assert len(keys(served)) == 1

    def test_nobody_listens(self, free_port: int, one_attempt: None) -> None:
        with pytest.raises(Undelivered, match="cannot be reached") as caught:
            Job(f"http://127.0.0.1:{free_port}{PATH}", JOB, TOKEN, nonce=NONCE).run()
        assert NONCE not in "".join(traceback.format_exception(caught.value))

    def test_there_is_no_such_host(self, one_attempt: None, monkeypatch: pytest.MonkeyPatch) -> None:
        def unknown(*_: object, **__: object) -> None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", unknown)
        with pytest.raises(Undelivered, match=r"manager\.example\.org cannot be reached: .*not known"):
            Job("https://manager.example.org/messages", JOB, TOKEN).run()

    def test_an_invalid_host_is_a_clear_error(self, one_attempt: None) -> None:
        with pytest.raises(Undelivered, match=r"a\.\.b cannot be reached: (?!str$)"):
            Job("https://a..b/messages", JOB, TOKEN).run()

    def test_what_only_announces_an_answer_is_none(self) -> None:
        with manager(answer(103, b""), TAKEN) as served:
            assert job(served).run().verdict == "applied"
        assert len(keys(served)) == 1

    def test_it_is_sent_where_there_are_no_more_threads(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A machine may limit them, and a function of atexit gets none."""
        with manager(TAKEN, refusal(409, "illegal")) as served:
            start = threading.Thread.start

            def none(thread: threading.Thread) -> None:
                if thread.name == "pipelinejobs-client":
                    raise RuntimeError("can't start new thread")
                start(thread)

            monkeypatch.setattr(threading.Thread, "start", none)
            assert job(served).run().verdict == "applied"
            with pytest.raises(Illegal):
                job(served).run()

    def test_pauses_grow_and_are_spread(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(client, "FIRST_PAUSE", 1.0)
        monkeypatch.setattr(client, "LONGEST_PAUSE", 8.0)
        away, never = client._Away("x"), time.monotonic() + 1e6
        for attempts, longest in ((0, 1), (1, 2), (2, 4), (3, 8), (50, 8)):
            pauses = [away.pause(attempts, never) or 0.0 for _ in range(500)]
            assert max(pauses) <= longest
            assert max(pauses) > longest * 0.8
            assert min(pauses) < longest * 0.2


class TestTheWay:
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_a_redirect_is_not_followed(self, status: int) -> None:
        with manager(TAKEN) as other:
            location = answer(status, b"", Location=f"{other.url}?{TOKEN}")
            with manager(location) as served, pytest.raises(Undelivered, match="redirects are not followed"):
                job(served).run()
        assert len(served.asked) == 1
        assert other.asked == []

    def test_a_proxy_of_the_environment_is_used(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with manager(TAKEN) as proxy:
            monkeypatch.setenv("http_proxy", proxy.url.removesuffix(PATH))
            Job(f"http://manager.invalid{PATH}", JOB, TOKEN, allow_http=True).run()
            assert proxy.asked[0].target.startswith(f"http://manager.invalid{PATH}?")

    def test_but_not_to_reach_this_machine(self, monkeypatch: pytest.MonkeyPatch, free_port: int) -> None:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port}")
        with manager(TAKEN) as served:
            assert job(served).run().verdict == "applied"

    def test_a_proxy_that_wants_to_be_paid_is_no_refusal(self) -> None:
        with manager(answer(407, b"")) as served, pytest.raises(Undelivered, match="407"):
            job(served).run()

    def test_certificates_are_checked(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        made = tls.make(tmp_path, "127.0.0.1")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(made.certificate, made.key)
        with manager(TAKEN, tls=context) as served:
            with pytest.raises(Undelivered, match="CERTIFICATE_VERIFY_FAILED"):
                job(served).run()
            assert served.asked == []
            monkeypatch.setenv("SSL_CERT_FILE", str(made.certificate))
            assert job(served).run().verdict == "applied"


def test_every_error_has_its_words() -> None:
    kinds = [kind for kind in vars(client).values() if isinstance(kind, type) and issubclass(kind, ClientError)]
    assert len(kinds) == 9
    for kind in kinds:
        assert str(kind()).partition("\n")[0].endswith(".")
        assert kind.__name__ in (client.__doc__ or "")
