"""Which states a job can still enter: for waiting until it is in one of them."""

from collections.abc import Collection, Iterable
from typing import Final

from fsm.lifecycle import ADMINISTRATIVE, EVENTS, RESERVED, STATES
from fsm.machine import destination
from fsm.replay import walk

_ORDINARY: Final = [event for event in EVENTS if event not in ADMINISTRATIVE | RESERVED]


def _closure(state: str) -> frozenset[str]:
    found, unvisited = {state}, [state]
    while unvisited:
        at = unvisited.pop()
        after = {destination(at, event) or at for event in _ORDINARY} - found
        found |= after
        unvisited += after
    return frozenset(found)


_REACHABLE: Final = {state: _closure(state) for state in STATES}


def reachable(state: str) -> frozenset[str]:
    """The states in which a job of this state is or may come without an administrative event (`reset`, `ready`).

    For a text that is no state of the lifecycle, which another program has stored, the result is every state: nothing
    is known about what that program does next.
    """
    return _REACHABLE.get(state, frozenset(STATES))


def may_reach(state: str, wanted: Collection[str]) -> bool:
    """Whether a job of this state is or may come in one of the wanted states without an administrative event."""
    return not reachable(state).isdisjoint(wanted)


def entered(state: str, events: Iterable[str]) -> frozenset[str]:
    """The states that a job of this state enters by these events.

    Args:
        state: the job's state before the first event.
        events: the names of history entries, oldest first, in any case of letters. Names that the lifecycle does not
            allow change nothing.
    """
    return frozenset(step.after for step in walk(events, state) if step.after is not None)
