"""The drawings, as Mermaid text."""

import re

from fsm import diagram
from fsm.lifecycle import EVENTS, STATES
from fsm.machine import destination

ARROW = re.compile(r"^    (\w+) --> (\w+): (.+)$", re.MULTILINE)


def test_every_move_of_the_lifecycle_is_drawn_and_no_other() -> None:
    drawn = {
        (before, event, after)
        for before, after, label in ARROW.findall(diagram.lifecycle())
        for event in label.split(", ")
    }
    moves = {(state, event, destination(state, event)) for state in STATES for event in EVENTS}
    assert drawn == {move for move in moves if move[2] is not None}


def test_the_drawing_begins_at_created() -> None:
    assert diagram.lifecycle().splitlines()[:2] == ["stateDiagram-v2", "    [*] --> CREATED"]


def test_a_path_numbers_its_steps_and_marks_where_it_is() -> None:
    text = diagram.path(["create", "run", "update", "finish"])
    assert "    CREATED --> RUNNING: 1 run" in text
    assert "    RUNNING --> RUNNING: 2 update" in text
    assert "    RUNNING --> FINISHED: 3 finish" in text
    assert "    class FINISHED current" in text
    assert "    class CREATED walked" in text
    assert "    class FAILED" not in text


def test_a_step_taken_many_times_stays_readable() -> None:
    text = diagram.path(["create", "run", *["update"] * 3000])
    assert "    RUNNING --> RUNNING: 2 update, 3 update, ... 3001 update (3000 times)" in text


def test_an_event_that_is_not_allowed_is_not_drawn_as_taken() -> None:
    assert "1 finish" not in diagram.path(["create", "finish"])


def test_every_state_on_the_way_is_marked_and_no_other() -> None:
    text = diagram.path(["create", "run", "finish", "index"])
    assert re.findall(r"class (\w+) walked", text) == ["CREATED", "RUNNING", "FINISHED"]
    assert re.findall(r"class (\w+) current", text) == ["INDEXING"]


def test_where_nothing_has_happened_the_job_is_created() -> None:
    for events in ([], ["finish"], ["create", "create"]):
        assert "    class CREATED current" in diagram.path(events)
        assert "walked" not in diagram.path(events).partition("class CREATED")[2]


def test_create_is_no_step() -> None:
    assert "    CREATED --> CREATED: create, update, resource\n" in diagram.path(["create", "run"])


def test_four_steps_of_an_arrow_are_told_one_by_one() -> None:
    assert "1 update, 2 update, 3 update, 4 update\n" in diagram.path(["create", *["update"] * 4])
    assert "1 update, 2 update, ... 5 update (5 times)\n" in diagram.path(["create", *["update"] * 5])
