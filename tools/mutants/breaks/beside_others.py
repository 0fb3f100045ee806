"""What was applied stays applied, and callbacks get in, beside a program that replaces whole documents."""

from typing import Final

from tools.mutants.breaks.one import Break

BESIDE_OTHERS: Final = (
    Break(
        promises=("P11",),
        what="keeps no journal of events that another program may undo",
        file="pipelinejobs/service/manager.py",
        old="        if journaled:\n            self._store.journal.add(journaled)\n",
        new="",
        tests=(
            "tests/integration/service/test_reapply.py::TestUndone::test_a_finish_is_applied_again_and_owes_again",
            "tests/acceptance/test_applied_stays_applied.py::test_through_the_gateway",
        ),
    ),
    Break(
        promises=("P11",),
        what="answers before the journal has the event",
        file="pipelinejobs/service/manager.py",
        old="            if written is Written.YES:\n                case.applied = self._applied(case, judged)\n",
        new=(
            "            if written is Written.YES:\n"
            "                case.applied = self._applied(case, judged)\n"
            "                case.handled = case.applied.handled\n"
        ),
        tests=(
            (
                "tests/integration/service/test_reapply.py::TestTheAnswerWaits"
                "::test_when_it_cannot_be_written_at_all_the_outcome_is_not_known"
            ),
        ),
    ),
    Break(
        promises=("P11", "P4"),
        what="applies an event again and forgets what it owed",
        file="pipelinejobs/service/reapply.py",
        old="owes_index=change.owes_index or (",
        new="owes_index=False and (",
        tests=("tests/integration/service/test_reapply.py::TestUndone::test_a_finish_is_applied_again_and_owes_again",),
    ),
    Break(
        promises=("P11", "P2"),
        what="forgets a row at its first look, though the other program may not be done",
        file="pipelinejobs/service/reapply.py",
        old="if row.applied and row.applied <= settled}",
        new="}",
        tests=(
            "tests/integration/service/test_reapply.py::TestUndone::test_an_event_that_was_still_there_at_the_first_look",
        ),
    ),
    Break(
        promises=("P11",),
        what="touches a job that was made again with events of its former life",
        file="pipelinejobs/service/reapply.py",
        old="    if job is None or job.life != again.life:\n",
        new="    if job is None:\n",
        tests=("tests/unit/service/test_reapply_decided.py::test_nothing_is_known_of_a_job_in_another_life",),
    ),
    Break(
        promises=("P11", "S18"),
        what="trusts one token of a job, and not one of each sender",
        file="pipelinejobs/core/tokens.py",
        old="taken = any(row.sender in (None, event.sender) and row.attempt in",
        new="taken = any(row.attempt in",
        tests=(
            "tests/unit/core/test_tokens.py::TestTrustOnFirstUse::test_a_stranger_who_comes_first_locks_nobody_out",
            "tests/acceptance/test_standard_agent.py::test_a_stranger_who_comes_first_locks_nobody_out",
        ),
    ),
    Break(
        promises=("P11", "S18"),
        what="believes a trusted token from any sender",
        file="pipelinejobs/core/tokens.py",
        old="if row.sender is None or row.sender == sender]",
        new="if sender]",
        tests=(
            "tests/unit/core/test_tokens.py::TestTrustOnFirstUse::test_a_trusted_token_is_good_from_its_sender_alone",
        ),
    ),
    Break(
        promises=("P9", "S18"),
        what="trusts a token of a former life of the job",
        file="pipelinejobs/core/tokens.py",
        old="    if taken or _any_same([shown], job.former_tokens):\n",
        new="    if taken:\n",
        tests=(
            "tests/unit/core/test_tokens.py::TestTrustOnFirstUse::test_a_token_of_a_former_life_is_never_trusted",
            "tests/acceptance/test_standard_agent.py::TestAnotherRunOfTheJob::test_one_that_was_made_again",
        ),
    ),
    Break(
        promises=("P11", "P5"),
        what="believes that an entry which has moved out of the job has had its effect",
        file="pipelinejobs/service/reapply.py",
        old="            for uuid in found.moved:\n                self._mend(uuid)\n",
        new="",
        tests=("tests/integration/service/test_reapply.py::test_entries_that_have_moved_out_of_the_job_meanwhile",),
    ),
    Break(
        promises=("S18",),
        what="remembers a new job's token after another program has changed it",
        file="pipelinejobs/store/new_jobs.py",
        old='"$position": 0',
        new='"$slice": -1',
        tests=("tests/integration/service/test_first_tokens.py::test_tokens_that_were_remembered_meanwhile_stay",),
    ),
)
