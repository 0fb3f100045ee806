"""Which faults are done to the deployment, and when. The order comes from a seed, so that a run can be repeated."""

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from tools.chaos import process
from tools.chaos.gateways import Gateway
from tools.chaos.proxy import Mode
from tools.chaos.replica_set import ReplicaSet
from tools.demo.indexer import Indexer

Say = Callable[[str], None]


@dataclass(frozen=True)
class Times:
    """Seconds: how long a member is down, frozen or cut off, how long the Indexer fails, the pause between faults."""

    down: float
    frozen: float
    cut: float
    indexer: float
    pause: float


FULL: Final = Times(down=8, frozen=14, cut=14, indexer=10, pause=6)
"""For a realistic deployment, in which an election takes ten seconds or more."""
SHORT: Final = Times(down=2, frozen=4, cut=4, indexer=1, pause=2)


class Schedule:
    """Runs the faults, one after another.

    Attributes:
        done: how often each fault was run.
        now: the present fault, until all servers have recovered; None in between.
    """

    def __init__(
        self, seed: int, times: Times, replica_set: ReplicaSet, gateways: Sequence[Gateway], indexer: Indexer, say: Say
    ) -> None:
        self.done: Counter[str] = Counter()
        self.now: str | None = None
        self._random = random.Random(seed)  # noqa: S311 - to be repeated
        self._times = times
        self._set = replica_set
        self._gateways = gateways
        self._indexer = indexer
        self._say = say
        self._faults: dict[str, Callable[[], None]] = {
            "step-down of the primary": self._set.step_down,
            "kill -9 of the primary": self._kill_primary,
            "freeze of the primary": self._freeze_primary,
            "cut of the primary": lambda: self._cut_primary(Mode.CUT),
            "hole before the primary": lambda: self._cut_primary(Mode.HOLE),
            "restart of a secondary": self._restart_secondary,
            "kill -9 of a gateway": self._kill_gateway,
            "freeze of a gateway": self._freeze_gateway,
            "an Indexer that fails": self._fail_indexer,
        }

    @property
    def kinds(self) -> list[str]:
        """The names of all faults."""
        return list(self._faults)

    def run(self, seconds: float) -> None:
        """Runs faults for so many seconds, and at least until each fault was run once."""
        until = time.monotonic() + seconds
        while time.monotonic() < until or len(self.done) < len(self._faults):
            kinds = self.kinds
            self._random.shuffle(kinds)
            for kind in kinds:
                if time.monotonic() >= until and len(self.done) == len(self._faults):
                    return
                time.sleep(self._times.pause)
                self._say(kind)
                self.now = kind
                self._faults[kind]()
                self.done[kind] += 1
                self._set.wait_until_whole()
                self.now = None

    def _kill_primary(self) -> None:
        primary = self._set.primary()
        self._set.kill(primary)
        time.sleep(self._times.down)
        self._set.restart(primary)

    def _freeze_primary(self) -> None:
        primary = self._set.primary()
        process.freeze(primary.process)
        time.sleep(self._times.frozen)
        process.thaw(primary.process)

    def _cut_primary(self, mode: Mode) -> None:
        primary = self._set.primary()
        self._set.turn(primary, mode)
        time.sleep(self._times.cut)
        self._set.turn(primary, Mode.OPEN)

    def _restart_secondary(self) -> None:
        self._set.restart(self._random.choice(self._set.secondaries()))

    def _kill_gateway(self) -> None:
        self._random.choice(self._gateways).restart()

    def _freeze_gateway(self) -> None:
        gateway = self._random.choice(self._gateways)
        process.freeze(gateway.process)
        time.sleep(self._times.frozen)
        process.thaw(gateway.process)

    def _fail_indexer(self) -> None:
        self._indexer.status = self._random.choice((500, 429, 503))
        time.sleep(self._times.indexer)
        self._indexer.status = 200


def lose_the_newest(replica_set: ReplicaSet) -> None:
    """Loses the writes that only the primary has: kills the secondaries, then the primary; restarts the others.

    The secondaries are killed and not frozen, because they would still receive what is in their sockets by then.
    """
    primary, secondaries = replica_set.primary(), replica_set.secondaries()
    for member in secondaries:
        replica_set.kill(member)
    time.sleep(1.0)
    replica_set.kill(primary)
    for member in secondaries:
        replica_set.restart(member)
    replica_set.primary()
    replica_set.restart(primary)
    replica_set.wait_until_whole()
