"""The command: `python -m tools.bench`."""

import argparse
import dataclasses
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from pymongo.errors import PyMongoError

from pipelinejobs.util.errors import PipelineJobsError
from tools.bench import beside, collection, contended, history, memory, one_shot, throughput, wrk
from tools.bench.deployment import Broken, Deployment, deployed
from tools.bench.figure import Figure, table
from tools.bench.size import FULL, QUICK, Size

_SUBJECTS: Final[dict[str, Callable[[Deployment, Size], Iterable[Figure]]]] = {
    "one-shot": one_shot.figures,
    "throughput": throughput.figures,
    "beside": beside.figures,
    "contended": contended.figures,
    "history": history.figures,
    "memory": memory.figures,
    "collection": collection.figures,
}
_WITH_SENDERS: Final = {"throughput", "beside", "contended", "memory"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the selected measurements, and prints the results.

    Returns:
        0 if everything could be measured, whether goals are met or not; 1 if an event was lost or something failed.
    """
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument(
        "--only", metavar="WORD", default="", help=f"those with this in their name: {', '.join(_SUBJECTS)}"
    )
    parser.add_argument("--quick", action="store_true", help="less of everything: shows that it works, not how well")
    parser.add_argument("--rounds", type=int, help=f"default: {FULL.rounds}, or {QUICK.rounds} with --quick")
    parser.add_argument(
        "--slow-disk", metavar="MS", type=float, default=0, help="as if the disk took so many milliseconds longer"
    )
    options = parser.parse_args(arguments)
    subjects = [name for name in _SUBJECTS if options.only in name]
    if not subjects:
        parser.error(f"no measurement has {options.only!r} in its name")
    size = QUICK if options.quick else FULL
    if options.rounds:
        size = dataclasses.replace(size, rounds=options.rounds)
    if _WITH_SENDERS & set(subjects):
        wrk.ensure()
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as directory,
        deployed(Path(directory), options.slow_disk) as deployment,
    ):
        return _measure(subjects, deployment, size)


def _measure(subjects: Iterable[str], deployment: Deployment, size: Size) -> int:
    began = time.monotonic()
    figures: list[Figure] = []
    broken = False
    for name in subjects:
        print(f"{time.monotonic() - began:6.1f} s  {name}", flush=True)
        try:
            figures += _SUBJECTS[name](deployment, size)
        except (Broken, PipelineJobsError, PyMongoError, OSError) as why:
            broken = True
            print(f"  BROKEN: {why}", flush=True)
    print(f"{time.monotonic() - began:6.1f} s  done; rounds: {size.rounds}\n\n{table(figures)}", flush=True)
    return 1 if broken else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that started servers are stopped too
    sys.exit(main())
