"""Goes through a history with the lifecycle, to see where it leads."""

from collections.abc import Iterable
from dataclasses import dataclass

from fsm.lifecycle import INITIAL
from fsm.machine import destination


@dataclass(frozen=True, slots=True)
class Step:
    """One event of a history: from which state it was taken, and to which it led.

    `after` is None where the lifecycle does not allow the event; the walk then stays in `before`.
    """

    event: str
    before: str
    after: str | None


def walk(events: Iterable[str]) -> list[Step]:
    """The steps that a history takes.

    Args:
        events: the names of its entries, oldest first, beginning with `create`. Upper case is taken too, since
            python-datacatalog keeps names as they were sent.
    """
    state = INITIAL
    steps = []
    for event in events:
        after = destination(state, event.lower())
        steps.append(Step(event.lower(), state, after))
        state = after or state
    return steps


def final_state(events: Iterable[str]) -> str | None:
    """The state in which a history ends; None when one of its events is not allowed where it stands."""
    steps = walk(events)
    if any(step.after is None for step in steps):
        return None
    return steps[-1].after if steps else INITIAL
