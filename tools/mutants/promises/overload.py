"""Overload is turned away."""

from typing import Final

from tools.mutants.mutant import Mutant

OVERLOAD: Final = (
    Mutant(
        promises=("P10",),
        what="accepts any number of pending events",
        where="pipelinejobs/gateway/tasks/batcher.py:Batcher.judge",
        old="self.inside >= self._most",
        new="self.inside < 0",
        tests=(
            "tests/integration/gateway/test_gateway_overload.py::test_events_beyond_the_limit_are_refused_as_overload",
        ),
    ),
    Mutant(
        promises=("P10",),
        what="accepts any number of pending requests in a worker pool",
        where="pipelinejobs/gateway/tasks/worker_pool.py:WorkerPool.run",
        old="self.inside >= self._most",
        new="self.inside < 0",
        tests=("tests/unit/gateway/test_worker_pool.py::test_the_queue_is_bounded",),
    ),
    Mutant(
        promises=("P10", "F3"),
        what="waits without limit for work that does not end",
        where="pipelinejobs/gateway/tasks/worker_pool.py:WorkerPool.run",
        old="asyncio.wait_for(asyncio.shield(future), seconds + GRACE_SECONDS)",
        new="asyncio.shield(future)",
        tests=("tests/unit/gateway/test_worker_pool.py::test_work_that_does_not_end_times_out_and_still_counts",),
    ),
    Mutant(
        promises=("P10",),
        what="does not tell an overloaded sender when to try again (Retry-After)",
        where="pipelinejobs/gateway/http/http_errors.py:HttpError.__init__",
        old='self.headers["Retry-After"] = str(RETRY_SECONDS)',
        new="pass",
        tests=(
            "tests/integration/gateway/test_gateway_overload.py::test_events_beyond_the_limit_are_refused_as_overload",
        ),
    ),
    Mutant(
        promises=("P10", "F3"),
        what="waits beyond its deadline for an event that is not judged",
        where="pipelinejobs/gateway/tasks/batcher.py:Batcher.judge",
        old="deadline.remaining() + GRACE_SECONDS",
        new="3600",
        tests=("tests/integration/gateway/test_gateway_overload.py::test_one_that_takes_too_long_is_not_waited_for",),
    ),
    Mutant(
        promises=("P10", "F16"),
        what="lets large bodies use any amount of memory",
        where="pipelinejobs/gateway/http/body.py:Bodies.take",
        old="size > self._room",
        new="size < 0",
        tests=(
            "tests/integration/gateway/test_gateway_overload.py::test_large_bodies_that_never_end_take_no_more_than_they_may",
        ),
    ),
    Mutant(
        promises=("P10", "S11"),
        what="reads a body to its end, however long it is",
        where="pipelinejobs/gateway/http/body.py:Body.fill",
        old="len(pieces) + len(piece) > MAX_BYTES and (not self._of_report())",
        new="len(pieces) < 0",
        tests=(
            "tests/integration/gateway/test_gateway_messages.py::TestLimits::test_one_in_chunks_is_read_no_further_than_the_limit",
        ),
    ),
    Mutant(
        promises=("P10",),
        what="lets any number of requests wait for jobs",
        where="pipelinejobs/gateway/tasks/waiters.py:Waiters.add",
        old="self.count >= self._most",
        new="self.count < 0",
        tests=(
            "tests/integration/gateway/test_gateway_wait.py::TestPlaces::test_they_are_bounded_and_not_those_of_listeners",
        ),
    ),
    Mutant(
        promises=("P10",),
        what="does not look at a job again that has changed while a request waits for it",
        where="pipelinejobs/core/waiting.py:may_have_reached",
        old="now.state != known.state",
        new="False",
        tests=(
            "tests/integration/gateway/test_gateway_wait.py::test_a_change_right_after_the_first_read_is_not_missed",
        ),
    ),
    Mutant(
        promises=("P10",),
        what="overlooks that a job came back to its state while a request waits for another one",
        where="pipelinejobs/core/waiting.py:may_have_reached",
        old="not now.is_same(known)",
        new="False",
        tests=(
            "tests/integration/cli/test_cli_wait.py::TestWaiting::test_a_state_from_which_the_job_came_back_between_two_looks",
        ),
    ),
    Mutant(
        promises=("P10",),
        what="counts only from the request on what a waiting job has passed through, not from the given revision",
        where="pipelinejobs/gateway/routes/job_wait.py:_look",
        old="Mark(None, wished.revision, None)",
        new="mark",
        tests=(
            "tests/integration/gateway/test_gateway_wait.py::TestAtOnce::test_a_state_that_was_passed_since_the_revision",
        ),
    ),
    Mutant(
        promises=("P10",),
        what="does not tell the revision it knows after a wait that was cut short (client)",
        where="pipelinejobs/client.py:_wait",
        old="taken < wait",
        new="False",
        tests=(
            "tests/unit/client/test_client_wait.py::TestTheQuestion::test_tells_the_known_revision_if_the_last_one_was_not_held_back_in_full",
        ),
    ),
    Mutant(
        promises=("P10",),
        what="keeps the place of a waiting client that has gone away",
        where="pipelinejobs/gateway/http/protocol.py:_Limited.eof_received",
        old="self._has_gone()",
        new="None",
        tests=(
            "tests/integration/gateway/test_gateway_wait.py::TestPlaces::test_a_client_that_goes_away_frees_its_place_at_once[closed]",
        ),
    ),
    Mutant(
        promises=("S20",),
        what="keeps any number of refusals of one job",
        where="pipelinejobs/store/refused.py:RefusedDeliveries.keep",
        old="self._refused.delete_many(...)",
        new="pass",
        tests=("tests/integration/store/test_store_refused.py::test_no_more_than_so_many_for_a_job",),
    ),
)
