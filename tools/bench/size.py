"""The size of the measurements."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """
    Attributes:
        rounds: how often baseline and product are measured, in turns.
        seconds: duration of each load.
        runs: processes of each kind in a round.
        moves: how often in a round a long history moves its oldest entries out; each time after about a hundred events.
        lengths: events of history; all are compared with the first.
        jobs: jobs in the large collection.
        small: jobs in the small collection.
        events: events in each collection in a round.
        lifetime: events after which a gateway's memory is measured.
    """

    rounds: int = 5
    seconds: int = 5
    runs: int = 8
    moves: int = 3
    lengths: tuple[int, ...] = (10, 1_000, 10_000, 50_000)
    jobs: int = 1_000_000
    small: int = 1_000
    events: int = 1_000
    lifetime: int = 100_000


FULL: Final = Size()
QUICK: Final = Size(rounds=2, seconds=1, runs=3, moves=1, lengths=(10, 1_000), jobs=20_000, events=100, lifetime=3_000)
