"""Which states a job can still enter, against walks through the real machine."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm.lifecycle import ADMINISTRATIVE, EVENTS, INITIAL, RESERVED, STATES
from fsm.machine import destination
from fsm.reach import entered, may_reach, reachable

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
    ("state", "events", "passed"),
    [
        ("CREATED", ["run", "finish"], {"RUNNING", "FINISHED"}),
        ("CREATED", ["RUN", "Finish"], {"RUNNING", "FINISHED"}),
        ("RUNNING", [], set()),
        ("RUNNING", ["update"], {"RUNNING"}),
        ("FINISHED", ["index", "indexed"], {"INDEXING", "FINISHED"}),
        ("FAILED", ["reset", "ready", "run"], {"RESET", "CREATED", "RUNNING"}),
        ("FAILED", ["run", "no such event"], set()),
    ],
)
def test_the_states_that_events_enter(state: str, events: list[str], passed: set[str]) -> None:
    assert entered(state, events) == passed


@given(st.lists(st.sampled_from(list(EVENTS)), max_size=30))
def test_what_is_entered_is_what_the_machine_passes(events: list[str]) -> None:
    state, passed = INITIAL, set()
    for event in events:
        after = destination(state, event)
        if after is not None:
            state = after
            passed.add(after)
    assert entered(INITIAL, events) == passed
