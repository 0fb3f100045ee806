"""A report is a fact: what a job system sends is accepted by a run on Abaco, whatever its form."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipelinejobs.messages.marks import KEY
from support.process import CheckedAbaco, NewJob, StoredJob, callback, verdicts
from tools.demo.abaco import ROOT, posted

CASES = Path(__file__).resolve().parents[1] / "data" / "reports"
SYSTEMS = ("agave", "aloe", "tapis")
ODD = {
    "an integer beyond 64 bits": 2**64,
    "not a number": float("nan"),
    "an infinity": float("-inf"),
    "a NUL": "a\0b",
    "half a character": "\ud83d",
    "a key with half a character": {"\ud83d": 1},
    "nested 40": json.loads("[" * 40 + "]" * 40),
    "nested 300": json.loads("[" * 300 + "]" * 300),
}


@pytest.fixture
def running(new_job: NewJob) -> StoredJob:
    """A job that is known to run."""
    return new_job(state="RUNNING")


def handed_over(path: Path) -> Any:
    """What Abaco hands over of a body of these bytes, which it reads as Flask does."""
    return posted(path.read_bytes().decode("latin-1" if "8859" in path.name else "utf-8"))


@pytest.mark.parametrize("as_text", [False, True], ids=["as Abaco's literal", "as text"])
@pytest.mark.parametrize("path", sorted(CASES.glob("report-*")), ids=lambda path: path.stem)
def test_a_body_that_a_message_may_not_hold(abaco: CheckedAbaco, running: StoredJob, path: Path, as_text: bool) -> None:
    body = path.read_text("utf-8") if as_text else handed_over(path)
    parameters = running.url(status="FINISHED") if as_text else running.url()
    runs = [abaco.send(body, parameters) for _ in range(2)]
    assert verdicts(runs) == ["applied", "duplicate"]
    assert running.state == "FINISHED"
    is_as_good_as_any = path.stem == "report-key-twice" and not as_text  # Abaco has taken the last of them
    assert len(running.last["data"].get(KEY, [])) == (0 if is_as_good_as_any else 1)


@pytest.mark.parametrize("what", ODD)
def test_values_of_every_system(abaco: CheckedAbaco, new_job: NewJob, what: str) -> None:
    jobs = [new_job(state="RUNNING") for _ in SYSTEMS]
    bodies = [callback(system, "FINISHED") | {"odd": ODD[what]} for system in SYSTEMS]
    runs = abaco.send_all([(body, job.url()) for body, job in zip(bodies, jobs, strict=True)])
    assert verdicts(runs) == ["applied"] * 3
    for job in jobs:
        assert job.state == "FINISHED"
        assert job.last["data"][KEY]


class TestText:
    def test_a_failed_job(self, abaco: CheckedAbaco, running: StoredJob) -> None:
        case = json.loads((CASES / "abaco-failed-environment.json").read_text("utf-8"))
        run = abaco.send(case["MSG"], running.url(status=case["status"]))
        assert (run.exit_code, run.verdict["verdict"], run.verdict["event"]) == (0, "applied", "fail")
        assert running.state == "FAILED"
        assert running.last["data"]["body"] == case["MSG"]
        assert running.last["data"]["status"] == "FAILED"

    def test_bytes_that_are_not_utf_8(self, abaco: CheckedAbaco, running: StoredJob) -> None:
        body = os.fsdecode("Job failed: \u00e9chantillon".encode("latin-1"))
        parameters = running.url(status="FAILED\n", note=os.fsdecode(b"\xe9"), filename=os.fsdecode(b"\xe9.csv"))
        assert abaco.send(body, parameters).verdict["verdict"] == "applied"
        data = running.last["data"]
        assert (data["body"], data["note"]) == ("Job failed: \u00e9chantillon", "\ufffd")

    def test_of_an_event_it_is_data(self, abaco: CheckedAbaco, running: StoredJob) -> None:
        assert abaco.send("disk full", running.url("FAIL ")).verdict["verdict"] == "applied"
        assert (running.last["name"], running.last["data"]) == ("fail", {"body": "disk full"})


@pytest.mark.parametrize(
    "body",
    [
        "{}",
        "",
        None,
        json.loads((CASES / "agave-runtime-event.json").read_text("utf-8")),
        {"job": {}, "permission": {}},
    ],
    ids=str,
)
def test_without_a_status_it_is_an_update(abaco: CheckedAbaco, running: StoredJob, body: Any) -> None:
    run = abaco.send(body, running.url(status="${JOB_STATUS}"))
    assert (run.exit_code, run.verdict["event"], run.verdict["state"]) == (0, "update", "RUNNING")
    assert running.last["data"][KEY]


def test_a_binary_message_with_a_status(abaco: CheckedAbaco, running: StoredJob) -> None:
    names = {"MSG": None, "_abaco_Content_Type": "application/octet-stream"}
    binary = CheckedAbaco(environment=abaco.environment, names=names, hidden=abaco.hidden)
    assert binary.send(None, running.url(status="FINISHED")).verdict["state"] == "FINISHED"
    assert "octet-stream" in running.last["data"][KEY][0]
    assert binary.send(None, running.url()).verdict["verdict"] == "malformed"


class TestWhatIsKept:
    def refused(self, abaco: CheckedAbaco, job: StoredJob) -> list[dict[str, Any]]:
        """What `explain` tells of it."""
        command = [sys.executable, "-m", "pipelinejobs", "explain", "--json", job.uuid]
        environment = {**os.environ, **abaco.environment}
        shown = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
        assert shown.returncode == 0, shown
        found: list[dict[str, Any]] = json.loads(shown.stdout)["refused"]
        return found

    @pytest.mark.parametrize("where", ["the URL", "the body"])
    def test_a_malformed_message_with_a_token_of_the_job(
        self, abaco: CheckedAbaco, running: StoredJob, where: str
    ) -> None:
        body, parameters = ("nonsense", running.url()) if where == "the URL" else (running.event("finsh"), {})
        run = abaco.send(body, parameters)
        assert (run.exit_code, run.verdict["verdict"]) == (65, "malformed")
        (row,) = self.refused(abaco, running)
        assert (row["verdict"], row["reason"], row["state"]) == ("malformed", run.verdict["reason"], "RUNNING")
        (line,) = [json.loads(line) for line in run.stderr.splitlines() if "malformed" in line]
        assert line["level"] == "WARNING"

    def test_explain_words_it(self, abaco: CheckedAbaco, running: StoredJob) -> None:
        reason = abaco.send("nonsense", running.url()).verdict["reason"]
        command = [sys.executable, "-m", "pipelinejobs", "explain", running.uuid]
        environment = {**os.environ, **abaco.environment}
        shown = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60).stdout
        assert f"a message that could not be read from jdoe, malformed while RUNNING: {reason}" in shown

    def test_of_others_nothing_is(self, abaco: CheckedAbaco, running: StoredJob) -> None:
        unknown = {"uuid": "10700000-0000-5000-8000-000000000000", "token": running.token}
        for parameters in (running.url(token="0123456789abcdef"), unknown, {"uuid": running.uuid}):
            assert abaco.send("nonsense", parameters).exit_code == 65
        assert self.refused(abaco, running) == []

    def test_the_answer_waits_for_no_database(self, abaco: CheckedAbaco, running: StoredJob) -> None:
        away = abaco.configured(_REACTOR_MONGODB_AUTHN="bW9uZ29kYjovLzEyNy4wLjAuMTox", _REACTOR_LIMITS_DATABASE="1")
        run = away.send("nonsense", running.url())
        assert (run.exit_code, run.verdict["verdict"]) == (65, "malformed")
        assert "a refusal could not be stored" in run.stderr
