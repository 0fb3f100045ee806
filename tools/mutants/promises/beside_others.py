"""What was applied stays applied, and callbacks get in, beside a program that replaces whole documents."""

from typing import Final

from tools.mutants.mutant import Mutant

BESIDE_OTHERS: Final = (
    Mutant(
        promises=("P11",),
        what="keeps no journal of events that another program may undo",
        where="pipelinejobs/service/judge.py:Judge._tell",
        old="""
            if journaled:
                self._store.journal.add(journaled)
        """,
        new="pass",
        tests=(
            "tests/integration/service/test_reapply.py::TestUndone::test_a_finish_is_applied_again_and_owes_again",
            "tests/acceptance/test_applied_stays_applied.py::test_through_the_gateway",
        ),
    ),
    Mutant(
        promises=("P11",),
        what="answers before the journal has the event",
        where="pipelinejobs/service/judge.py:Judge._tell",
        old="""
            if journaled:
                self._store.journal.add(journaled)
            for attempt in concluded:
                attempt.outcome = attempt.concluded
        """,
        new="""
            for attempt in concluded:
                attempt.outcome = attempt.concluded
            if journaled:
                self._store.journal.add(journaled)
        """,
        tests=(
            "tests/integration/service/test_reapply.py::TestTheAnswerWaits::test_when_it_cannot_be_written_at_all_the_outcome_is_not_known",
        ),
    ),
    Mutant(
        promises=("P11", "P4"),
        what="applies an event again without its outbox message",
        where="pipelinejobs/core/journaled.py:owing",
        old="change.owes_index or ...",
        new="False",
        tests=("tests/integration/service/test_reapply.py::TestUndone::test_a_finish_is_applied_again_and_owes_again",),
    ),
    Mutant(
        promises=("P11", "P2"),
        what="forgets a journal row at the first look, although the other program may still replace the job",
        where="pipelinejobs/service/reapply.py:Reapplier._look",
        old="{row.key for row in rows if row.applied and row.applied <= settled}",
        new="{row.key for row in rows}",
        tests=(
            "tests/integration/service/test_reapply.py::TestUndone::test_an_event_that_was_still_there_at_the_first_look",
        ),
    ),
    Mutant(
        promises=("P11",),
        what="applies events of a former life to a job that was created again",
        where="pipelinejobs/core/journaled.py:as_it_was",
        old="job is None or job.life != again.life",
        new="job is None",
        tests=("tests/unit/core/test_journaled.py::test_nothing_is_known_of_a_job_in_another_life",),
    ),
    Mutant(
        promises=("P11", "S18"),
        what="trusts one token per job on first use, not one per sender",
        where="pipelinejobs/core/tokens.py:first_use",
        old='row.sender in (None, event.sender) and row.attempt in ("", job.attempt)',
        new='row.attempt in ("", job.attempt)',
        tests=(
            "tests/unit/core/test_tokens.py::TestTrustOnFirstUse::test_a_stranger_who_comes_first_locks_no_sender_out",
            "tests/acceptance/test_standard_agent.py::test_a_stranger_who_comes_first_locks_no_sender_out",
        ),
    ),
    Mutant(
        promises=("P11", "S18"),
        what="accepts a trusted token from any sender",
        where="pipelinejobs/core/tokens.py:_trusted_of",
        old="row.sender is None or row.sender == sender",
        new="sender",
        tests=(
            "tests/unit/core/test_tokens.py::TestTrustOnFirstUse::test_a_trusted_token_is_good_from_its_sender_alone",
        ),
    ),
    Mutant(
        promises=("P9", "S18"),
        what="trusts a token of a former life of the job",
        where="pipelinejobs/core/tokens.py:first_use",
        old="taken or _any_same([shown], job.former_tokens)",
        new="taken",
        tests=(
            "tests/unit/core/test_tokens.py::TestTrustOnFirstUse::test_a_token_of_a_former_life_is_never_trusted",
            "tests/acceptance/test_standard_agent.py::TestAnotherRunOfTheJob::test_one_that_was_made_again",
        ),
    ),
    Mutant(
        promises=("P11", "P5"),
        what="does not check the state of a job from which an applied entry has moved to jobs_history",
        where="pipelinejobs/service/reapply.py:Reapplier._look",
        old="""
            for uuid in found.moved:
                self._repair(uuid)
        """,
        new="pass",
        tests=("tests/integration/service/test_reapply.py::test_entries_that_have_moved_out_of_the_job_meanwhile",),
    ),
    Mutant(
        promises=("S18",),
        what="remembers a new job's token after another program has changed it",
        where="pipelinejobs/store/new_jobs.py:_remembering",
        old='{"$each": [token], "$position": 0}',
        new='{"$each": [token], "$slice": -1}',
        tests=("tests/integration/service/test_remember_tokens.py::test_tokens_that_were_remembered_meanwhile_stay",),
    ),
)
