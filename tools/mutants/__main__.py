"""The command: `python -m tools.mutants`."""

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tools.mutants.mutant import Mutant
from tools.mutants.promises import MUTANTS
from tools.mutants.syntax import DoesNotApply
from tools.mutants.tree import FAILED, PASSED, Result, copied, run, taken

_SHOWN_LINES = 30


def main(arguments: Sequence[str] | None = None) -> int:
    """Makes the mutants that were asked for, one after the other, and runs the tests that have to kill them.

    Returns:
        0 when each was killed by each of its tests.
    """
    parser = argparse.ArgumentParser(prog="python -m tools.mutants", description=__doc__)
    parser.add_argument("--only", metavar="WORD", default="", help="mutants with this in words, ids, place or tests")
    parser.add_argument("--baseline", action="store_true", help="first see that the same tests pass without a mutant")
    parser.add_argument("--check", action="store_true", help="run no tests; only see that each fits the source")
    parser.add_argument("--seconds", type=float, default=300.0, help="for one test (default: %(default)s)")
    options = parser.parse_args(arguments)
    chosen = [one for one in MUTANTS if _is_meant(one, options.only)]
    if not chosen:
        print(f"there is no mutant with {options.only!r} in it")
        return 1
    began = time.monotonic()
    with taken() as source:  # once, so that all is about the same state, whatever is changed meanwhile
        misfits = [line for one in chosen if (line := _misfit(one, source))]
        if misfits or options.check:
            print(*misfits, f"{len(chosen)} mutants, {len(misfits)} of them do not fit the source", sep="\n")
            return 1 if misfits else 0
        sound = _pass_without(chosen, source, options.seconds) if options.baseline else True
        killed = sum([_is_killed(one, source, options.seconds) for one in chosen])
    survived = len(chosen) - killed
    print(f"{len(chosen)} mutants, {killed} killed, {survived} survived, in {time.monotonic() - began:.0f} s")
    return 0 if sound and not survived else 1


def _is_meant(one: Mutant, word: str) -> bool:
    """Whether a mutant is one of those with `word`; an id such as P1 is only meant whole."""
    return word in one.promises or any(word in text for text in (one.what, one.where, *one.tests))


def _misfit(one: Mutant, source: Path) -> str:
    """What the source does not hold of which a mutant is made; empty when it fits."""
    try:
        one.applied_to(source)
    except DoesNotApply as error:
        return f"{one.what}: {error}"
    return ""


def _pass_without(chosen: Sequence[Mutant], source: Path, seconds: float) -> bool:
    """Whether the tests pass in a copy that is no mutant."""
    good = True
    with copied(source) as copy:
        for test in dict.fromkeys(test for one in chosen for test in one.tests):
            result = run(test, copy, seconds)
            if result.exit_code != PASSED:
                good = False
                _show(f"FAILS WITHOUT A MUTANT  {test}", result)
    print("without a mutant: all pass" if good else "without a mutant: NOT all pass", flush=True)
    return good


def _is_killed(one: Mutant, source: Path, seconds: float) -> bool:
    """Makes one mutant, and says whether all its tests fail."""
    began = time.monotonic()
    with copied(source) as copy:
        (copy / one.file).write_text(one.applied_to(source), "utf-8")
        results = {test: run(test, copy, seconds) for test in one.tests}
    missed = {test: result for test, result in results.items() if not result.failed}
    told = "SURVIVED" if missed else "killed"
    print(f"{told:8}  {time.monotonic() - began:5.1f} s  {', '.join(one.promises)}: {one.what}", flush=True)
    for test, result in missed.items():
        _show(f"    {_why(result)}: {test}", result)
    return not missed


def _why(result: Result) -> str:
    """Why a mutant counts as one that a test did not kill."""
    if result.exit_code == PASSED:
        return "it passes"
    if result.exit_code is None:
        return "it did not end in time"
    if result.exit_code == FAILED:
        return "what it needs could not be set up"
    return f"it could not be run (pytest's exit code {result.exit_code})"


def _show(line: str, result: Result) -> None:
    print(line)
    if result.exit_code not in (PASSED, None):
        print(*(f"        {said}" for said in result.output.splitlines()[-_SHOWN_LINES:]), sep="\n")
    sys.stdout.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that a test that runs is ended too
    sys.exit(main())
