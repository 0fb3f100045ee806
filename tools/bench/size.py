"""How much is measured."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """
    Attributes:
        rounds: how often baseline and product take turns.
        seconds: how long the load goes on, each time that it does.
        runs: processes of each kind in a round.
        moves: how often in a round a long history moves its oldest entries out; each time after about a hundred events.
        lengths: events of history; all are compared with the first.
        jobs: how many there are in the large collection.
        small: how many in the small one.
        events: how many on a job of each collection in a round.
        lifetime: events that a gateway's memory is watched for.
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
