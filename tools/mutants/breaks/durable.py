"""What was acknowledged is durable."""

from typing import Final

from tools.mutants.breaks.one import Break

DURABLE: Final = (
    Break(
        promises=("P1", "F1", "F2"),
        what="waits for one server instead of a majority",
        file="pipelinejobs/store/connection.py",
        old='WriteConcern(w="majority", j=True)',
        new="WriteConcern(w=1, j=True)",
        tests=(
            "tests/integration/gateway/test_gateway_executions.py::test_no_second_durable_write",
            "tests/acceptance/test_chaos.py::test_the_account_finds_a_loss_where_there_is_one",
        ),
    ),
    Break(
        promises=("P1", "F3", "F4"),
        what="believes a primary that was deposed",
        file="pipelinejobs/store/connection.py",
        old="collection.with_options(read_concern=_LINEARIZABLE).find_one(query, fields)",
        new="collection.find_one(query, fields)",
        tests=("tests/integration/service/test_deposed_primary.py::test_it_is_not_believed",),
    ),
    Break(
        promises=("P2", "P5"),
        what="takes a group for written of which a part was",
        file="pipelinejobs/store/jobs.py",
        old="        if matched == len(writes):\n",
        new="        if matched:\n",
        tests=(
            (
                "tests/integration/store/test_grouped_writes.py::test_those_that_lost_their_race_are_told_from_the_others"
            ),
        ),
    ),
    Break(
        promises=("P10",),
        what="judges two events of one job at the same time",
        file="pipelinejobs/gateway/tasks/batcher.py",
        old="            if line is not None:\n",
        new="            if line is None:\n",
        tests=("tests/unit/gateway/test_batcher.py::test_of_one_job_one_at_a_time_and_in_order",),
    ),
    Break(
        promises=("P1",),
        what="takes a connection string that weakens the write concern",
        file="pipelinejobs/settings/mongodb_uri.py",
        old='if name == "w" and value != "majority":',
        new='if name == "w" and value == "":',
        tests=("tests/unit/settings/test_settings.py::test_nothing_weakens_the_write_concern",),
    ),
    Break(
        promises=("P1", "F5"),
        what="says applied where the database has not confirmed",
        file="pipelinejobs/service/manager.py",
        old="execution, Verdict.UNAVAILABLE, ",
        new="execution, Verdict.APPLIED, ",
        tests=(
            (
                "tests/integration/service/test_manager.py::TestUnknownOutcome"
                "::test_when_the_time_is_over_it_says_that_it_does_not_know"
            ),
        ),
    ),
    Break(
        promises=("P1", "P5"),
        what="takes older history out of the job without having copied it",
        file="pipelinejobs/store/history.py",
        old="self._moved.insert_many(rows, ordered=False)",
        new="pass",
        tests=("tests/integration/store/test_store_history.py::test_older_entries_move_and_all_are_read_in_order",),
    ),
)
