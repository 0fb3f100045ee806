"""The command: `python -m tools.chaos`."""

import argparse
import random
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from pipelinejobs.cli.progress import Progress, progress
from tools.chaos.account import Account
from tools.chaos.deployment import Size, deployed
from tools.chaos.schedule import FULL, SHORT, Schedule, lose_the_newest
from tools.chaos.watch import watched

EXIT_INTERRUPTED: Final = 130


def main() -> int:
    """Runs the faults and, unless --no-control is given, the control run.

    Returns:
        0 if no event was lost or repeated, nothing else was wrong, and the control run found a loss.
    """
    parser = argparse.ArgumentParser(prog="python -m tools.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0, help="how long to run faults (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="seed of the schedule (default: random; it is printed)")
    parser.add_argument("--senders", type=int, default=16, help="default: %(default)s")
    parser.add_argument("--gateways", type=int, default=2, help="default: %(default)s")
    parser.add_argument("--short", action="store_true", help="short faults and short elections")
    parser.add_argument("--no-control", action="store_true", help="skip the control run, which must find a loss")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10**6)
    try:
        return _run(options, seed)
    except KeyboardInterrupt:
        print(f"interrupted before the results were checked; the seed was {seed}", file=sys.stderr)
        return EXIT_INTERRUPTED


def _run(options: argparse.Namespace, seed: int) -> int:
    size = Size(options.senders, options.gateways, 2.0 if options.short else 10.0)
    told = progress()
    print(f"seed {seed}, {size.senders} senders, {size.gateways} gateways, a replica set of three", flush=True)
    with tempfile.TemporaryDirectory(prefix="chaos-") as name:
        account = _faults(Path(name), seed, size, options, told)
        good = account.good
        if not options.no_control:
            with told.step("Control run: losing the newest writes"):
                sound = _control(Path(name) / "sound", seed, size, weak=False)
            _show("control run: the newest writes of the primary are lost", sound)
            with told.step("The same without a majority write concern"):
                weak = _control(Path(name) / "weak", seed, size, weak=True)
            _show("the same without a majority write concern (must lose events)", weak)
            good = good and sound.good and weak.lost > 0
    print("PASSED" if good else "FAILED", flush=True)
    return 0 if good else 1


def _faults(directory: Path, seed: int, size: Size, options: argparse.Namespace, told: Progress) -> Account:
    with ExitStack() as ends:
        with told.step("Starting a replica set, gateways and senders"):
            running = ends.enter_context(deployed(directory / "faults", seed, size))
            running.wait_for_events(100)
        times = SHORT if options.short else FULL
        schedule = Schedule(seed, times, running.replica_set, running.gateways, running.indexer, told.say)
        with watched(running, schedule, told, options.seconds):
            schedule.run(options.seconds)
        with told.step("Comparing the ledger with the database"):
            account = running.finish()
        print("; ".join(f"{kind} x {count}" for kind, count in sorted(schedule.done.items())))
        print("answers: " + ", ".join(f"{what} {count}" for what, count in sorted(running.ledger.answers.items())))
        held = "; ".join(", ".join(f"{what} {count}" for what, count in one.items()) for one in running.resources())
        print(f"gateways: {held}", flush=True)
    _show("faults", account)
    return account


def _control(directory: Path, seed: int, size: Size, *, weak: bool) -> Account:
    with deployed(directory, seed, size, weak=weak) as running:
        running.wait_for_events(200)
        lose_the_newest(running.replica_set)
        running.wait_for_events(50)
        return running.finish()


def _show(what: str, account: Account) -> None:
    print(f"\n{what}:", *(f"  {line}" for line in account.lines()), sep="\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
