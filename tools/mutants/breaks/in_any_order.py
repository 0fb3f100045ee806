"""The order of a job system's reports does not count."""

from typing import Final

from tools.mutants.breaks.one import Break

IN_ANY_ORDER: Final = (
    Break(
        promises=("P3", "F14"),
        what="does not imply the missing run when the end is told first",
        file="pipelinejobs/core/decide.py",
        old="return destination(started, event.name) if started is not None else None",
        new="return None",
        tests=("tests/unit/core/test_decide_orders.py::test_seven_reports_in_all_5040_orders",),
    ),
    Break(
        promises=("P3", "F14"),
        what="lets a late report of running take a job out of its end",
        file="fsm/lifecycle.py",
        old='Move("run", ("CREATED", "RUNNING"), "RUNNING")',
        new='Move("run", ("CREATED", "RUNNING", "FINISHED", "FAILED"), "RUNNING")',
        tests=("tests/unit/core/test_decide_orders.py::test_seven_reports_in_all_5040_orders",),
    ),
    Break(
        promises=("P3", "F14"),
        what="lets a second end take the place of the first",
        file="fsm/lifecycle.py",
        old='Move("finish", ("RUNNING", "FINISHED"), "FINISHED")',
        new='Move("finish", ("RUNNING", "FINISHED", "FAILED"), "FINISHED")',
        tests=("tests/unit/core/test_decide_orders.py::test_of_two_different_ends_the_first_wins",),
    ),
    Break(
        promises=("P3",),
        what="counts reports of the attempt before a reset",
        file="pipelinejobs/core/decide.py",
        old="if identity.attempt_of(job, event) != job.attempt:",
        new="if not job.attempt:",
        tests=("tests/integration/service/test_manager.py::test_reports_of_the_run_before_a_reset_are_stale",),
    ),
)
