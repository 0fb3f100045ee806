"""Many processes at once on one job: nothing is lost, nothing is applied twice."""

import threading

import pytest

from fsm.replay import final_state, walk
from support.process import CheckedAbaco, StoredJob, callback, verdicts
from tools.demo.abaco import finished

EACH = 100


@pytest.mark.promise("P1")
@pytest.mark.promise("P5")
def test_two_senders_with_a_hundred_events_each_lose_none(abaco: CheckedAbaco, job: StoredJob) -> None:
    abaco.send(job.event("run"))
    told: list[str] = []

    def sender(name: str) -> None:
        for number in range(EACH):
            run = abaco.send(job.event("update", {"sender": name, "number": number}))
            told.append(run.verdict["verdict"])

    senders = [threading.Thread(target=sender, args=(name,)) for name in ("a", "b")]
    for thread in senders:
        thread.start()
    for thread in senders:
        thread.join()

    stored = job.stored()
    history = stored["history"]
    assert told == ["applied"] * 2 * EACH
    assert len(history) == 2 + 2 * EACH
    assert stored["_properties"]["revision"] == len(history) - 1
    assert len({entry["uuid"] for entry in history}) == len(history)
    for name in ("a", "b"):
        of_one = [entry["data"]["number"] for entry in history[2:] if entry["data"]["sender"] == name]
        assert of_one == list(range(EACH)), "the events of one sender are out of order"
    assert all(step.after is not None for step in walk(job.names))
    assert final_state(job.names) == stored["state"] == "RUNNING"
    assert stored["updated"] == history[-1]["date"]


@pytest.mark.promise("F13")
class TestTheSameDeliveryEightTimesAtOnce:
    def test_one_is_applied_and_seven_are_duplicates(self, abaco: CheckedAbaco, job: StoredJob) -> None:
        started = [abaco.start(job.event("run", {"n": 1}), execution="one-execution") for _ in range(8)]
        runs = [abaco.check(finished(process)) for process in started]
        assert sorted(verdicts(runs)) == ["applied"] + ["duplicate"] * 7
        assert {(run.exit_code, run.verdict["state"]) for run in runs} == {(0, "RUNNING")}
        assert job.names == ["create", "run"]
        assert job.stored()["_properties"]["revision"] == 1

    def test_a_report_that_implies_another_event_as_well(self, abaco: CheckedAbaco, job: StoredJob) -> None:
        started = [abaco.start(callback("agave", "FINISHED"), job.url()) for _ in range(8)]
        runs = [abaco.check(finished(process)) for process in started]
        assert sorted(verdicts(runs)) == ["applied"] + ["duplicate"] * 7
        assert job.names == ["create", "run", "finish"]


@pytest.mark.promise("P5")
def test_of_finish_and_fail_at_once_one_wins(abaco: CheckedAbaco, job: StoredJob) -> None:
    abaco.send(job.event("run"))
    started = [abaco.start(job.event(name)) for name in ("finish", "fail")]
    runs = [abaco.check(finished(process)) for process in started]
    assert sorted(verdicts(runs)) == ["applied", "illegal"]
    assert final_state(job.names) == job.state
