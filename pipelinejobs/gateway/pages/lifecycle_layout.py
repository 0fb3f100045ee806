"""Where the states and arrows are in the picture of the lifecycle, in SVG units.

Placed by hand: with this few states that is clearer than an automatic layout. The picture fits a phone. `reset` is
allowed in every state, so it is one arrow from the frame around all states, as in statecharts.
"""

from dataclasses import dataclass
from typing import Final

from fsm.lifecycle import EVENTS, STATES
from fsm.machine import destination

WIDTH: Final = 440
HEIGHT: Final = 648
BOX_WIDTH: Final = 104
_NAME_HEIGHT: Final = 30
_LINE_HEIGHT: Final = 12
_LETTERS: Final = 17
"""Most letters in a line of a box."""


@dataclass(frozen=True, slots=True)
class Position:
    """The centre of a state's box."""

    x: int
    y: int


Point = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Polyline:
    """The line of an arrow.

    Attributes:
        points: its corners, from its source to its destination.
        label: the position of its label.
        anchor: SVG's `text-anchor` of the label.
    """

    points: tuple[Point, ...]
    label: Point
    anchor: str = "start"


POSITIONS: Final = {
    "CREATED": Position(220, 120),
    "RUNNING": Position(220, 208),
    "FAILED": Position(64, 312),
    "FINISHED": Position(220, 312),
    "INDEXING": Position(376, 312),
    "VALIDATING": Position(220, 416),
    "REJECTED": Position(376, 416),
    "VALIDATED": Position(220, 506),
    "FINALIZED": Position(220, 596),
    "RETIRED": Position(376, 596),
    "RESET": Position(376, 32),
}
FRAME: Final = (5, 76, 430, 566)
"""The frame around all states except RESET: left, top, width, height. The arrow of `reset` begins at it."""

ANY: Final = "*"
"""As the source of an arrow: all states in the frame."""

ARROWS: Final[dict[tuple[str, str], Polyline]] = {
    ("CREATED", "run"): Polyline(((220, 147), (220, 181)), (226, 168)),
    ("RUNNING", "finish"): Polyline(((220, 235), (220, 291)), (226, 281)),
    ("FINISHED", "index"): Polyline(((272, 305), (324, 305)), (298, 299), "middle"),
    ("INDEXING", "indexed"): Polyline(((324, 319), (272, 319)), (298, 346), "middle"),
    ("FINISHED", "validate"): Polyline(((220, 333), (220, 395)), (226, 374)),
    ("VALIDATING", "validated"): Polyline(((206, 437), (206, 485)), (200, 465), "end"),
    ("VALIDATED", "validate"): Polyline(((234, 485), (234, 437)), (240, 465)),
    ("VALIDATING", "reject"): Polyline(((272, 412), (324, 412)), (308, 406), "middle"),
    ("VALIDATED", "finalize"): Polyline(((220, 527), (220, 581)), (226, 559)),
    ("CREATED", "fail"): Polyline(((168, 120), (40, 120), (40, 297)), (160, 114), "end"),
    ("RUNNING", "fail"): Polyline(((168, 208), (68, 208), (68, 297)), (160, 202), "end"),
    ("INDEXING", "fail"): Polyline(((376, 291), (376, 258), (96, 258), (96, 297)), (368, 252), "end"),
    ("VALIDATING", "fail"): Polyline(((168, 416), (68, 416), (68, 327)), (160, 410), "end"),
    ("FINISHED", "retire"): Polyline(
        ((256, 333), (256, 356), (290, 356), (290, 562), (340, 562), (340, 581)), (296, 368)
    ),
    ("VALIDATING", "retire"): Polyline(((272, 426), (290, 426), (290, 562), (340, 562), (340, 581)), (296, 450)),
    ("VALIDATED", "retire"): Polyline(((272, 506), (362, 506), (362, 581)), (296, 500)),
    ("REJECTED", "retire"): Polyline(((396, 431), (396, 581)), (391, 476), "end"),
    ("FINALIZED", "retire"): Polyline(((272, 596), (324, 596)), (298, 590), "middle"),
    ("FAILED", "retire"): Polyline(((40, 327), (40, 629), (376, 629), (376, 611)), (46, 520)),
    (ANY, "reset"): Polyline(((402, 76), (402, 53)), (394, 68), "end"),
    ("RESET", "ready"): Polyline(((324, 32), (220, 32), (220, 93)), (272, 26), "middle"),
}
"""The arrows between states, by source and event."""


def self_loops(state: str) -> list[str]:
    """The events that keep a state. They are listed in its box."""
    return [event for event in EVENTS if destination(state, event) == state]


def lines(state: str) -> list[list[str]]:
    """The events that keep a state, as lines of its box."""
    made: list[list[str]] = []
    for event in self_loops(state):
        if made and sum(len(one) + 2 for one in made[-1]) + len(event) <= _LETTERS:
            made[-1].append(event)
        else:
            made.append([event])
    return made


def height(state: str) -> int:
    """The height of a state's box."""
    return _NAME_HEIGHT + _LINE_HEIGHT * len(lines(state))


def moves(source: str, event: str) -> list[tuple[str, str]]:
    """The transitions that one arrow stands for, each as state and event."""
    if source != ANY:
        return [(source, event)]
    return [(state, event) for state in STATES if destination(state, event) not in (None, state)]
