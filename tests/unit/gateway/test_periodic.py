"""Work that is repeated, also after failures."""

import logging
import threading

import pytest

from pipelinejobs.gateway.tasks.periodic import Periodic
from pipelinejobs.util.errors import Unavailable


def test_failures_are_logged_once_and_the_work_is_repeated(caplog: pytest.LogCaptureFixture) -> None:
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


def test_closing_works_before_and_after_the_start() -> None:
    Periodic("never begun", lambda: None, 1).close(1)
    begun = threading.Event()
    periodic = Periodic("begun", begun.set, 3600)
    periodic.start()
    assert begun.wait(60)
    periodic.close(60)
    assert not [thread for thread in threading.enumerate() if thread.name == "begun"]
