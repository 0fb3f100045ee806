"""Work that is done again and again, whatever becomes of it."""

import logging
import threading

import pytest

from pipelinejobs.gateway.tasks.periodic import Periodic
from pipelinejobs.util.errors import Unavailable


def test_it_goes_on_after_failures_and_complains_once(caplog: pytest.LogCaptureFixture) -> None:
    done = threading.Event()
    outcomes: list[Exception | None] = [Unavailable("away"), ValueError("odd"), None, Unavailable("away again"), None]

    def work() -> None:
        if not outcomes:
            done.set()
            return
        outcome = outcomes.pop(0)
        if outcome is not None:
            raise outcome

    periodic = Periodic("looking", work, 0.001)
    with caplog.at_level(logging.ERROR, logger="pipelinejobs"):
        periodic.start()
        assert done.wait(60)
        periodic.close(60)
    complaints = [record.message for record in caplog.records]
    assert complaints == ["looking: failed; it will be tried again"] * 2


def test_it_ends_when_it_is_told_to_also_before_it_has_begun() -> None:
    Periodic("never begun", lambda: None, 1).close(1)
    begun = threading.Event()
    periodic = Periodic("begun", begun.set, 3600)
    periodic.start()
    assert begun.wait(60)
    periodic.close(60)
    assert not [thread for thread in threading.enumerate() if thread.name == "begun"]
