"""Events of several jobs judged in one round, and what the races of that must not do."""

from collections.abc import Sequence
from typing import Any

import pytest
from pymongo.collection import Collection

from pipelinejobs.core.job import Job
from pipelinejobs.core.tokens import Policy, job_token
from pipelinejobs.core.verdict import Verdict
from pipelinejobs.service.attempt import Attempt
from pipelinejobs.service.manager import Manager
from pipelinejobs.service.outbox_relay import OutboxRelay
from pipelinejobs.store import Store, Written, history
from pipelinejobs.util.backoff import Backoff
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.errors import OutcomeUnknown
from support.factories import TOKEN, UUID, a_command, a_report, catalogued

Jobs = Collection[dict[str, Any]]
OTHERS = [f"107b93f3-1eae-5e79-8a18-0a480f8aa3{number}" for number in ("b0", "b1", "b2")]


@pytest.fixture
def manager(store: Store, jobs: Jobs) -> Manager:
    for number, uuid in enumerate([UUID, *OTHERS]):
        jobs.insert_one(catalogued("job-created.json") | {"_id": number, "uuid": uuid})
    return Manager(store, Policy(), OutboxRelay(store, None, Backoff()))


def event_of(uuid: str, name: str = "run", **more: Any) -> Any:
    salt, admin = catalogued("job-created.json")["_salt"], catalogued("job-created.json")["_admin"]
    return a_command(name, job=uuid, **{"token": job_token(uuid, salt, admin), **more})


def attempt(manager: Manager, event: Any, seconds: float = 10.0) -> Attempt:
    return manager.judge.attempt(event, "in-a-group", seconds)


def verdicts(attempts: Sequence[Attempt]) -> list[str | None]:
    return [one.outcome.verdict.value if one.outcome else None for one in attempts]


def test_each_gets_its_own_verdict(manager: Manager) -> None:
    unknown = a_command("run", job="10700000-0000-5000-8000-000000000000")
    events = [event_of(UUID), event_of(OTHERS[0], "retire"), event_of(OTHERS[1], token="0" * 16), unknown]
    attempts = [attempt(manager, event) for event in events]
    manager.judge.judge(attempts)
    assert verdicts(attempts) == ["applied", "illegal", "unauthorised", "unauthorised"]


def test_whose_time_is_over_is_not_judged_any_more(manager: Manager, jobs: Jobs) -> None:
    attempts = [attempt(manager, event_of(UUID), 0.0), attempt(manager, event_of(OTHERS[0]))]
    manager.judge.judge(attempts)
    assert verdicts(attempts) == ["unavailable", "applied"]
    assert [len(job["history"]) for job in jobs.find().sort("_id")][:2] == [1, 2]


