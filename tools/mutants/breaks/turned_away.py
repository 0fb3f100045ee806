"""Too much is turned away."""

from typing import Final

from tools.mutants.breaks.one import Break

TURNED_AWAY: Final = (
    Break(
        promises=("P10",),
        what="lets events wait without end to their number",
        file="pipelinejobs/gateway/tasks/batcher.py",
        old="if self.inside >= self._most:",
        new="if self.inside < 0:",
        tests=("tests/integration/gateway/test_gateway_overload.py::test_what_there_is_no_room_for_is_put_off",),
    ),
    Break(
        promises=("P10",),
        what="lets questions wait without end to their number",
        file="pipelinejobs/gateway/tasks/worker_pool.py",
        old="if self.inside >= self._most:",
        new="if self.inside < 0:",
        tests=("tests/unit/gateway/test_worker_pool.py::test_there_is_an_end_to_what_may_wait",),
    ),
    Break(
        promises=("P10", "F3"),
        what="waits for an answer that does not come",
        file="pipelinejobs/gateway/tasks/worker_pool.py",
        old="asyncio.wait_for(asyncio.shield(future), seconds + _GRACE_SECONDS)",
        new="asyncio.shield(future)",
        tests=("tests/unit/gateway/test_worker_pool.py::test_what_does_not_end_is_given_up_but_still_counted",),
    ),
    Break(
        promises=("P10",),
        what="does not say when to try again",
        file="pipelinejobs/gateway/http/http_errors.py",
        old='self.headers["Retry-After"] = str(RETRY_SECONDS)',
        new="pass",
        tests=("tests/integration/gateway/test_gateway_overload.py::test_what_there_is_no_room_for_is_put_off",),
    ),
    Break(
        promises=("P10", "F3"),
        what="waits for an event that is not judged in time",
        file="pipelinejobs/gateway/tasks/batcher.py",
        old="loop.call_later(deadline.remaining() + _GRACE_SECONDS, turn.give_up)",
        new="loop.call_later(3600, turn.give_up)",
        tests=("tests/integration/gateway/test_gateway_overload.py::test_one_that_takes_too_long_is_not_waited_for",),
    ),
    Break(
        promises=("P10", "F16"),
        what="gives large bodies all the memory that they want",
        file="pipelinejobs/gateway/http/body.py",
        old="if size > self._room:",
        new="if size < 0:",
        tests=(
            (
                "tests/integration/gateway/test_gateway_overload.py"
                "::test_large_bodies_that_never_end_take_no_more_than_they_may"
            ),
        ),
    ),
    Break(
        promises=("P10", "S11"),
        what="reads a body to its end, however long it is",
        file="pipelinejobs/gateway/http/body.py",
        old="if len(pieces) + len(piece) > MAX_BYTES and not self._of_report():",
        new="if len(pieces) < 0:",
        tests=(
            (
                "tests/integration/gateway/test_gateway_messages.py::TestLimits"
                "::test_one_in_chunks_is_read_no_further_than_the_limit"
            ),
        ),
    ),
    Break(
        promises=("S20",),
        what="keeps refusals of one job without end",
        file="pipelinejobs/store/refused.py",
        old="            if surplus:\n",
        new="            if not surplus:\n",
        tests=("tests/integration/store/test_store_refused.py::test_no_more_than_so_many_for_a_job",),
    ),
)
