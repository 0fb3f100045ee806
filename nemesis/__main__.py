"""The command: `python -m nemesis`."""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from nemesis.account import Account
from nemesis.deployment import Deployment, Size, deployed
from nemesis.schedule import FULL, SHORT, Schedule, lose_the_newest


def main() -> int:
    """Runs what was asked for.

    Returns:
        0 when nothing was lost, repeated or wrong, and the control run, where there was one, has found its loss.
    """
    parser = argparse.ArgumentParser(prog="python -m nemesis", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="how long faults go on (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="of the schedule (default: by chance; it is printed)")
    parser.add_argument("--senders", type=int, default=16, help="default: %(default)s")
    parser.add_argument("--gateways", type=int, default=2, help="default: %(default)s")
    parser.add_argument("--short", action="store_true", help="short faults and quick elections")
    parser.add_argument("--no-control", action="store_true", help="without the run that has to find a loss")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10**6)
    size = Size(options.senders, options.gateways, 2.0 if options.short else 10.0)
    began = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - began:7.1f} s  {line}", flush=True)

    say(f"seed {seed}, {size.senders} senders, {size.gateways} gateways, a replica set of three")
    with tempfile.TemporaryDirectory(prefix="nemesis-") as name:
        account = _faults(Path(name), seed, size, options, say)
        good = account.good
        if not options.no_control:
            sound = _control(Path(name) / "sound", seed, size, weak=False)
            _show("the newest is taken away", sound)
            weak = _control(Path(name) / "weak", seed, size, weak=True)
            _show("the same without waiting for a majority", weak)
            good = good and sound.good and weak.lost > 0
    say("good" if good else "NOT GOOD")
    return 0 if good else 1


def _faults(directory: Path, seed: int, size: Size, options: argparse.Namespace, say: object) -> Account:
    assert callable(say)
    with deployed(directory / "faults", seed, size) as running:
        times = SHORT if options.short else FULL
        schedule = Schedule(seed, times, running.replica_set, running.gateways, running.indexer, say)
        running.wait_for_events(100)
        schedule.run(options.seconds, lambda: say(_sample(running)))
        account = running.finish()
        say("; ".join(f"{kind} x {count}" for kind, count in sorted(schedule.done.items())))
        say("answers: " + ", ".join(f"{what} {count}" for what, count in sorted(running.ledger.answers.items())))
        say(_sample(running))
    _show("faults", account)
    return account


def _control(directory: Path, seed: int, size: Size, *, weak: bool) -> Account:
    with deployed(directory, seed, size, weak=weak) as running:
        running.wait_for_events(200)
        lose_the_newest(running.replica_set)
        running.wait_for_events(50)
        return running.finish()


def _sample(running: Deployment) -> str:
    held = "; ".join(", ".join(f"{what} {count}" for what, count in one.items()) for one in running.resources())
    oldest = max(depth.oldest for depth in running.store.outbox.depths())
    return f"{running.ledger.events} events; gateways: {held}; oldest message owed {oldest:.1f} s"


def _show(what: str, account: Account) -> None:
    print(f"\n{what}:", *(f"  {line}" for line in account.lines()), sep="\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
