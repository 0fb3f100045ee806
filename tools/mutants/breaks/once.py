"""The same event twice changes nothing."""

from typing import Final

from tools.mutants.breaks.one import Break

ONCE: Final = (
    Break(
        promises=("P2",),
        what="takes marks for a part of what a report says",
        file="pipelinejobs/core/identity.py",
        old="_canonical(unmarked(entry.data)) == _canonical(unmarked(event.data))",
        new="_canonical(entry.data) == _canonical(event.data)",
        tests=("tests/unit/core/test_decide.py::TestReportsUnderTheSendersId::test_marks_make_no_other_report",),
    ),
    Break(
        promises=("P2", "F13"),
        what="writes onto a job that has the event already",
        file="pipelinejobs/store/job_document.py",
        old='        "history.uuid": {"$nin": [entry.uuid for entry in change.entries]},\n',
        new="",
        tests=(
            "tests/integration/store/test_store_jobs.py::test_the_same_event_is_not_written_twice",
            "tests/integration/service/test_manager_lives.py::test_lives",
        ),
    ),
    Break(
        promises=("P2",),
        what="takes a repeated command for a new one",
        file="pipelinejobs/core/decide.py",
        old="    if seen is not None:\n",
        new="    if seen is not None and event.kind is Kind.REPORT:\n",
        tests=("tests/unit/core/test_decide_lives.py::test_lives",),
    ),
    Break(
        promises=("P2",),
        what="does not know an event again whose entry has moved to jobs_history",
        file="pipelinejobs/service/manager.py",
        old="seen = moved.get(uuid)",
        new="seen = None",
        tests=(
            "tests/integration/service/test_manager.py::TestLongHistory::test_nothing_is_lost_and_nothing_is_applied_twice",
        ),
    ),
    Break(
        promises=("P2",),
        what="does not look at the sender's id of an event",
        file="pipelinejobs/messages/event_id.py",
        old="    if event_id is None:\n",
        new="    if event_id is None or not event_id.startswith(_EXECUTION):\n",
        tests=(
            "tests/integration/gateway/test_gateway_messages.py::TestVerdicts::test_duplicate_gets_the_first_status",
        ),
    ),
    Break(
        promises=("P2",),
        what="applies a reset again that is sent twice, because it began a new attempt",
        file="pipelinejobs/core/identity.py",
        old="where = job.life if event.external is None else attempt_of(job, event)",
        new="where = attempt_of(job, event)",
        tests=("tests/integration/service/test_manager.py::test_a_reset_sent_twice_is_applied_once",),
    ),
    Break(
        promises=("P2", "F5"),
        what="says duplicate to the sender whose own write was not confirmed",
        file="pipelinejobs/service/manager.py",
        old="if case.unconfirmed and ",
        new="if not case.unconfirmed and ",
        tests=(
            "tests/integration/service/test_manager.py::TestUnknownOutcome::test_the_event_is_applied_once_and_said_to_be",
        ),
    ),
    Break(
        promises=("P2", "F5"),
        what="says applied to a repetition whose own write was not confirmed",
        file="pipelinejobs/store/jobs.py",
        old=', "_execution": {"$eq": execution}}',
        new="}",
        tests=(
            "tests/integration/service/test_manager.py::TestUnknownOutcome::test_a_repetition_after_a_look_at_the_past_is_a_duplicate",
        ),
    ),
)
