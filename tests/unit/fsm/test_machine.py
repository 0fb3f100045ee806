"""The lifecycle against the published table, cell by cell, and against `transitions` itself."""

import json
from pathlib import Path

import pytest
from transitions import Machine, MachineError

from fsm import machine
from fsm.lifecycle import EVENTS, INITIAL, MOVES, STATES

DATA = Path(__file__).parents[2] / "data"
CELLS = [line.split() for line in (DATA / "verdicts.txt").read_text().splitlines() if line and not line.startswith("#")]


def test_the_table_has_every_cell_once() -> None:
    assert len(STATES) == 11
    assert len(EVENTS) == 15
    assert [(state, event) for state, event, _, _ in CELLS] == [(state, event) for state in STATES for event in EVENTS]


@pytest.mark.parametrize(("state", "event", "command", "report"), CELLS)
def test_cell(state: str, event: str, command: str, report: str) -> None:
    assert (machine.destination(state, event) or "-") == command


def test_the_machine_knows_the_events_of_the_table_and_no_other() -> None:
    assert set(machine.build().events) == set(EVENTS)  # `transitions` would add to_FINISHED and its like


def test_texts_are_those_of_the_published_lifecycle() -> None:
    published = json.loads((DATA / "lifecycle-published.json").read_text())
    assert published["initial"] == INITIAL
    assert published["states"] == STATES
    assert {name: event["does"] for name, event in published["events"].items()} == EVENTS
    assert [move.event for move in MOVES] == [row["event"] for row in published["transitions"]]


class Model:
    """A model for `transitions`, which keeps the state on it."""

    state: str


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("event", EVENTS)
def test_a_real_machine_goes_where_the_table_says(state: str, event: str) -> None:
    oracle: Machine = machine.build()
    model = Model()
    oracle.add_model(model, initial=state)
    try:
        oracle.events[event].trigger(model)
        after: str | None = model.state
    except MachineError:
        after = None
    assert machine.destination(state, event) == after


@pytest.mark.promise("S8")
@pytest.mark.parametrize("name", ["may_reset", "trigger", "states", "FINISH", "__class__", "Run", "", "to_FAILED"])
def test_only_names_of_the_table_are_events(name: str) -> None:
    assert all(machine.destination(state, name) is None for state in STATES)


def test_allowed_lists_the_events_of_a_state() -> None:
    assert machine.allowed("CREATED") == ["create", "run", "update", "resource", "fail", "reset"]
    assert machine.allowed("RETIRED") == ["reset"]
    assert machine.allowed("NOWHERE") == []
