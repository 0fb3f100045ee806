"""States, events and transitions of the lifecycle, and the picture of it."""

import re

from docutils import nodes

from from_code.rst import literal, plain, table
from fsm.lifecycle import ADMINISTRATIVE, EVENTS, INITIAL, MOVES, RESERVED, SAME, STATES
from pipelinejobs.gateway.pages import lifecycle_layout
from pipelinejobs.gateway.pages import lifecycle_picture as drawing
from pipelinejobs.gateway.pages.templates import environment

_TITLE = "The lifecycle: each state, and the events that lead from one to another"


def states() -> str:
    """The states, and the meaning of each."""
    return table(("state", "meaning"), [(literal(state), plain(text)) for state, text in STATES.items()], "25 75")


def events() -> str:
    """The events: the meaning of each, and the token that it needs."""
    return table(
        ("event", "meaning", "needs"),
        [(literal(event), plain(text), _takes(event)) for event, text in EVENTS.items()],
        "20 50 30",
    )


def _takes(event: str) -> str:
    if event in RESERVED:
        return "nothing: it is never sent in a message"
    return "an administrative token" if event in ADMINISTRATIVE else "the job's token"


def transitions() -> str:
    """For each event the states in which it is allowed, and the state that follows."""
    rows = []
    for move in MOVES:
        sources = "any state" if set(move.sources) == set(STATES) else ", ".join(map(literal, move.sources))
        rows.append((literal(move.event), sources, "stays" if move.destination == SAME else literal(move.destination)))
    return table(("event", "allowed from", "leads to"), rows, "20 60 20") + f"A job begins as {literal(INITIAL)}.\n"


def picture() -> list[nodes.Node]:
    """The picture, for HTML only; the table of transitions contains the same facts."""
    page = environment().get_template("picture.html").render(picture=drawing.picture((), ""), layout=lifecycle_layout)
    found = re.search(r"<svg .*</svg>", page, re.DOTALL)
    assert found is not None
    svg = re.sub(r"(<title [^>]*>).*?(</title>)", rf"\1{_TITLE}\2", found[0])
    svg = re.sub(r"<desc .*?</desc>", "", svg, flags=re.DOTALL).replace(" picture-words", "")
    return [nodes.raw("", f'<div class="lifecycle">{svg}</div>', format="html")]
