"""The client for senders, with a real gateway: every verdict, callbacks, and a gateway that was unreachable."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from pymongo.database import Database

from pipelinejobs import client
from pipelinejobs.client import Illegal, Job, Malformed, Unauthorised, Undelivered, flush
from pipelinejobs.store import Store
from pipelinejobs.store.nonces import NewNonce
from support.gateway import ALIAS, TOKENS, Gateway, serving, settings
from support.message_samples import JOB
from support.misbehaving import PATH
from support.process import StoredJob, admin_token, callback


@pytest.fixture
def nonce(store: Store) -> str:
    """A nonce of the alias."""
    store.ensure_indexes()
    made, _ = store.nonces.make(NewNonce(scope=f"alias:{ALIAS}", tenant="SD2E", owner="reader", by_operator=True))
    return made.reveal()


def attached(url: str, job: StoredJob, **more: Any) -> Job:
    return Job(url + PATH, job.uuid, job.token, **more)


class TestVerdicts:
    def test_a_whole_life(self, gateway: Gateway, job: StoredJob, nonce: str) -> None:
        sender = attached(gateway.url, job, nonce=nonce)
        steps: list[Callable[[], client.Result]] = [
            sender.resource, sender.run, sender.update, sender.finish, sender.index, sender.indexed,
            sender.validate, sender.validated, sender.finalize, sender.retire,
        ]  # fmt: skip
        for step in steps:
            assert step().verdict == "applied"
        owner = Job(gateway.url + PATH, job.uuid, admin_token(), nonce=nonce)
        assert [owner.reset().state, owner.ready().state] == ["RESET", "CREATED"]
        assert sender.fail({"why": "x"}).state == "FAILED"
        assert job.names == ["create", *(step.__name__ for step in steps), "reset", "ready", "fail"]
        assert job.last["data"] == {"why": "x"}

    @pytest.mark.parametrize("base", ["/actors/v2", "/v3/actors"])
    def test_an_event_under_the_same_id_is_a_duplicate(self, gateway: Gateway, job: StoredJob, base: str) -> None:
        url = f"{gateway.url}{base}/{ALIAS}/messages"
        sender = Job(url, job.uuid, job.token, bearer=TOKENS["EXECUTE"])
        first, second = sender.run(event_id="my run"), sender.run(event_id="my run")
        assert (first.verdict, first.state, second.verdict, second.state) == (
            "applied", "RUNNING", "duplicate", "RUNNING",
        )  # fmt: skip
        assert first.execution != second.execution
        assert job.names == ["create", "run"]

    def test_refusals(self, gateway: Gateway, job: StoredJob, nonce: str) -> None:
        sender = attached(gateway.url, job, nonce=nonce)
        with pytest.raises(Illegal, match="finish"):
            sender.finish()
        with pytest.raises(Malformed, match="is not an event"):
            sender.send("finsh")
        with pytest.raises(Unauthorised):
            sender.reset()
        with pytest.raises(Unauthorised, match="credential"):
            attached(gateway.url, job).run()
        with pytest.raises(client.Refused) as caught:
            Job(f"{gateway.url}/actors/v2/nobody/messages", job.uuid, job.token, nonce=nonce).run()
        assert caught.value.status == 404
        assert job.names == ["create"]

    def test_as_much_data_as_there_may_be(self, gateway: Gateway, job: StoredJob, nonce: str) -> None:
        data = {"text": "x" * (client.MOST_BYTES - 200), "ü": ["\U0001f600", None, 0.1, 2**60]}
        assert attached(gateway.url, job, nonce=nonce).update(data).verdict == "applied"
        assert job.last["data"] == data

    def test_a_manager_that_stumbles(
        self, gateway: Gateway, job: StoredJob, nonce: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        judge, asked = gateway.parts.batcher._judge.judge, []

        def stumbling(*given: Any) -> Any:
            asked.append(given)
            if len(asked) < 3:
                raise RuntimeError("it stumbles")
            return judge(*given)

        monkeypatch.setattr(gateway.parts.batcher._judge, "judge", stumbling)
        assert attached(gateway.url, job, nonce=nonce, timeout=60).run().verdict == "applied"
        assert job.names == ["create", "run"]
        monkeypatch.setattr(gateway.parts.batcher._judge, "judge", lambda *_: 1 / 0)
        with pytest.raises(Undelivered) as caught:
            attached(gateway.url, job, nonce=nonce, timeout=2.5).update()
        assert caught.value.verdict == "unavailable"


class TestCallbacks:
    @pytest.mark.parametrize("system", ["agave", "aloe"])
    def test_agaves_notifications(self, gateway: Gateway, job: StoredJob, nonce: str, system: str) -> None:
        urls = {each["event"]: each["url"] for each in attached(gateway.url, job, nonce=nonce).agave_notifications()}
        for status in ("RUNNING", "FINISHED"):
            url = urls[status].replace("${JOB_STATUS}", status)
            answer = httpx.post(url, json=callback(system, status), trust_env=False)
            assert answer.json()["result"]["verdict"] == "applied", answer.text
        assert job.names == ["create", "run", "finish"]

    def test_tapis_subscription(self, gateway: Gateway, job: StoredJob, nonce: str) -> None:
        (subscription,) = attached(gateway.url, job, nonce=nonce).tapis_subscriptions()
        (target,) = subscription["deliveryTargets"]
        for status in ("RUNNING", "FAILED"):
            answer = httpx.post(target["deliveryAddress"], json=callback("tapis", status), trust_env=False)
            assert answer.json()["result"]["verdict"] == "applied", answer.text
        assert job.names == ["create", "run", "fail"]

    def test_a_job_is_found_again_by_its_callback(self, gateway: Gateway, job: StoredJob, nonce: str) -> None:
        url = attached(gateway.url, job, nonce=nonce).callback_url(session="blue-7", status="${JOB_STATUS}")
        assert Job.from_callback(url).run().state == "RUNNING"
        assert job.last["data"] == {"session": "blue-7"}


class TestAGatewayThatWasAway:
    def test_gets_each_event_once_and_in_order(
        self,
        mongodb_uri: str,
        database: Database[dict[str, Any]],
        job: StoredJob,
        tmp_path: Path,
        free_port: int,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(client, "LEAST_SECONDS", 1000.0)  # one attempt, which ends by itself and cannot arrive late
        sender = attached(f"http://127.0.0.1:{free_port}", job, bearer=TOKENS["EXECUTE"], spool=tmp_path / "spool")
        assert sender.run().spooled
        for number in range(5):
            assert sender.update({"number": number}).spooled
        assert flush(tmp_path / "spool").left == 6
        monkeypatch.undo()
        with serving(settings(mongodb_uri, database.name, gateway__port=str(free_port))):
            flushed = flush(tmp_path / "spool")
            assert [each.verdict for each in flushed.taken] == ["applied"] * 6
            last = Job(
                f"http://127.0.0.1:{free_port}{PATH}",
                job.uuid,
                job.token,
                bearer=TOKENS["EXECUTE"],
                spool=tmp_path / "spool",
            )
            assert last.finish().state == "FINISHED"
        history = job.stored()["history"]
        assert [entry["name"] for entry in history] == ["create", "run", *["update"] * 5, "finish"]
        assert [entry["data"]["number"] for entry in history[2:7]] == list(range(5))

    def test_comes_back_while_a_sender_tries(
        self, mongodb_uri: str, database: Database[dict[str, Any]], job: StoredJob, free_port: int
    ) -> None:
        sender = attached(f"http://127.0.0.1:{free_port}", job, bearer=TOKENS["EXECUTE"], timeout=60)
        results: list[client.Result] = []
        thread = threading.Thread(target=lambda: results.append(sender.run()))
        thread.start()
        time.sleep(0.3)
        with serving(settings(mongodb_uri, database.name, gateway__port=str(free_port))):
            thread.join()
        assert [result.verdict for result in results] == ["applied"]
        assert job.names == ["create", "run"]


class TestACommand:
    @pytest.mark.parametrize(
        ("command", "code", "names", "told"),
        [
            ("exit 0", 0, ["run", "finish"], None),
            ("kill -KILL $$", 137, ["run", "fail"], "KILL"),
            ("kill -TERM $PPID; sleep 1000", 143, ["run", "update", "fail"], "TERM"),
            ("trap 'exit 0' TERM; sleep 1000 & kill -TERM $PPID; wait", 0, ["run", "update", "finish"], None),
        ],
    )
    def test_is_reported_by_exec(
        self,
        gateway: Gateway,
        job: StoredJob,
        nonce: str,
        tmp_path: Path,
        command: str,
        code: int,
        names: list[str],
        told: str | None,
    ) -> None:
        url = attached(gateway.url, job, nonce=nonce).callback_url()
        words = [sys.executable, client.__file__, "exec", "--spool", str(tmp_path / "spool"), "--", "sh", "-c", command]
        variables = {"PATH": os.environ["PATH"], client.CALLBACK_VARIABLE: url, "SLURM_JOB_ID": "17"}
        done = subprocess.run(words, env=variables, capture_output=True, timeout=60)
        assert (done.returncode, done.stderr) == (code, b"")
        assert job.state == ("FINISHED" if code == 0 else "FAILED")
        assert job.names == ["create", *names]
        assert job.stored()["history"][1]["data"]["slurm_job_id"] == "17"
        assert job.last["data"].get("signal") == told

    def test_is_reported_by_the_flush_after_it(
        self,
        mongodb_uri: str,
        database: Database[dict[str, Any]],
        job: StoredJob,
        nonce: str,
        tmp_path: Path,
        free_port: int,
    ) -> None:
        url = f"http://127.0.0.1:{free_port}"
        spool = str(tmp_path / "spool")
        options = ["--spool", spool, "--timeout", "0.2"]
        words = [sys.executable, client.__file__, "exec", *options, "--", "sh", "-c", "exit 9"]
        variables = {"PATH": os.environ["PATH"]}
        variables[client.CALLBACK_VARIABLE] = attached(url, job, nonce=nonce).callback_url()
        done = subprocess.run(words, env=variables, capture_output=True, timeout=60)
        assert (done.returncode, b"waiting in the spool: run, fail" in done.stderr) == (9, True)
        with serving(settings(mongodb_uri, database.name, gateway__port=str(free_port))):
            for _ in range(2):
                assert flush(spool).left == 0
        assert job.names == ["create", "run", "fail"]
        assert job.last["data"]["exit_code"] == 9


class TestWaiting:
    def test_sees_the_state(self, gateway: Gateway, job: StoredJob, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(client, "POLL_SECONDS", 0.05)
        sender = attached(gateway.url, job, bearer=TOKENS["UPDATE"])
        seen: list[str] = []

        def on_change(state: str) -> None:
            seen.append(state)
            if state != "FINISHED":
                sender.send({"CREATED": "run", "RUNNING": "finish"}[state])

        waited = sender.wait(timeout=60, on_change=on_change)
        assert (waited.state, waited.reached) == ("FINISHED", True)
        assert seen == ["CREATED", "RUNNING", "FINISHED"]

    def test_ends_with_an_unknown_job_and_without_a_credential(self, gateway: Gateway, job: StoredJob) -> None:
        unknown = Job(gateway.url + PATH, JOB, job.token, bearer=TOKENS["UPDATE"])
        with pytest.raises(client.Refused, match=r"no such job$"):
            unknown.wait(timeout=60)
        with pytest.raises(Unauthorised):
            attached(gateway.url, job).wait(timeout=60)
