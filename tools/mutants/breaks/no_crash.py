"""A crash loses nothing."""

from typing import Final

from tools.mutants.breaks.one import Break

NO_CRASH: Final = (
    Break(
        promises=("P8", "P1"),
        what="takes older history out of the job before it is copied",
        file="pipelinejobs/store/history.py",
        old="        with translated():  # whether it was done does not matter: doing it again is no harm\n",
        new='        gone = {"history": {"uuid": {"$in": [row["uuid"] for row in rows]}}}\n'
        '        self._jobs.update_one({"_id": {"$eq": job.key}}, {"$pull": gone})\n'
        "        with translated():\n",
        tests=(
            (
                "tests/acceptance/test_crash_points.py"
                "::test_killed[update that makes history move, before insert jobs_history 1]"
            ),
        ),
    ),
    Break(
        promises=("P8", "F6"),
        what="leaves to a dead process what that process owed",
        file="pipelinejobs/service/manager.py",
        old="self._outbox.send_overdue(_OTHERS_ROWS, deadline)",
        new="pass",
        tests=(
            (
                "tests/integration/service/test_manager.py::TestIndexRequests"
                "::test_what_a_dead_process_owed_is_sent_by_the_next_run_of_any_job"
            ),
        ),
    ),
    Break(
        promises=("P8", "F7"),
        what="looks for what a dead gateway owed only when it owes something itself",
        file="pipelinejobs/gateway/tasks/outbox_sender.py",
        old="self._wake.wait(self._poll)",
        new="self._wake.wait()",
        tests=(
            (
                "tests/integration/gateway/test_gateway_outbox.py"
                "::test_what_a_dead_gateway_held_is_sent_when_its_lease_is_over"
            ),
        ),
    ),
)
