"""What was acknowledged is durable."""

from typing import Final

from tools.mutants.mutant import Mutant

DURABLE: Final = (
    Mutant(
        promises=("P1", "F1", "F2"),
        what="waits for a write on one server instead of a majority",
        where="pipelinejobs/store/connection.py:_DURABLE",
        old='"majority"',
        new="1",
        tests=(
            "tests/integration/gateway/test_gateway_executions.py::test_no_second_durable_write",
            "tests/acceptance/test_chaos.py::test_the_account_finds_a_loss_where_there_is_one",
        ),
    ),
    Mutant(
        promises=("P1", "F3", "F4"),
        what="believes a read of a primary that was deposed",
        where="pipelinejobs/store/connection.py:confirmed",
        old="collection.with_options(read_concern=_LINEARIZABLE)",
        new="collection",
        tests=("tests/integration/service/test_deposed_primary.py::test_it_is_not_believed",),
    ),
    Mutant(
        promises=("P2", "P5"),
        what="treats a batch as written when only a part of it was",
        where="pipelinejobs/store/jobs.py:Jobs.apply",
        old="matched == len(writes)",
        new="matched",
        tests=(
            "tests/integration/store/test_grouped_writes.py::test_those_that_lost_their_race_are_told_from_the_others",
        ),
    ),
    Mutant(
        promises=("P10",),
        what="judges two events of one job at the same time",
        where="pipelinejobs/gateway/tasks/batcher.py:Batcher._judge_batch",
        old="self._judge.judge(batch)",
        new="self._judge.judge([one for first in batch for one in tuple(self._lines[first.event.job])[:2]])",
        tests=("tests/unit/gateway/test_batcher.py::test_events_of_one_job_are_judged_one_at_a_time_in_order",),
    ),
    Mutant(
        promises=("P1",),
        what="accepts a connection string that weakens the write concern",
        where="pipelinejobs/settings/mongodb_uri.py:_check_write_concern",
        old='value != "majority"',
        new='value == ""',
        tests=("tests/unit/settings/test_settings.py::test_nothing_weakens_the_write_concern",),
    ),
    Mutant(
        promises=("P1", "F5"),
        what="says applied where the database has not confirmed the write",
        where="pipelinejobs/service/judge.py:Judge.judge",
        old="Verdict.UNAVAILABLE",
        new="Verdict.APPLIED",
        tests=(
            "tests/integration/service/test_manager.py::TestUnknownOutcome::test_when_the_time_is_over_it_says_that_it_does_not_know",
        ),
    ),
    Mutant(
        promises=("P1", "P5"),
        what="removes older history from the job without having copied it",
        where="pipelinejobs/store/history.py:History._insert",
        old="self._moved.insert_many(rows, ordered=False)",
        new="pass",
        tests=("tests/integration/store/test_store_history.py::test_older_entries_move_and_all_are_read_in_order",),
    ),
)
