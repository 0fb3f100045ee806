"""When a message is tried again."""

import pytest

from pipelinejobs.util.backoff import Backoff


def test_it_doubles_with_jitter_up_to_the_longest() -> None:
    backoff = Backoff(attempts=100, first=1, longest=60)
    for attempts, full in [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (99, 60)]:
        delays = [backoff.delay(attempts) for _ in range(50)]
        assert all(delay is not None and full / 2 <= delay <= full for delay in delays)
        assert len(set(delays)) > 1


def test_after_the_last_attempt_it_is_given_up() -> None:
    assert Backoff(attempts=3).delay(2) is not None
    assert Backoff(attempts=3).delay(3) is None


@pytest.mark.promise("F9")
def test_a_receiver_that_asks_for_more_time_gets_it() -> None:
    delay = Backoff(first=1).delay(1, asked=120)
    assert delay == 120
