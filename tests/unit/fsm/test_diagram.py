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
