"""Why a job is in its state, from what was read of it."""

from typing import Any

import pytest

from fsm.lifecycle import STATES
from pipelinejobs.core.job import Entry
from pipelinejobs.diagnose import checks, explanation
from pipelinejobs.messages.external import External
from pipelinejobs.store import job_update
from pipelinejobs.store.asked import Asked
from pipelinejobs.store.outbox import OutboxMessage
from support.factories import LIFE, NOW, SALT, UUID, a_job


def entries(*names: str) -> list[Entry]:
    """A history of these events; the data of each is its place."""
    return [
        Entry(uuid=f"entry {place}" if place else LIFE, name=name, data={"place": place}, date=NOW)
        for place, name in enumerate(names)
    ]


def facts(state: str, *names: str, refused: Any = (), owed: Any = (), **changes: Any) -> dict[str, Any]:
    """What is found for a job in this state, with these events."""
    job = a_job(state, **{"last_event": names[-1] if names else None, "revision": len(names) - 1} | changes)
    history = entries(*names)
    return explanation.facts_of(job, history, checks.problems(job, history), list(refused), list(owed))


def test_why_it_is_in_its_state() -> None:
    found = facts("RUNNING", "create", "run", "update", "resource")
    assert (found["uuid"], found["state"], found["meaning"]) == (UUID, "RUNNING", STATES["RUNNING"])
    assert found["because"] == {"event": "run", "date": NOW, "data": {"place": 1}, "implied": False, "asked": False}
    assert found["since_then"]["events"] == 2
    assert found["since_then"]["last"]["data"] == {"place": 3}
    assert found["problems"] == []


def test_nothing_since_then() -> None:
    assert facts("RUNNING", "create", "run")["since_then"] == {"events": 0, "last": None}


@pytest.mark.parametrize(
    ("data", "implied"), [({"implied": True}, True), ({"implied": 1}, False), ({}, False), (None, False)]
)
def test_an_event_that_was_implied(data: Any, implied: bool) -> None:
    created, run = entries("create", "run")
    found = explanation.facts_of(a_job("RUNNING"), [created, run._replace(data=data)], [], [], [])
    assert found["because"]["implied"] is implied


@pytest.mark.parametrize(("data", "asked"), [({"learned": "asked"}, True), ({"learned": "told"}, False), (None, False)])
def test_an_event_that_was_asked_for(data: Any, asked: bool) -> None:
    created, run = entries("create", "run")
    found = explanation.facts_of(a_job("RUNNING"), [created, run._replace(data=data)], [], [], [])
    assert found["because"]["asked"] is asked


def test_the_external_job_is_a_fact_whether_or_not_it_was_asked_for() -> None:
    assert facts("CREATED", "create")["external"] is None
    found = facts("CREATED", "create", external=External("agave", "1-007"))
    assert (found["external"], found["asked"]) == ({"system": "agave", "id": "1-007"}, None)


def test_what_became_of_the_newest_question() -> None:
    asked = Asked(NOW, "agave", "1-007", "unanswered", None, "500", 2)
    assert facts("RUNNING", "create", "run")["asked"] is None
    assert explanation.facts_of(a_job("CREATED"), entries("create"), [], [], [], asked)["asked"] == {
        "asked": NOW,
        "system": "agave",
        "external": "1-007",
        "result": "unanswered",
        "status": None,
        "why": "500",
        "unanswered": 2,
    }


def test_a_state_that_the_history_does_not_explain() -> None:
    found = facts("FINISHED", "create", "run")
    assert found["because"] is None
    assert found["since_then"] == {"events": 0, "last": None}
    assert found["problems"] == ["its state is FINISHED, but its history leads to RUNNING"]


def test_a_job_without_a_history() -> None:
    found = facts("LOST", damage="history is not an array")
    assert found["meaning"] == "not a state of the lifecycle"
    assert (found["because"], found["next"]) == (None, [])
    cure = f"(doctor --repair {UUID} says what can be repaired)"
    assert found["problems"] == [f"it cannot be changed: history is not an array {cure}"]


def test_what_may_come_next() -> None:
    steps = {step["event"]: step for step in facts("FAILED", "create", "fail")["next"]}
    assert "create" not in steps
    assert steps["reset"]["state"] == "RESET"
    assert steps["reset"]["takes"] == "an administrative token"
    assert all(step["does"] for step in steps.values())


def test_what_was_refused_is_passed_on() -> None:
    row = {"event": "finish", "verdict": "illegal"}
    assert facts("CREATED", "create", refused=[row])["refused"] == [row]


TRIED = OutboxMessage(
    job=UUID,
    key="canary-key",
    name="index",
    status="pending",
    attempts=2,
    next=NOW,
    leased=True,
    created=NOW,
    error="status 500",
)


@pytest.mark.promise("S18")
def test_of_what_is_owed_nothing_is_told_of_leases_and_keys() -> None:
    found = facts("FINISHED", "create", "run", "finish", owed=[TRIED], tokens=("canary-hash",))
    assert found["owed"] == [
        {"name": "index", "status": "pending", "attempts": 2, "next": NOW, "created": NOW, "error": "status 500"}
    ]
    for secret in ("canary", SALT):
        assert secret not in str(found)


def test_before_the_first_attempt_it_is_due_at_once() -> None:
    entry = entries("create")[0]
    stored = job_update.outbox_row("key", entry, LIFE, "index")
    assert stored["next"].year == 1970  # which is nothing to show
    row = TRIED._replace(attempts=0, next=stored["next"], leased=False, error=None)
    assert facts("FINISHED", "create", "run", "finish", owed=[row])["owed"][0]["next"] is None


@pytest.mark.parametrize(
    ("state", "names", "places"),
    [
        ("RUNNING", ["create", "run", "update", "update"], {1, 3}),
        ("RUNNING", ["create", "run"], {1}),
        ("CREATED", ["create"], {0}),
        ("FINISHED", ["create", "run"], {1}),
        ("CREATED", [], set()),
    ],
)
def test_the_entries_whose_data_is_shown(state: str, names: list[str], places: set[int]) -> None:
    assert explanation.shown(a_job(state), entries(*names)) == places


def test_entries_that_are_equal_are_told_apart_by_their_place() -> None:
    created, run, update = entries("create", "run", "update")
    damaged = [created, run, run._replace(), update, update._replace()]
    assert explanation.shown(a_job("RUNNING"), damaged) == {1, 4}
    assert explanation.facts_of(a_job("RUNNING"), damaged, [], [], [])["since_then"]["events"] == 3
