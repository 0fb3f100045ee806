"""The same event twice changes nothing."""

from typing import Final

from tools.mutants.mutant import Mutant

ONCE: Final = (
    Mutant(
        promises=("P2", "F13"),
        what="writes onto a job that has the event already",
        where="pipelinejobs/store/job_update.py:guard",
        old='{"$nin": change.absent}',
        new='{"$nin": []}',
        tests=(
            "tests/integration/store/test_store_jobs.py::test_the_same_event_is_not_written_twice",
            "tests/integration/service/test_manager_lives.py::test_lives",
        ),
    ),
    Mutant(
        promises=("P2",),
        what="treats a repeated command as a new one",
        where="pipelinejobs/core/decide.py:decide",
        old="seen is not None",
        new="seen is not None and event.kind is Kind.REPORT",
        tests=("tests/unit/core/test_decide_lives.py::test_lives",),
    ),
    Mutant(
        promises=("P2",),
        what="does not recognise an event whose entry has moved to jobs_history",
        where="pipelinejobs/service/judge.py:Judge._decide",
        old="next((moved[uuid] for uuid in uuids if uuid in moved), None)",
        new="None",
        tests=(
            "tests/integration/service/test_manager.py::TestLongHistory::test_nothing_is_lost_and_nothing_is_applied_twice",
        ),
    ),
    Mutant(
        promises=("P2",),
        what="ignores the id that the sender gave an event",
        where="pipelinejobs/messages/event_id.py:of_delivery",
        old="event_id is None",
        new="event_id is None or not event_id.startswith(_EXECUTION)",
        tests=(
            "tests/integration/gateway/test_gateway_messages.py::TestVerdicts::test_duplicate_gets_the_first_status",
        ),
    ),
    Mutant(
        promises=("P2",),
        what="applies a reset twice when it is sent twice",
        where="pipelinejobs/core/identity.py:_uuid",
        old="job.life if event.external is None else attempt_of(job, event)",
        new="attempt_of(job, event)",
        tests=("tests/integration/service/test_manager.py::test_a_reset_sent_twice_is_applied_once",),
    ),
    Mutant(
        promises=("P2", "F5"),
        what="says duplicate to the sender whose own write was applied but not confirmed",
        where="pipelinejobs/service/judge.py:Judge._decide",
        old="attempt.unconfirmed",
        new="not attempt.unconfirmed",
        tests=(
            "tests/integration/service/test_manager.py::TestUnknownOutcome::test_the_event_is_applied_once_and_answered_as_applied",
        ),
    ),
    Mutant(
        promises=("P2", "F5"),
        what="says applied, not duplicate, to a repetition of what another delivery has written",
        where="pipelinejobs/store/jobs.py:Jobs.was_last",
        old='{"$eq": execution}',
        new='{"$exists": True}',
        tests=(
            "tests/integration/service/test_manager.py::TestUnknownOutcome::test_a_repetition_after_a_look_at_the_past_is_a_duplicate",
        ),
    ),
    Mutant(
        promises=("P2",),
        what="applies the callback that says what an answer of the job system has said before",
        where="pipelinejobs/core/identity.py:entry_uuids",
        old="() if asked is None else (asked,)",
        new="()",
        tests=("tests/integration/service/test_asked_reports.py::test_the_run_that_was_lost_too_is_implied",),
    ),
    Mutant(
        promises=("P2",),
        what="writes a callback although the answer that says the same was written since it was decided on",
        where="pipelinejobs/core/decide.py:Change.absent",
        old="() if self.same is None else (self.same,)",
        new="()",
        tests=("tests/integration/service/test_asked_reports.py::test_a_callback_beside_the_answer_is_one_event",),
    ),
    Mutant(
        promises=("P2",),
        what="writes answers that are no news into the history, again and again",
        where="pipelinejobs/core/decide.py:asked_in_vain",
        old="change.state != job.state",
        new="True",
        tests=(
            "tests/integration/service/test_asked_reports.py::test_what_does_not_change_the_state_writes_nothing",
            "tests/unit/core/test_decide_lives.py::test_lives",
        ),
    ),
)
