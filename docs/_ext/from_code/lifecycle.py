"""States, events and transitions of the lifecycle."""

from from_code.rst import literal, plain, table
from fsm.lifecycle import ADMINISTRATIVE, EVENTS, INITIAL, MOVES, RESERVED, SAME, STATES


def states() -> str:
    """What each state says of a job."""
    return table(("state", "meaning"), [(literal(state), plain(text)) for state, text in STATES.items()], "25 75")


def events() -> str:
    """What each event does, and what it takes."""
    return table(
        ("event", "meaning", "takes"),
        [(literal(event), plain(text), _takes(event)) for event, text in EVENTS.items()],
        "20 50 30",
    )


def _takes(event: str) -> str:
    if event in RESERVED:
        return "nothing: no message carries it"
    return "an administrative token" if event in ADMINISTRATIVE else "the job's token"


def transitions() -> str:
    """From which states each event is allowed, and where it leads."""
    rows = []
    for move in MOVES:
        sources = "any state" if set(move.sources) == set(STATES) else ", ".join(map(literal, move.sources))
        rows.append((literal(move.event), sources, "stays" if move.destination == SAME else literal(move.destination)))
    return table(("event", "allowed from", "leads to"), rows, "20 60 20") + f"A job begins as {literal(INITIAL)}.\n"
