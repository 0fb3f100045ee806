"""A crash loses nothing."""

from typing import Final

from tools.mutants.mutant import Mutant

NO_CRASH: Final = (
    Mutant(
        promises=("P8", "P1"),
        what="removes older history from the job before it is copied",
        where="pipelinejobs/store/history.py:History.move",
        old='start = document.get("_moved") or 0',
        new="""
            start = document.get("_moved") or 0
            gone = {"history": {"uuid": {"$in": [entry["uuid"] for entry in leaving]}}}
            self._jobs.update_one({"_id": {"$eq": job.key}}, {"$pull": gone})
        """,
        tests=(
            (
                "tests/acceptance/test_crash_points.py"
                "::test_killed[update that makes history move, before insert jobs_history 1]"
            ),
        ),
    ),
    Mutant(
        promises=("P8", "F6"),
        what="never sends the outbox messages of a process that died",
        where="pipelinejobs/service/manager.py:Manager.settle",
        old="self._outbox.send_overdue(_MOST_OVERDUE, deadline)",
        new="pass",
        tests=(
            "tests/integration/service/test_manager.py::TestIndexRequests::test_what_a_dead_process_owed_is_sent_by_the_next_run_of_any_job",
        ),
    ),
    Mutant(
        promises=("P8", "F7"),
        what="looks for the outbox messages of a dead gateway only when it has one of its own",
        where="pipelinejobs/gateway/tasks/outbox_sender.py:OutboxSender._run",
        old="self._wake.wait(self._poll)",
        new="self._wake.wait()",
        tests=(
            "tests/integration/gateway/test_gateway_outbox.py::test_what_a_dead_gateway_held_is_sent_when_its_lease_is_over",
        ),
    ),
)
