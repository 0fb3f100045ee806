"""Which states a job can still enter: for waiting until it is in one of them."""

from collections.abc import Collection, Iterable
from typing import Final

from fsm.lifecycle import ADMINISTRATIVE, EVENTS, MOVES, RESERVED, SAME, STATES
from fsm.machine import destination

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
_ENTERED: Final = {move.event: move.destination for move in MOVES if move.destination != SAME}
"""The state in which each event leaves a job. An event has one, whatever the state before it."""


def reachable(state: str) -> frozenset[str]:
    """The states in which a job of this state is or may come without an administrative event (`reset`, `ready`).

    For a text that is no state of the lifecycle, which another program has stored, the result is every state: nothing
    is known about what that program does next.
    """
    return _REACHABLE.get(state, frozenset(STATES))


def may_reach(state: str, wanted: Collection[str]) -> bool:
    """Whether a job of this state is or may come in one of the wanted states without an administrative event."""
    return not reachable(state).isdisjoint(wanted)


def may_return(state: str, wanted: Collection[str]) -> bool:
    """Whether a job of this state may enter one of the other wanted states and come back, without such an event."""
    return any(state in reachable(other) for other in reachable(state).intersection(wanted) if other != state)


def entered(events: Iterable[str]) -> frozenset[str]:
    """The states that a job has entered by these events.

    Args:
        events: the names of entries of its history, in any case of letters. Unknown names count for nothing.
    """
    return frozenset(_ENTERED[event.lower()] for event in events if event.lower() in _ENTERED)
