"""The picture of the lifecycle with one job's path marked. Pure; a template renders it as SVG."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fsm.lifecycle import INITIAL, STATES
from fsm.replay import Step, walk
from pipelinejobs.gateway.pages import lifecycle_layout

_MOST_NAMED = 30
"""Most changes of state that the text alternative names; the newest ones."""


@dataclass(frozen=True, slots=True)
class Box:
    """A state.

    Attributes:
        state: its name.
        left, top, height: of its box.
        x: the horizontal centre of its box.
        lines: the events that keep the state, in lines; each with whether the job had it in this state.
        moves: the same events as `STATE:event`, for tests.
        is_visited: whether the job has been in it.
        is_present: whether the job is in it now.
    """

    state: str
    left: int
    top: int
    height: int
    x: int
    lines: list[list[tuple[str, bool]]]
    moves: str
    is_visited: bool
    is_present: bool


@dataclass(frozen=True, slots=True)
class Arrow:
    """An arrow from one state to another.

    Attributes:
        path: the line, as the attribute `d` of an SVG path.
        label, x, y, anchor: its label, and the position of that.
        times: how often the job took this transition.
        moves: the transitions that it stands for, as `STATE:event`.
    """

    path: str
    label: str
    x: int
    y: int
    anchor: str
    times: int
    moves: str


@dataclass(frozen=True, slots=True)
class Picture:
    """The boxes and arrows, and the text alternative (`words`)."""

    boxes: list[Box]
    arrows: list[Arrow]
    words: str


def picture(events: Iterable[str], present: str) -> Picture:
    """The picture of a job.

    Args:
        events: the names of its history entries, oldest first.
        present: its present state.
    """
    steps = [step for step in walk(events) if step.after is not None]
    taken = Counter((step.before, step.event) for step in steps)
    visited = {INITIAL} | {step.after for step in steps}
    boxes = [_box(state, taken, state in visited, state == present) for state in STATES]
    arrows = [_arrow(source, event, taken) for source, event in lifecycle_layout.ARROWS]
    # Arrows that the job took are drawn last, on top of the others.
    return Picture(boxes, sorted(arrows, key=lambda arrow: arrow.times > 0), _words(steps, present))


def _box(state: str, taken: "Counter[tuple[str, str]]", is_visited: bool, is_present: bool) -> Box:
    position, height = lifecycle_layout.POSITIONS[state], lifecycle_layout.height(state)
    return Box(
        state=state,
        left=position.x - lifecycle_layout.BOX_WIDTH // 2,
        top=position.y - height // 2,
        height=height,
        x=position.x,
        lines=[[(event, (state, event) in taken) for event in line] for line in lifecycle_layout.lines(state)],
        moves=_named((state, event) for event in lifecycle_layout.self_loops(state)),
        is_visited=is_visited,
        is_present=is_present,
    )


def _arrow(source: str, event: str, taken: "Counter[tuple[str, str]]") -> Arrow:
    line, moves = lifecycle_layout.ARROWS[source, event], lifecycle_layout.moves(source, event)
    times = sum(taken[move] for move in moves)
    label = f"{event}, from any state" if source == lifecycle_layout.ANY else event
    return Arrow(
        path="M" + " L".join(f"{x} {y}" for x, y in line.points),
        label=f"{label} \N{MULTIPLICATION SIGN}{times}" if times > 1 else label,
        x=line.label[0],
        y=line.label[1],
        anchor=line.anchor,
        times=times,
        moves=_named(moves),
    )


def _named(moves: Iterable[tuple[str, str]]) -> str:
    return " ".join(f"{state}:{event}" for state, event in moves)


def _words(steps: Sequence[Step], present: str) -> str:
    changes = [step for step in steps if step.after != step.before]
    named = [f"{step.event} to {step.after}" for step in changes[-_MOST_NAMED:]]
    earlier = len(changes) - len(named)
    start = f"after {earlier} earlier changes" if earlier else f"from {INITIAL}"
    path = f"Its path, {start}: {', '.join(named)}." if named else "It has not left its first state."
    return f"The job is {present}. {path}"
