"""Which states a job can still enter, against walks through the real machine."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm.lifecycle import ADMINISTRATIVE, EVENTS, INITIAL, MOVES, RESERVED, STATES
from fsm.machine import destination
from fsm.reach import entered, may_reach, may_return, reachable

ORDINARY = sorted(set(EVENTS) - ADMINISTRATIVE - RESERVED)
states = st.sampled_from(list(STATES))


@given(states, st.lists(st.sampled_from(ORDINARY), max_size=60))
def test_no_walk_leaves_the_reachable_states(state: str, events: list[str]) -> None:
    start = state
    for event in events:
        state = destination(state, event) or state
        assert state in reachable(start)
        assert may_reach(start, [state])


@pytest.mark.parametrize("start", STATES)
def test_to_each_reachable_state_there_is_a_walk(start: str) -> None:
    """Found by trying all walks, shortest first, without the function under test."""
    walks = {start: [start]}
    pending = [start]
    while pending:
        state = pending.pop(0)
        for event in ORDINARY:
            after = destination(state, event)
            if after is not None and after not in walks:
                walks[after] = [*walks[state], after]
                pending.append(after)
    assert reachable(start) == set(walks)


@pytest.mark.parametrize("start", STATES)
@pytest.mark.parametrize("wanted", STATES)
def test_only_administrative_events_lead_to_all_others(start: str, wanted: str) -> None:
    """With `reset` and `ready` every state can be reached from every state, so `never` depends on these two alone."""
    found, pending = {start}, [start]
    while pending:
        state = pending.pop()
        after = {destination(state, event) for event in EVENTS} - found - {None}
        found |= after  # type: ignore[arg-type]
        pending += after  # type: ignore[arg-type]
    assert wanted in found


@pytest.mark.parametrize(
    ("state", "wanted", "possible"),
    [
        ("CREATED", {"FINISHED"}, True),
        ("RUNNING", {"CREATED"}, False),
        ("FAILED", {"FINISHED"}, False),
        ("FAILED", {"FINISHED", "RETIRED"}, True),
        ("FAILED", {"FAILED"}, True),
        ("INDEXING", {"FINISHED"}, True),
        ("VALIDATED", {"FINISHED", "FAILED"}, True),
        ("FINALIZED", {"FINISHED", "FAILED"}, False),
        ("RETIRED", set(STATES) - {"RETIRED"}, False),
        ("RESET", {"CREATED"}, False),
    ],
)
def test_examples(state: str, wanted: set[str], possible: bool) -> None:
    assert may_reach(state, wanted) is possible


@pytest.mark.parametrize("unknown", ["", "PENDING", "running", "__class__"])
def test_of_a_state_that_another_program_made_up_nothing_is_known(unknown: str) -> None:
    assert reachable(unknown) == set(STATES)


@pytest.mark.parametrize(
    ("state", "wanted", "possible"),
    [
        ("FINISHED", {"INDEXING"}, True),
        ("INDEXING", {"FAILED", "FINISHED"}, True),
        ("FINISHED", {"FINISHED", "FAILED"}, False),
        ("RUNNING", {"FINISHED", "FAILED"}, False),
        ("CREATED", set(STATES), False),
        ("RESET", {"CREATED"}, False),
    ],
)
def test_from_which_state_a_job_may_come_back(state: str, wanted: set[str], possible: bool) -> None:
    assert may_return(state, wanted) is possible


@pytest.mark.parametrize(
    ("events", "passed"),
    [
        (["run", "finish"], {"RUNNING", "FINISHED"}),
        (["RUN", "Finish"], {"RUNNING", "FINISHED"}),
        (["update", "resource", "no such event"], set()),
        (["index", "indexed"], {"INDEXING", "FINISHED"}),
        (["reset", "ready", "run"], {"RESET", "CREATED", "RUNNING"}),
    ],
)
def test_the_states_that_events_enter(events: list[str], passed: set[str]) -> None:
    assert entered(events) == passed


@given(st.lists(st.sampled_from(list(EVENTS)), max_size=30))
def test_what_is_entered_is_what_the_machine_passes(events: list[str]) -> None:
    state, passed, applied = INITIAL, set(), []
    for event in events:
        after = destination(state, event)
        if after is not None:
            applied.append(event)
            if event not in ("update", "resource"):
                passed.add(after)
            state = after
    assert entered(applied) == passed


def test_each_event_has_one_destination() -> None:
    assert len({move.event for move in MOVES}) == len({(move.event, move.destination) for move in MOVES})
