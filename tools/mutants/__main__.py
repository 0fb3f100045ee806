"""The command: `python -m tools.mutants`."""

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tools.mutants.breaks import BREAKS, Break
from tools.mutants.tree import FAILED, PASSED, Outcome, copied, run, taken

_SHOWN_LINES = 30


def main(arguments: Sequence[str] | None = None) -> int:
    """Makes the breaks that were asked for, one after the other.

    Returns:
        0 when each was seen by each of its tests.
    """
    parser = argparse.ArgumentParser(prog="python -m tools.mutants", description=__doc__)
    parser.add_argument("--only", metavar="WORD", default="", help="breaks with this in words, ids, file or tests")
    parser.add_argument("--baseline", action="store_true", help="first see that the same tests pass unbroken")
    parser.add_argument("--seconds", type=float, default=300.0, help="for one test (default: %(default)s)")
    options = parser.parse_args(arguments)
    chosen = [one for one in BREAKS if _is_meant(one, options.only)]
    if not chosen:
        print(f"there is no break with {options.only!r} in it")
        return 1
    began = time.monotonic()
    with taken() as source:  # once, so that all is about the same state, whatever is changed meanwhile
        for one in chosen:
            _broken(one, source)
        sound = _pass_unbroken(chosen, source, options.seconds) if options.baseline else True
        caught = sum([_is_caught(one, source, options.seconds) for one in chosen])
    print(f"{len(chosen)} breaks, {caught} caught, {len(chosen) - caught} not, in {time.monotonic() - began:.0f} s")
    return 0 if sound and caught == len(chosen) else 1


def _is_meant(one: Break, word: str) -> bool:
    """Whether a break is one of those with `word`; an id such as P1 is only meant whole."""
    return word in one.promises or any(word in text for text in (one.what, one.file, *one.tests))


def _pass_unbroken(chosen: Sequence[Break], source: Path, seconds: float) -> bool:
    """Whether the tests pass in a copy in which nothing is broken."""
    good = True
    with copied(source) as copy:
        for test in dict.fromkeys(test for one in chosen for test in one.tests):
            outcome = run(test, copy, seconds)
            if outcome.exit_code != PASSED:
                good = False
                _show(f"NOT GOOD UNBROKEN  {test}", outcome)
    print("unbroken: all pass" if good else "unbroken: NOT all pass", flush=True)
    return good


def _is_caught(one: Break, source: Path, seconds: float) -> bool:
    """Makes one break, and says whether all its tests see it."""
    began = time.monotonic()
    with copied(source) as copy:
        (copy / one.file).write_text(_broken(one, source), "utf-8")
        outcomes = {test: run(test, copy, seconds) for test in one.tests}
    missed = {test: outcome for test, outcome in outcomes.items() if not outcome.failed}
    told = "NOT CAUGHT" if missed else "caught"
    print(f"{told:10}  {time.monotonic() - began:5.1f} s  {', '.join(one.promises)}: {one.what}", flush=True)
    for test, outcome in missed.items():
        _show(f"    {_why(outcome)}: {test}", outcome)
    return not missed


def _broken(one: Break, source: Path) -> str:
    """The file of a break, broken."""
    text = (source / one.file).read_text("utf-8")
    if text.count(one.old) != 1:
        sys.exit(f"{one.file} does not hold this once: {one.old!r}")
    return text.replace(one.old, one.new)


def _why(outcome: Outcome) -> str:
    """Why a break counts as not caught by a test."""
    if outcome.exit_code == PASSED:
        return "it passes"
    if outcome.exit_code is None:
        return "it did not end in time"
    if outcome.exit_code == FAILED:
        return "what it needs could not be set up"
    return f"it could not be run (pytest's exit code {outcome.exit_code})"


def _show(line: str, outcome: Outcome) -> None:
    print(line)
    if outcome.exit_code not in (PASSED, None):
        print(*(f"        {said}" for said in outcome.output.splitlines()[-_SHOWN_LINES:]), sep="\n")
    sys.stdout.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that a test that runs is ended too
    sys.exit(main())
