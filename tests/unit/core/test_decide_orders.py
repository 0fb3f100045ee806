"""Every order in which reports may come, and every short sequence of commands."""

from itertools import permutations, product

import pytest

from fsm.lifecycle import EVENTS
from fsm.machine import build
from fsm.replay import final_state
from pipelinejobs.core import identity
from pipelinejobs.core.decide import decide
from pipelinejobs.core.job import Job
from pipelinejobs.core.tokens import Authority
from pipelinejobs.core.verdict import Verdict
from pipelinejobs.messages.event import Event
from support.factories import NOW, a_command, a_job, a_report

pytestmark = pytest.mark.promise("F14")

AGAVE = ["PENDING", "STAGING_INPUTS", "QUEUED", "RUNNING", "CLEANING_UP", "ARCHIVING"]
TAPIS = ["PENDING", "PROCESSING_INPUTS", "SUBMITTING_JOB", "RUNNING", "ARCHIVING", "PAUSED"]
EVENT_OF = {"RUNNING": "run", "FINISHED": "finish", "FAILED": "fail", "CANCELLED": "fail"}


def report(status: str) -> Event:
    return a_report(EVENT_OF.get(status, "resource"), status)


def run(order: tuple[Event, ...]) -> tuple[str, list[str], int]:
    """State, history and number of index requests after these reports."""
    job, history, owed = a_job(), ["create"], 0
    for event in order:
        decision = decide(job, event, Authority.JOB, NOW)
        assert decision.verdict in (Verdict.APPLIED, Verdict.STALE)
        if decision.change is not None:
            history += [entry.name for entry in decision.change.entries]
            owed += decision.change.owes_index
            job = after(job, event, decision.change.state)
    return job.state, history, owed


def after(job: Job, event: Event, state: str) -> Job:
    bound = {identity.external_digest(event.external): job.attempt} if event.external else {}
    return job._replace(state=state, revision=job.revision + 1, externals={**job.externals, **bound})


@pytest.mark.promise("P3")
@pytest.mark.promise("P5")
@pytest.mark.parametrize("final", ["FINISHED", "FAILED", "CANCELLED"])
@pytest.mark.parametrize("way", [AGAVE, TAPIS], ids=["Agave", "Tapis"])
def test_seven_reports_in_all_5040_orders(way: list[str], final: str) -> None:
    wanted = "FINISHED" if final == "FINISHED" else "FAILED"
    orders = 0
    for order in permutations([report(status) for status in (*way, final)]):
        state, history, owed = run(order)
        statuses = [event.status for event in order]
        assert state == wanted, statuses
        assert owed == (final == "FINISHED"), statuses
        assert final_state(history) == state, statuses
        orders += 1
    assert orders == 5040


@pytest.mark.promise("P3")
@pytest.mark.promise("P5")
@pytest.mark.parametrize(
    "ends", [("FINISHED", "FAILED"), ("CANCELLED", "FINISHED"), ("FINISHED", "FAILED", "CANCELLED")]
)
def test_of_two_different_ends_the_first_wins(ends: tuple[str, ...]) -> None:
    for order in permutations([report(status) for status in ("QUEUED", "RUNNING", "ARCHIVING", *ends)]):
        statuses = [event.status for event in order]
        first = next(status for status in statuses if status in ends)
        state, history, owed = run(order)
        assert state == ("FINISHED" if first == "FINISHED" else "FAILED"), statuses
        assert owed == (first == "FINISHED"), statuses
        assert [name for name in history if name in ("finish", "fail")] == [EVENT_OF[str(first)]], statuses
        assert final_state(history) == state, statuses


@pytest.mark.promise("P5")
@pytest.mark.parametrize("first", sorted(EVENTS))
def test_commands_are_judged_as_the_machine_of_transitions_judges_them(first: str) -> None:
    """All sequences of up to four events; the oracle is the library, run on the table, not our compiled form of it."""

    class Oracle:
        state: str

    oracle = Oracle()
    machine = build()
    machine.add_model(oracle, initial="CREATED")
    for rest in product(sorted(EVENTS), repeat=3):
        machine.set_state("CREATED")
        job = a_job()
        for name in (first, *rest):
            may = getattr(oracle, f"may_{name}")()
            decision = decide(job, a_command(name), Authority.ADMINISTRATIVE, NOW)
            assert (decision.verdict is Verdict.APPLIED) == may, (first, rest, name)
            if may:
                oracle.trigger(name)  # type: ignore[attr-defined]
                assert decision.change is not None
                job = job._replace(state=decision.change.state)
            assert job.state == oracle.state
