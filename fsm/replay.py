"""Replays a job's history: the state before and after each event."""

from collections.abc import Iterable
from dataclasses import dataclass

from fsm.lifecycle import INITIAL
from fsm.machine import destination


@dataclass(frozen=True, slots=True)
class Step:
    """One event of a history, with the states before and after it.

    `after` is None if the lifecycle does not allow the event; the state then stays `before`.
    """

    event: str
    before: str
    after: str | None


def walk(events: Iterable[str]) -> list[Step]:
    """The steps of a history.

    Args:
        events: the names of its entries, oldest first, beginning with `create`, in any case of letters:
            python-datacatalog stores names as they were sent.
    """
    state = INITIAL
    steps = []
    for event in events:
        after = destination(state, event.lower())
        steps.append(Step(event.lower(), state, after))
        state = after or state
    return steps


def final_state(events: Iterable[str]) -> str | None:
    """The state in which a history ends; None if the lifecycle does not allow one of its events."""
    steps = walk(events)
    if any(step.after is None for step in steps):
        return None
    return steps[-1].after if steps else INITIAL
