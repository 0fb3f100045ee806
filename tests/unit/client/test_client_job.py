"""Naming a job, and what is built for job systems."""

import ast
import inspect
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, assert_type
from urllib.parse import urlsplit

import pytest

from fsm.lifecycle import EVENTS, RESERVED
from pipelinejobs import client
from pipelinejobs.client import Flushed, Job, Misused, Result
from pipelinejobs.gateway.deliveries import parameters_of
from pipelinejobs.messages.event import Event
from pipelinejobs.messages.reader import read
from support.canaries import NONCE
from support.message_samples import JOB, TOKEN, delivery, sample

ROOT = Path(__file__).resolve().parents[3]
URL = "https://api.example.org/actors/v2/jobs-manager.prod/messages"
CALLBACK = f"{URL}?x-nonce={NONCE}&token={TOKEN}&uuid={JOB}&session=blue-7&status=${{JOB_STATUS}}&note=${{JOB_ERROR}}"


def job(**more: Any) -> Job:
    return Job(URL, JOB, TOKEN, **{"nonce": NONCE, **more})


def event_by(url: str, body: object) -> Event:
    """What the manager reads when a job system posts this to that URL."""
    return read(delivery(body, parameters_of(urlsplit(url).query.encode())))


class TestTheFile:
    def test_is_read_by_python_3_6(self) -> None:
        ast.parse(Path(client.__file__).read_text("utf-8"), feature_version=(3, 6))

    def test_imports_the_standard_library_alone(self) -> None:
        tree = ast.parse(Path(client.__file__).read_text("utf-8"))
        named = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        named |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert {name.partition(".")[0] for name in named} <= sys.stdlib_module_names

    def test_loads_nothing_else(self) -> None:
        script = "import sys; before = set(sys.modules); import pipelinejobs.client; print(*set(sys.modules) - before)"
        done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
        loaded = {name.partition(".")[0] for name in done.stdout.split()}
        assert loaded <= sys.stdlib_module_names | {"pipelinejobs"}
        assert not {name for name in done.stdout.split() if name.startswith("pipelinejobs.")} - {"pipelinejobs.client"}


