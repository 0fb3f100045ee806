"""Draws the lifecycle, and one job's path through it, as Mermaid text (https://mermaid.js.org, stateDiagram-v2).

`transitions` can write Mermaid too, but not mark a job's path. Here both drawings are made from the same table and
look alike.
"""

from collections.abc import Iterable

from fsm.lifecycle import EVENTS, INITIAL, STATES
from fsm.machine import destination
from fsm.replay import walk

_STYLES = (
    "    classDef walked fill:#dbeafe,stroke:#1d4ed8,color:#111827",
    "    classDef current fill:#bbf7d0,stroke:#15803d,stroke-width:3px,color:#111827",
)


def lifecycle() -> str:
    """The whole lifecycle: every state, and each transition with the events that cause it."""
    return _draw([f"    {arrow}: {', '.join(names)}" for arrow, names in _arrows().items()])


def path(events: Iterable[str]) -> str:
    """The lifecycle with one job's path marked.

    Args:
        events: the names of the job's history entries, oldest first.

    Returns:
        The drawing. Arrows on the path are labelled with the numbers of the steps (the first event after `create` is
        1); visited states and the current state are coloured.
    """
    steps = walk(events)
    taken: dict[str, list[str]] = {}
    for number, step in enumerate(steps):
        if step.after is not None and step.event != "create":
            taken.setdefault(_arrow(step.before, step.after), []).append(f"{number} {step.event}")
    lines = []
    for arrow, names in _arrows().items():
        label = _shortened(taken[arrow]) if arrow in taken else ", ".join(names)
        lines.append(f"    {arrow}: {label}")
    visited = {INITIAL} | {step.after for step in steps if step.after is not None}
    current = next((step.after for step in reversed(steps) if step.after is not None), INITIAL)
    lines.extend(_STYLES)
    lines.extend(f"    class {state} walked" for state in STATES if state in visited and state != current)
    lines.append(f"    class {current} current")
    return _draw(lines)


def _arrows() -> dict[str, list[str]]:
    arrows: dict[str, list[str]] = {}
    for state in STATES:
        for event in EVENTS:
            after = destination(state, event)
            if after is not None:
                arrows.setdefault(_arrow(state, after), []).append(event)
    return arrows


def _arrow(before: str, after: str) -> str:
    return f"{before} --> {after}"


def _shortened(names: list[str]) -> str:
    """The label of one arrow. It names at most four steps, because a job may have thousands."""
    if len(names) <= 4:
        return ", ".join(names)
    return f"{', '.join(names[:2])}, ... {names[-1]} ({len(names)} times)"


def _draw(lines: list[str]) -> str:
    return "\n".join(["stateDiagram-v2", f"    [*] --> {INITIAL}", *lines]) + "\n"
