"""The state is what the history leads to."""

from typing import Final

from tools.mutants.breaks.one import Break

REPLAY: Final = (
    Break(
        promises=("P5",),
        what="writes onto a job whose state has changed",
        file="pipelinejobs/store/job_document.py",
        old='        "state": {"$eq": job.state},\n',
        new="",
        tests=(
            (
                "tests/integration/store/test_store_jobs.py"
                "::test_a_change_is_written_only_onto_the_job_it_was_decided_on[interference0]"
            ),
        ),
    ),
    Break(
        promises=("P5",),
        what="writes onto a job whose revision has changed",
        file="pipelinejobs/store/job_document.py",
        old='        "_properties.revision": {"$eq": job.revision},\n        "history.0.uuid"',
        new='        "history.0.uuid"',
        tests=(
            (
                "tests/integration/store/test_store_jobs.py"
                "::test_a_change_is_written_only_onto_the_job_it_was_decided_on[interference1]"
            ),
        ),
    ),
    Break(
        promises=("P5",),
        what="counts one revision where a report made two entries",
        file="pipelinejobs/store/job_document.py",
        old='"$inc": {"_properties.revision": len(change.entries) - change.counted}',
        new='"$inc": {"_properties.revision": 1}',
        tests=("tests/integration/service/test_manager_lives.py::test_lives",),
    ),
    Break(
        promises=("P5", "P8"),
        what="shows entries twice that a crash has left in both places",
        file="pipelinejobs/store/history.py",
        old='seen.add(row["uuid"])',
        new="pass",
        tests=("tests/integration/store/test_store_history.py::test_a_crash_between_copy_and_removal_is_no_harm",),
    ),
    Break(
        promises=("P5", "P8"),
        what="cannot go on with a move of history that was broken off",
        file="pipelinejobs/store/history.py",
        old='if any(failed["code"] != _DUPLICATE_KEY for failed in error.details["writeErrors"]):',
        new='if error.details["writeErrors"]:',
        tests=("tests/integration/store/test_store_history.py::test_a_crash_between_copy_and_removal_is_no_harm",),
    ),
    Break(
        promises=("P5", "S20"),
        what="loses the order of history that has moved",
        file="pipelinejobs/store/history.py",
        old='"seq": start + place,',
        new='"seq": place,',
        tests=("tests/integration/store/test_history_overflow.py::test_nothing_is_lost",),
    ),
)
