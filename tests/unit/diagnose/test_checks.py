"""What may be wrong with a stored job."""

from typing import Any

import pytest

from pipelinejobs.core.job import Entry, Job
from pipelinejobs.core.tokens import token_hash, was_rotated
from pipelinejobs.diagnose import checks
from support.factories import LIFE, NOW, TOKEN, UUID, a_job


def entries(*names: str, **changes: Any) -> list[Entry]:
    """A history of these events; the first one has the uuid of the job's life."""
    uuids = [LIFE, *(f"entry {number}" for number in range(1, len(names)))]
    return [
        Entry(uuid=uuid, name=name, data=None, date=NOW, **changes) for uuid, name in zip(uuids, names, strict=True)
    ]


def stored(state: str, last: str, events: float, **changes: Any) -> Job:
    """A job in this state, after so many events."""
    return a_job(state, last_event=last, revision=events, **changes)


@pytest.mark.parametrize(
    ("job", "history"),
    [
        (stored("CREATED", "create", 0), entries("create")),
        (stored("RUNNING", "update", 2), entries("create", "run", "update")),
        (stored("FINISHED", "indexed", 4), entries("create", "run", "finish", "index", "indexed")),
        (stored("CREATED", "ready", 3), entries("create", "fail", "reset", "ready")),
        (stored("RUNNING", "RUN", 1), entries("create", "RUN")),
        (stored("RUNNING", "run", 1.0), entries("create", "run")),
    ],
)
def test_a_sound_job_has_no_problem(job: Job, history: list[Entry]) -> None:
    assert checks.problems(job, history) == []


@pytest.mark.parametrize(
    ("state", "last", "events", "names", "problem"),
    [
        ("RUNNING", "run", 0, ["create", "run"], "its revision is 0, but its history has 1 event after create"),
        ("CREATED", "run", 1, ["create", "run"], "its state is CREATED, but its history leads to RUNNING"),
        ("RUNNING", "create", 1, ["create", "run"], "its last_event is create, but its history ends with run"),
        ("RUNNING", "finish", 1, ["create", "finish"], "does not follow the lifecycle: finish while CREATED"),
        ("RUNNING", "may_reset", 1, ["create", "may_reset"], "lifecycle: may_reset while CREATED"),
        ("RUNNING", "run", 0, ["run"], "its history begins with run, not with create"),
        ("CREATED", "create", 0, [""], "begins with an event without a name"),
    ],
)
def test_problems_are_named(state: str, last: str, events: int, names: list[str], problem: str) -> None:
    assert any(problem in found for found in checks.problems(stored(state, last, events), entries(*names)))


def test_a_job_without_a_salt() -> None:
    (problem,) = checks.problems(stored("CREATED", "create", 0, salt=None), entries("create"))
    assert "it has no _salt" in problem


def test_entries_with_the_same_uuid() -> None:
    history = entries("create", "update")
    assert checks.problems(stored("CREATED", "update", 2), [*history, history[-1]]) == [
        "its history has entries with the same uuid"
    ]


def test_damage_is_the_only_problem_of_a_damaged_job() -> None:
    job = stored("LOST", "create", 9, damage="history is not an array")
    cure = f"(doctor --repair {job.uuid} says what can be repaired)"
    assert checks.problems(job, []) == [f"it cannot be changed: history is not an array {cure}"]
    assert checks.notes(job) == []


@pytest.mark.parametrize(
    ("job", "known"),
    [
        (stored("CREATED", "create", 0), True),
        (stored("RUNNING", "run", 1), False),
        (stored("RUNNING", "run", 1, tokens=(token_hash(UUID, TOKEN),)), True),
    ],
)
def test_a_salt_that_was_changed_before_we_first_wrote(job: Job, known: bool) -> None:
    assert was_rotated(job) is not known
    assert bool(checks.notes(job)) is not known


@pytest.mark.parametrize(
    ("state", "names", "place"),
    [
        ("CREATED", ["create"], 0),
        ("CREATED", ["create", "update", "resource"], 0),
        ("RUNNING", ["create", "run", "update", "run"], 1),
        ("FINISHED", ["create", "run", "finish", "finish"], 2),
        ("FINISHED", ["create", "run", "finish", "index", "indexed"], 4),
        ("CREATED", ["create", "fail", "reset", "ready", "update"], 3),
        ("RUNNING", ["create", "run", "nonsense"], 1),
    ],
)
def test_the_cause_of_a_state(state: str, names: list[str], place: int) -> None:
    history = entries(*names)
    assert checks.cause(stored(state, names[-1], len(names) - 1), history) is history[place]


@pytest.mark.parametrize(("state", "names"), [("FINISHED", ["create", "run"]), ("CREATED", [])])
def test_a_state_that_the_history_does_not_explain(state: str, names: list[str]) -> None:
    assert checks.cause(stored(state, "run", 1), entries(*names) if names else []) is None
