"""Silence changes nothing, and lost reports are found."""

from typing import Final

from tools.mutants.mutant import Mutant

_RECONCILE: Final = "tests/integration/service/test_reconcile.py"
_GATEWAY: Final = "tests/integration/gateway/test_gateway_reconcile.py"
_STORE: Final = "tests/integration/store/test_store_asked.py"

SILENCE: Final = (
    Mutant(
        promises=("P13",),
        what="asks about an external job of an earlier attempt, of a job of the original manager",
        where="pipelinejobs/service/external_job.py:_of_original_manager",
        old="runs.clear()",
        new="pass",
        tests=(f"{_RECONCILE}::TestStatuses::test_a_job_of_the_original_manager",),
    ),
    Mutant(
        promises=("P13",),
        what="takes an unknown job for one whose status is known",
        where="pipelinejobs/service/reconcile.py:Reconciler.reconcile",
        old="answer.found is Found.STATUS",
        new="answer.found is not Found.UNANSWERED",
        tests=(
            f"{_RECONCILE}::TestSilence::test_an_unknown_job",
            f"{_RECONCILE}::test_only_a_status_that_leads_on_changes_a_job",
        ),
    ),
    Mutant(
        promises=("P13",),
        what="counts a report as missed that the job has already",
        where="pipelinejobs/service/reconcile.py:Reconciler._reported",
        old="outcome.verdict is Verdict.APPLIED",
        new="True",
        tests=(f"{_RECONCILE}::TestRaces::test_it_comes_between_question_and_answer",),
    ),
    Mutant(
        promises=("P13",),
        what="asks without a lease",
        where="pipelinejobs/store/asked.py:AskedJobs.begin",
        old='{"$or": [{"until": {"$lte": now}}, {"holder": {"$eq": holder}}]}',
        new="{}",
        tests=(f"{_STORE}::TestRounds::test_one_gateway_has_the_lease",),
    ),
    Mutant(
        promises=("P13",),
        what="goes on asking when another gateway has the lease",
        where="pipelinejobs/gateway/tasks/job_asker.py:_Course.keeps_lease",
        old="not self.is_lost",
        new="True",
        tests=(f"{_GATEWAY}::test_a_gateway_that_lost_its_lease_asks_no_more",),
    ),
    Mutant(
        promises=("P13",),
        what="begins every round with the same job, also when a job system failed at it",
        where="pipelinejobs/gateway/tasks/job_asker.py:_Course.jobs",
        old="start is None",
        new="True",
        tests=(f"{_GATEWAY}::test_when_the_circuit_is_open_the_next_round_begins_where_this_one_ended",),
    ),
    Mutant(
        promises=("F22",),
        what="ends the round at each pause, so that the other jobs wait for the next one",
        where="pipelinejobs/gateway/tasks/job_asker.py:JobAsker._can_ask",
        old="left <= 0",
        new="True",
        tests=(f"{_GATEWAY}::test_a_pause_costs_a_round_no_more_than_its_length",),
    ),
)