@pytest.mark.promise("F5")
def test_an_unconfirmed_write_is_looked_up(
    manager: Manager, store: Store, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply = store.jobs.apply

    def unconfirmed(writes: Any) -> list[Written]:
        apply(writes)
        monkeypatch.undo()
        raise OutcomeUnknown

    monkeypatch.setattr(store.jobs, "apply", unconfirmed)
    attempts = [attempt(manager, event_of(uuid)) for uuid in OTHERS]
    manager.judge.judge(attempts)
    assert verdicts(attempts) == [None] * 3
    manager.judge.judge(attempts)
    assert verdicts(attempts) == ["applied"] * 3
    assert all(len(job["history"]) == 2 for job in jobs.find({"uuid": {"$in": OTHERS}}))


@pytest.mark.promise("F5")
@pytest.mark.promise("P2")
@pytest.mark.parametrize("moved", [False, True])
def test_a_repetition_in_such_a_group_is_no_application(
    manager: Manager, store: Store, jobs: Jobs, monkeypatch: pytest.MonkeyPatch, moved: bool
) -> None:
    """The entry existed before the unconfirmed write, in the document or in the overflow."""
    store.history.limits = history.HistoryLimits(entries=4)
    first = event_of(OTHERS[0], "update", id="sender:first")
    assert manager.handle(first, "e").verdict is Verdict.APPLIED
    apply = store.jobs.apply

    def unconfirmed(writes: Any) -> list[Written]:
        apply(writes)
        monkeypatch.undo()
        for number in range(4 * moved):
            assert manager.handle(event_of(OTHERS[0], "update", id=f"sender:{number}"), "e").verdict == "applied"
        raise OutcomeUnknown

    monkeypatch.setattr(store.jobs, "apply", unconfirmed)
    attempts = [attempt(manager, first), attempt(manager, event_of(OTHERS[1]))]
    manager.judge.judge(attempts)
    while None in verdicts(attempts):
        manager.judge.judge([one for one in attempts if one.outcome is None])
    assert verdicts(attempts) == ["duplicate", "applied"]
    job = store.jobs.load(OTHERS[0])
    assert job is not None
    assert bool(job.moved) is moved


@pytest.mark.promise("P2")
def test_a_repetition_is_known_while_its_entry_moves(
    manager: Manager, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read before the move, looked for after it: the entry is in the job no more, and was not moved before."""
    store.history.limits = history.HistoryLimits(entries=10)
    first = event_of(UUID, "update", id="sender:first")
    send = manager.handle
    assert send(event_of(UUID, "run", id="sender:run"), "e").verdict is Verdict.APPLIED
    assert send(first, "e").verdict is Verdict.APPLIED
    for number in range(5):
        send(event_of(UUID, "update", id=f"sender:{number}"), "e")
    assert send(event_of(UUID, "finish", id="sender:finish"), "e").verdict is Verdict.APPLIED
    entry = store.jobs.entry

    def after_a_move(job: Job, uuid: str) -> Any:
        monkeypatch.undo()
        for number in range(3):
            assert send(event_of(UUID, "finish", id=f"sender:again-{number}"), "e").verdict is Verdict.APPLIED
        now = store.jobs.load(UUID)
        assert now is not None
        assert now.moved > job.moved
        return entry(job, uuid)

    monkeypatch.setattr(store.jobs, "entry", after_a_move)
    assert send(first, "e").verdict is Verdict.DUPLICATE


@pytest.mark.promise("P1")
def test_a_report_that_the_document_has_no_room_for_is_kept_without_what_it_says(manager: Manager, jobs: Jobs) -> None:
    """A job system does not repeat what was taken, and 'stale' would be untrue."""
    jobs.update_one({"uuid": UUID}, {"$set": {"data": {"ballast": "x" * (16 * 1024 * 1024 - 5000)}}})
    report = a_report("finish", "FINISHED", token=TOKEN, data={"much": "y" * 6000})
    assert manager.handle(report, "e").verdict is Verdict.APPLIED
    stored = jobs.find_one({"uuid": UUID}) or {}
    assert stored["state"] == "FINISHED"
    assert list(stored["history"][-1]["data"]) == ["left_out"]
    assert manager.handle(report, "e").verdict is Verdict.DUPLICATE
    command = event_of(UUID, "finish", data={"much": "y" * 6000})
    assert manager.handle(command, "e").verdict is Verdict.ILLEGAL


@pytest.mark.promise("S15")
def test_a_token_where_a_word_is_repeated_is_hidden(manager: Manager) -> None:
    used = event_of(UUID, id=f"sender:{TOKEN}")
    manager.handle(used, "e")
    answers = [
        manager.handle(event_of(UUID, "update", id=f"sender:{TOKEN}"), "e"),
        manager.handle(a_report("run", TOKEN.upper(), token=TOKEN, id="sha256:1"), "e"),
    ]
    manager.settle(manager.handle(event_of(UUID, "finish"), "e"), Deadline(5))
    answers.append(manager.handle(a_report("run", TOKEN.upper(), token=TOKEN, id="sha256:2"), "e"))
    assert [answer.verdict.value for answer in answers] == ["malformed", "applied", "stale"]
    assert not any(TOKEN in answer.reason.lower() for answer in answers)
    assert "***" in answers[0].reason
