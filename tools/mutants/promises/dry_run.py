"""A dry run changes nothing."""

from typing import Final

from tools.mutants.mutant import Mutant

_SERVICE: Final = "tests/integration/service/test_dry_run.py"

DRY_RUN: Final = (
    Mutant(
        promises=("P12",),
        what="writes the event of a dry run",
        where="pipelinejobs/service/judge.py:Judge._round",
        old="decision.change is None or attempt.event.dry_run",
        new="decision.change is None",
        tests=(f"{_SERVICE}::test_it_is_what_the_real_delivery_is_answered_and_changes_nothing",),
    ),
    Mutant(
        promises=("P12", "P2"),
        what="takes the event id in a dry run: puts the event into the journal, from which it would be applied",
        where="pipelinejobs/service/judge.py:Judge._conclude",
        old="""
            if attempt.event.dry_run:
                attempt.outcome = outcome.of_dry_run(concluded, decision.job)
                return
        """,
        new="""
            if attempt.event.dry_run:
                concluded = outcome.of_dry_run(concluded, decision.job)
        """,
        tests=(f"{_SERVICE}::test_the_event_id_is_not_taken",),
    ),
    Mutant(
        promises=("P12",),
        what="moves the old history of a job in a dry run",
        where="pipelinejobs/service/judge.py:Judge._decision",
        old="job.damage is None and not event.dry_run",
        new="job.damage is None",
        tests=(f"{_SERVICE}::test_a_history_that_is_full_does_not_move",),
    ),
    Mutant(
        promises=("P12",),
        what="calls an event applicable in a dry run that a real delivery would find applied before",
        where="pipelinejobs/service/judge.py:Judge._decide",
        old="decision.change is None or attempt.rounds > 0 or event.dry_run",
        new="decision.change is None or attempt.rounds > 0",
        tests=(f"{_SERVICE}::test_every_verdict",),
    ),
    Mutant(
        promises=("P12",),
        what="applies a report with a dry_run that is neither true nor false",
        where="pipelinejobs/messages/parameters.py:of_report",
        old="""
            if is_dry is None:
                return None
        """,
        new="pass",
        tests=("tests/unit/messages/test_messages_parameters.py::TestDryRun::test_any_other_is_refused",),
    ),
    Mutant(
        promises=("P12",),
        what="keeps an execution of a dry run",
        where="pipelinejobs/gateway/deliveries.py:Deliveries._note",
        old="""
            if judged.dry_run:
                return
        """,
        new="pass",
        tests=("tests/integration/gateway/test_gateway_dry_run.py::TestForms::test_a_json_event",),
    ),
    Mutant(
        promises=("P12",),
        what="requeues a dry run that could not reach MongoDB",
        where="reactor.py:Run._handle",
        old="judged.verdict is Verdict.UNAVAILABLE and not event.dry_run",
        new="judged.verdict is Verdict.UNAVAILABLE",
        tests=(
            "tests/acceptance/test_one_shot_dry_run.py::TestWithoutMongoDB::test_it_is_unavailable_and_not_requeued",
        ),
    ),
)
