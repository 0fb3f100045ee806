"""The order of a job system's reports does not count."""

from typing import Final

from tools.mutants.mutant import Mutant

IN_ANY_ORDER: Final = (
    Mutant(
        promises=("P3", "F14"),
        what="does not imply the missing run when the end is reported first",
        where="pipelinejobs/core/decide.py:_after_missing_start",
        old="destination(started, event.name) if started is not None else None",
        new="None",
        tests=("tests/unit/core/test_decide_orders.py::test_seven_reports_in_all_5040_orders",),
    ),
    Mutant(
        promises=("P3", "F14"),
        what="lets a late report of running take a job out of a final state",
        where="fsm/lifecycle.py:MOVES",
        old='Move("run", ("CREATED", "RUNNING"), "RUNNING")',
        new='Move("run", ("CREATED", "RUNNING", "FINISHED", "FAILED"), "RUNNING")',
        tests=("tests/unit/core/test_decide_orders.py::test_seven_reports_in_all_5040_orders",),
    ),
    Mutant(
        promises=("P3", "F14"),
        what="lets a second final state replace the first",
        where="fsm/lifecycle.py:MOVES",
        old='("RUNNING", "FINISHED")',
        new='("RUNNING", "FINISHED", "FAILED")',
        tests=("tests/unit/core/test_decide_orders.py::test_of_two_different_ends_the_first_wins",),
    ),
    Mutant(
        promises=("P3",),
        what="applies reports of the attempt before a reset",
        where="pipelinejobs/core/decide.py:decide",
        old="identity.attempt_of(job, event) != job.attempt",
        new="not job.attempt",
        tests=("tests/integration/service/test_manager.py::test_reports_of_the_run_before_a_reset_are_stale",),
    ),
)
