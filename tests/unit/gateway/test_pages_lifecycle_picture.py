"""The picture of the lifecycle: all states and transitions are drawn, and a job's path is marked."""

from collections import Counter

import pytest

from fsm.lifecycle import EVENTS, STATES
from fsm.machine import destination
from pipelinejobs.gateway.pages import lifecycle_layout
from pipelinejobs.gateway.pages.lifecycle_picture import Picture, picture

ALL = {f"{state}:{event}" for state in STATES for event in EVENTS if destination(state, event) is not None}


def arrow(drawn: Picture, source: str, event: str) -> int:
    """How often a job took this arrow."""
    (times,) = [one.times for one in drawn.arrows if f"{source}:{event}" in one.moves.split()]
    return times


def test_every_state_is_drawn() -> None:
    assert [box.state for box in picture([], "CREATED").boxes] == list(STATES)


def test_each_transition_is_drawn_once() -> None:
    drawn = picture([], "CREATED")
    named = Counter(" ".join([*(box.moves for box in drawn.boxes), *(one.moves for one in drawn.arrows)]).split())
    assert set(named) == ALL
    assert set(named.values()) == {1}


@pytest.mark.parametrize(
    ("source", "event"), [route for route in lifecycle_layout.ARROWS if route[0] != lifecycle_layout.ANY]
)
def test_an_arrow_leads_from_its_state_to_the_one_that_the_lifecycle_says(source: str, event: str) -> None:
    points = lifecycle_layout.ARROWS[source, event].points
    after = destination(source, event)
    assert after is not None
    for (x, y), state in ((points[0], source), (points[-1], after)):
        place, height = lifecycle_layout.POSITIONS[state], lifecycle_layout.height(state)
        on_side = abs(x - place.x) == lifecycle_layout.BOX_WIDTH // 2 and abs(y - place.y) <= height / 2
        on_top = abs(abs(y - place.y) - height / 2) <= 1 and abs(x - place.x) <= lifecycle_layout.BOX_WIDTH / 2
        assert on_side or on_top, (state, x, y)


def test_the_frame_surrounds_the_states_that_reset_leaves() -> None:
    left, top, width, height = lifecycle_layout.FRAME
    inside = {
        state
        for state, place in lifecycle_layout.POSITIONS.items()
        if left < place.x - lifecycle_layout.BOX_WIDTH / 2
        and place.x + lifecycle_layout.BOX_WIDTH / 2 < left + width
        and top < place.y - lifecycle_layout.height(state) / 2
        and place.y + lifecycle_layout.height(state) / 2 < top + height
    }
    assert {(state, "reset") for state in inside} == set(lifecycle_layout.moves(lifecycle_layout.ANY, "reset"))


def test_nothing_overlaps() -> None:
    boxes = [(place, lifecycle_layout.height(state)) for state, place in lifecycle_layout.POSITIONS.items()]
    for number, (one, height) in enumerate(boxes):
        assert lifecycle_layout.BOX_WIDTH / 2 <= one.x <= lifecycle_layout.WIDTH - lifecycle_layout.BOX_WIDTH / 2
        assert height / 2 <= one.y <= lifecycle_layout.HEIGHT - height / 2
        for other, its_height in boxes[:number]:
            assert abs(one.x - other.x) > lifecycle_layout.BOX_WIDTH or abs(one.y - other.y) > (height + its_height) / 2


def test_the_path_of_a_job_is_marked() -> None:
    drawn = picture(["create", "run", "update", "finish", "RESET", "ready", "run"], "RUNNING")
    assert arrow(drawn, "CREATED", "run") == 2
    assert arrow(drawn, "RUNNING", "finish") == 1
    assert arrow(drawn, "FINISHED", "reset") == 1
    assert arrow(drawn, "RUNNING", "fail") == 0
    visited = {box.state for box in drawn.boxes if box.is_visited}
    assert visited == {"CREATED", "RUNNING", "FINISHED", "RESET"}
    assert [box.state for box in drawn.boxes if box.is_present] == ["RUNNING"]
    (running,) = [box for box in drawn.boxes if box.state == "RUNNING"]
    had = {event for line in running.lines for event, has in line if has}
    assert had == {"update"}


def test_the_same_in_words() -> None:
    words = picture(["create", "run", "update", "finish"], "FINISHED").words
    assert words == "The job is FINISHED. Its path, from CREATED: run to RUNNING, finish to FINISHED."
    assert picture(["create"], "CREATED").words == "The job is CREATED. It has not left its first state."
    long = picture(["create", *["run", "reset", "ready"] * 100], "CREATED").words
    assert "after 270 earlier changes" in long
    assert len(long) < 1000


@pytest.mark.parametrize("events", [[], ["finalize"], ["create", "", "nonsense", "run"]])
def test_a_damaged_history_is_drawn_as_far_as_it_goes(events: list[str]) -> None:
    drawn = picture(events, "NOWHERE")
    assert not any(box.is_present for box in drawn.boxes)
    assert drawn.words.startswith("The job is NOWHERE.")
