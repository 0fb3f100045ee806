"""Jobs of which nothing was heard are found as they are, and are not changed."""

from typing import Final

from tools.mutants.mutant import Mutant

_OPEN_JOBS: Final = "tests/integration/store/test_store_open_jobs.py"

QUIET: Final = (
    Mutant(
        promises=("P13",),
        what="fails the jobs that are overdue when it counts them",
        where="pipelinejobs/store/open_jobs.py:count",
        old="return OpenJobs(states, Listing(database).count(Filter(overdue=True), MOST_OVERDUE))",
        new="""
            database["jobs"].update_many({"_time_limit.overdue_from": {"$lt": now}}, {"$set": {"state": "FAILED"}})
            return OpenJobs(states, Listing(database).count(Filter(overdue=True), MOST_OVERDUE))
        """,
        tests=(f"{_OPEN_JOBS}::TestCost::test_nothing_of_it_writes",),
    ),
    Mutant(
        promises=("P13",),
        what="calls a job overdue whose outputs are archived after it has run",
        where="pipelinejobs/core/time_limit.py:_running_since",
        old="event.status in NOT_RUNNING",
        new='event.status == ""',
        tests=("tests/unit/core/test_time_limit.py::test_a_report_of_another_phase_ends_the_time",),
    ),
    Mutant(
        promises=("P13",),
        what="calls a job overdue by the time limit of an attempt before its reset",
        where="pipelinejobs/store/listing.py:Filter._conditions",
        old="OF_PRESENT_ATTEMPT",
        new="{}",
        tests=(f"{_OPEN_JOBS}::TestOverdue::test_a_limit_that_is_not_of_the_present_attempt",),
    ),
    Mutant(
        promises=("P13", "F12"),
        what="takes the time of its own host for that of the database when it looks for quiet jobs",
        where="pipelinejobs/store/listing.py:Listing._now",
        old="database_time(self._database) if wanted.needs_time else datetime.now(UTC)",
        new="datetime.now(UTC)",
        tests=(f"{_OPEN_JOBS}::TestQuiet::test_by_the_clock_of_the_database",),
    ),
)
