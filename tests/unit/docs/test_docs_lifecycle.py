"""docs/explanation/lifecycle.rst describes each step of the lifecycle in words of its own."""

import re
from typing import Final

import pytest
from docutils import nodes

from fsm.lifecycle import EVENTS, MOVES, SAME, STATES
from support.built import Built, section, sections

PAGE: Final = "explanation/lifecycle"
STEPS: Final = {
    move.event: {f"{source} -> {source if move.destination == SAME else move.destination}" for source in move.sources}
    for move in MOVES
}


def told(built: Built) -> dict[str, dict[str, str]]:
    """For each event the steps that are described, and how."""
    found = {}
    for event in EVENTS:
        items = section(built.page(PAGE), event).findall(nodes.definition_list_item)
        found[event] = {item[0].astext(): item[-1].astext() for item in items}
    return found


def test_each_event_has_its_section(built: Built) -> None:
    assert {one[0].astext() for one in sections(built.page(PAGE))[1:]} == set(EVENTS)


def test_each_step_is_described(built: Built) -> None:
    assert {event: set(steps) for event, steps in told(built).items()} == STEPS


def test_each_in_words_of_its_own(built: Built) -> None:
    texts = [text for steps in told(built).values() for text in steps.values()]
    assert len(set(texts)) == len(texts)
    assert min(len(text.split()) for text in texts if text != "The usual case.") >= 4


def test_the_number_of_steps(built: Built) -> None:
    count = sum(map(len, STEPS.values()))
    assert re.search(rf"fifteen events and {count} steps", built.page(PAGE).astext())
    assert len(EVENTS) == 15


@pytest.mark.parametrize("name", [PAGE, "reference/lifecycle"])
def test_every_step_is_in_the_picture(built: Built, name: str) -> None:
    (picture,) = [one.astext() for one in built.page(name).findall(nodes.raw) if "<svg" in one.astext()]
    assert set(re.findall(r'data-state="(\w+)"', picture)) == set(STATES)
    drawn = {move for moves in re.findall(r'data-moves="([^"]*)"', picture) for move in moves.split()}
    assert drawn == {f"{source}:{move.event}" for move in MOVES for source in move.sources}
    assert "this job" not in picture
