"""Runs the lifecycle: which state an event leads to.

The machine of `transitions` is built once from the table in `fsm.lifecycle`, when this module is imported. Its
transitions are then copied into a dictionary: triggering an event on a model takes a thousand times longer, and
looks the event's name up as an attribute.
"""

from typing import Final

from transitions import Machine

from fsm.lifecycle import EVENTS, INITIAL, MOVES, SAME, STATES


def build() -> Machine:
    """A fresh `transitions` machine of the lifecycle, without a model."""
    machine = Machine(model=None, states=list(STATES), initial=INITIAL, auto_transitions=False)
    for move in MOVES:
        machine.add_transition(move.event, list(move.sources), move.destination)
    return machine


def _compile(machine: Machine) -> dict[tuple[str, str], str]:
    table = {}
    for name, event in machine.events.items():
        for source, transitions in event.transitions.items():
            after = transitions[0].dest
            table[source, name] = source if after is None or after == SAME else after
    return table


_DESTINATIONS: Final = _compile(build())


def destination(state: str, event: str) -> str | None:
    """The state that `event` leads to from `state`; None if the lifecycle does not allow it.

    Any text may be passed: for an unknown state or event the result is None.
    """
    return _DESTINATIONS.get((state, event))


def allowed(state: str) -> list[str]:
    """The events that the lifecycle allows from `state`, in the order of the table."""
    return [event for event in EVENTS if (state, event) in _DESTINATIONS]