class TestEvents:
    def test_are_those_of_the_lifecycle(self) -> None:
        assert set(client.EVENTS) == set(EVENTS) - set(RESERVED)

    @pytest.mark.parametrize("name", client.EVENTS)
    def test_each_has_a_method(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        sent: list[tuple[Any, ...]] = []
        monkeypatch.setattr(Job, "send", lambda _, *arguments, event_id: sent.append((*arguments, event_id)))
        getattr(job(), name)({"a": 1}, event_id="7")
        assert sent == [(name, {"a": 1}, "7")]

    def test_no_other_method_looks_like_one(self) -> None:
        public = {name for name, _ in inspect.getmembers(Job, inspect.isfunction) if not name.startswith("_")}
        others = {"send", "flush", "wait", "callback_url", "agave_notifications", "tapis_subscriptions"}
        assert public - others == set(client.EVENTS)


class TestNaming:
    @pytest.mark.parametrize(
        "url",
        [
            CALLBACK,
            CALLBACK.replace("${JOB_STATUS}", "%24%7BJOB_STATUS%7D"),
            f"{URL}?uuid={JOB}&uuid=other&token={TOKEN}&token=x&x-nonce={NONCE}&session=blue-7&event=run&x_event_id=1",
        ],
    )
    def test_a_callback_names_job_token_and_nonce(self, url: str) -> None:
        named = Job.from_callback(url)
        assert named.uuid == JOB
        where, _, query = named.callback_url().partition("?")
        assert where == URL
        assert sorted(query.split("&")) == ["session=blue-7", f"token={TOKEN}", f"uuid={JOB}", f"x-nonce={NONCE}"]

    def test_the_environment_names_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PIPELINEJOBS_CALLBACK", CALLBACK)
        assert Job.from_environment().uuid == JOB
        monkeypatch.delenv("PIPELINEJOBS_CALLBACK")
        with pytest.raises(Misused, match="PIPELINEJOBS_CALLBACK"):
            Job.from_environment()

    def test_a_callback_of_a_dry_run_is_refused(self) -> None:
        for value in ("true", "1", "maybe"):
            with pytest.raises(Misused, match="dry_run"):
                Job.from_callback(f"{CALLBACK}&dry_run={value}")
        assert "dry_run=false" in Job.from_callback(f"{CALLBACK}&dry_run=false&x-nonce=n").callback_url()

    @pytest.mark.parametrize("missing", ["uuid", "token"])
    def test_a_callback_that_lacks_something(self, missing: str) -> None:
        with pytest.raises(Misused, match=missing):
            Job.from_callback(CALLBACK.replace(f"{missing}=", f"{missing}x="))

    @pytest.mark.parametrize(
        ("changes", "word"),
        [
            ({"url": "ftp://host/messages"}, "url"),
            ({"url": "/messages"}, "url"),
            ({"url": "https:///messages"}, "url"),
            ({"url": "https://[::1/messages"}, "url"),
            ({"url": "https://host:x/messages"}, "url"),
            ({"url": "https://user:pass@host/messages"}, "password"),
            ({"url": "https://host/a b"}, "blanks"),
            ({"url": "https://host/a\r\nb"}, "blanks"),
            ({"url": None}, "url"),
            ({"uuid": JOB.upper()}, "uuid"),
            ({"uuid": f"{JOB}\n"}, "uuid"),
            ({"uuid": "../" + JOB[3:]}, "uuid"),
            ({"uuid": 7}, "uuid"),
            ({"token": ""}, "token"),
            ({"token": None}, "token"),
            ({"token": "a b"}, "token"),
            ({"bearer": "a\nb"}, "bearer"),
            ({"timeout": 0}, "timeout"),
            ({"timeout": float("nan")}, "timeout"),
            ({"timeout": float("inf")}, "timeout"),
            ({"later": True}, "spool"),
        ],
        ids=str,
    )
    def test_what_cannot_be_used(self, changes: dict[str, Any], word: str) -> None:
        with pytest.raises(Misused, match=word):
            Job(**{"url": URL, "uuid": JOB, "token": TOKEN, **changes})

    @pytest.mark.parametrize("host", ["manager.example.org", "10.0.0.1", "localhost.example.org"])
    def test_http_to_another_machine_must_be_allowed(self, host: str) -> None:
        url = f"http://{host}/actors/v2/jobs-manager.prod/messages"
        with pytest.raises(Misused, match="allow_http"):
            Job(url, JOB, TOKEN)
        with pytest.raises(Misused, match="allow_http"):
            Job.from_callback(f"{url}?uuid={JOB}&token={TOKEN}")
        assert Job(url, JOB, TOKEN, allow_http=True).uuid == JOB

    @pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1", "127.9.9.9:80", "[::1]:8080"])
    def test_http_to_this_machine_need_not(self, host: str) -> None:
        assert Job(f"http://{host}/messages", JOB, TOKEN).uuid == JOB

    def test_no_secret_is_shown(self) -> None:
        shown = repr(job(bearer="pj-canary-x")) + repr(job()._event("run", None, "7"))
        assert JOB in shown
        for secret in (TOKEN, NONCE, "pj-canary-x"):
            assert secret not in shown


class TestData:
    @pytest.mark.parametrize(
        "data", [[], "text", {"a": object()}, {"a": float("nan")}, {"a": float("inf")}, {"a": "x" * 1024 * 1024}]
    )
    def test_what_cannot_be_sent(self, data: Any) -> None:
        with pytest.raises(Misused, match="data"):
            job().run(data)

    @pytest.mark.parametrize("event_id", ["x" * 129, "\n", "ü", " ", " 7", "7 "])
    def test_an_id_that_cannot_be_one(self, event_id: str) -> None:
        with pytest.raises(Misused, match="event_id"):
            job().run(event_id=event_id)

    @pytest.mark.parametrize("name", ["", None, 7])
    def test_a_name_that_cannot_be_one(self, name: Any) -> None:
        with pytest.raises(Misused, match="event"):
            job().send(name)

    def test_the_manager_reads_what_is_sent(self) -> None:
        data = {"$set": 1, "a.b": [True, None, "ü\U0001f600"], "": {"x": 0.5}}
        sent = Job.from_callback(CALLBACK)._event("update", data, "my id")
        event = event_by(sent.url, sent.text)
        assert (event.job, event.name, event.id) == (JOB, "update", "sender:my id")
        assert event.data == {**data, "session": "blue-7"}
        assert [token.reveal() for token in event.tokens] == [TOKEN]
        assert TOKEN not in sent.url  # addresses are logged by those on the way


class TestForJobSystems:
    @pytest.mark.parametrize("status", client.AGAVE_EVENTS)
    def test_what_agave_reports_is_read(self, status: str) -> None:
        (notification,) = [each for each in job().agave_notifications() if each["event"] == status]
        assert notification["url"].count("${JOB_STATUS}") == 1
        event = event_by(notification["url"].replace("${JOB_STATUS}", status), sample("agave-callback"))
        assert (event.job, event.status) == (JOB, status)
        assert event.name == {"RUNNING": "run", "FINISHED": "finish"}.get(status, "fail")

    def test_a_macro_that_is_not_replaced_leaves_the_body_to_speak(self) -> None:
        (notification,) = job().agave_notifications(["*"])
        assert notification["persistent"]
        assert event_by(notification["url"], sample("aloe-callback")).status == sample("aloe-callback")["status"]

    def test_notifications_are_agaves_own_form(self) -> None:
        for each in job().agave_notifications():
            assert set(each) == {"event", "url", "persistent", "policy"}
            assert each["persistent"] is (each["event"] == "RUNNING")
            assert 4 <= len(each["url"]) <= 1024
            assert each["policy"]["retryStrategy"] in ("NONE", "IMMEDIATE", "DELAYED", "EXPONENTIAL")
            assert 0 <= each["policy"]["retryLimit"] <= 1440

    def test_what_tapis_reports_is_read(self) -> None:
        (subscription,) = job().tapis_subscriptions()
        assert subscription["eventCategoryFilter"] == "JOB_NEW_STATUS"
        (target,) = subscription["deliveryTargets"]
        assert target["deliveryMethod"] == "WEBHOOK"
        assert "$" not in target["deliveryAddress"]
        body = sample("tapis-notification")
        event = event_by(target["deliveryAddress"], body)
        assert event.job == JOB
        assert event.status == body["event"]["type"].rpartition(".")[2]

    def test_a_callback_needs_a_nonce(self) -> None:
        builders: list[Callable[[Job], object]] = [Job.callback_url, Job.agave_notifications, Job.tapis_subscriptions]
        for build in builders:
            with pytest.raises(Misused, match="nonce"):
                build(Job(URL, JOB, TOKEN, bearer="x"))

    def test_a_callback_can_be_too_long(self) -> None:
        with pytest.raises(Misused, match="1024"):
            Job(f"{URL}?session={'x' * 900}", JOB, TOKEN, nonce=NONCE).agave_notifications()
        with pytest.raises(Misused, match="2048"):
            Job(f"{URL}?session={'x' * 2000}", JOB, TOKEN, nonce=NONCE).tapis_subscriptions()

    def test_what_needs_encoding_is_encoded(self) -> None:
        url = job(nonce="a&b=c+d%").callback_url(session="x y&z", note="${JOB_ERROR}")
        assert url.endswith("&note=${JOB_ERROR}")
        given = parameters_of(urlsplit(url).query.encode())
        assert (given["x-nonce"], given["session"]) == ("a&b=c+d%", "x y&z")


class TestTypes:
    def test_of_the_public_surface(self) -> None:
        def used(named: Job) -> None:
            """Type-checked, not run."""
            assert_type(Job.from_callback(URL, spool=Path("/spool"), later=True), Job)
            assert_type(Job.from_environment(), Job)
            assert_type(named.run(), Result)
            assert_type(named.finish({"a": 1}, event_id="1").verdict, str | None)
            assert_type(named.flush(), Flushed)
            assert_type(client.flush("/spool").taken, list[Result])
            assert_type(named.callback_url(session="x"), str)
            assert_type(named.agave_notifications(), list[dict[str, Any]])
            assert_type(named.tapis_subscriptions(), list[dict[str, Any]])

        assert callable(used)
        assert all(hasattr(client, name) for name in client.__all__)
