"""The state is what the history leads to."""

from typing import Final

from tools.mutants.mutant import Mutant

STATE_OF_HISTORY: Final = (
    Mutant(
        promises=("P5",),
        what="writes onto a job whose state has changed",
        where="pipelinejobs/store/job_update.py:guard",
        old='{"$eq": job.state}',
        new='{"$exists": True}',
        tests=(
            "tests/integration/store/test_store_jobs.py::test_a_change_is_written_only_onto_the_job_it_was_decided_on[interference0]",
        ),
    ),
    Mutant(
        promises=("P5",),
        what="writes onto a job whose revision has changed",
        where="pipelinejobs/store/job_update.py:guard",
        old='{"$eq": job.revision}',
        new='{"$exists": True}',
        tests=(
            "tests/integration/store/test_store_jobs.py::test_a_change_is_written_only_onto_the_job_it_was_decided_on[interference1]",
        ),
    ),
    Mutant(
        promises=("P5",),
        what="counts one revision where a report made two entries",
        where="pipelinejobs/store/job_update.py:update",
        old="len(change.entries) - change.counted",
        new="1",
        tests=("tests/integration/service/test_manager_lives.py::test_lives",),
    ),
    Mutant(
        promises=("P5", "P8"),
        what="shows an entry twice that a crash has left in the job and in jobs_history",
        where="pipelinejobs/store/history.py:History.entries",
        old='seen.add(row["uuid"])',
        new="pass",
        tests=("tests/integration/store/test_store_history.py::test_a_crash_between_copy_and_removal_is_no_harm",),
    ),
    Mutant(
        promises=("P5", "P8"),
        what="cannot continue a move of history that was interrupted",
        where="pipelinejobs/store/history.py:History._insert",
        old='any(failed["code"] != _DUPLICATE_KEY for failed in error.details["writeErrors"])',
        new='error.details["writeErrors"]',
        tests=(
            "tests/integration/store/test_store_history.py::test_a_crash_between_copy_and_removal_is_no_harm",
            "tests/integration/store/test_history_overflow.py::test_nothing_is_lost",
        ),
    ),
    Mutant(
        promises=("P5", "S20"),
        what="loses the order of history that has moved",
        where="pipelinejobs/store/history.py:History._insert",
        old="enumerate(leaving, start)",
        new="enumerate(leaving)",
        tests=("tests/integration/store/test_store_history.py::test_many_moves",),
    ),
)
