"""So much at once, so much waiting, no more."""

import asyncio
import threading
from http import HTTPStatus

import pytest

from pipelinejobs.gateway.http.http_errors import Problem
from pipelinejobs.gateway.tasks.worker_pool import Intake


def test_it_gives_results_and_errors() -> None:
    def wrong() -> None:
        raise KeyError("x")

    async def main() -> None:
        intake = Intake("test", 2, 2)
        assert await intake.run(lambda: 5, 5) == 5
        with pytest.raises(KeyError):
            await intake.run(wrong, 5)
        await asyncio.sleep(0)
        assert intake.inside == 0
        intake.close(5)

    asyncio.run(main())


def test_there_is_an_end_to_what_may_wait() -> None:
    async def main() -> None:
        intake, goes_on = Intake("test", 1, 2), threading.Event()
        waiting = [asyncio.create_task(intake.run(lambda: goes_on.wait(20), 20)) for _ in range(3)]
        await asyncio.sleep(0.05)
        with pytest.raises(Problem, match="too many") as put_off:
            await intake.run(lambda: None, 5)
        assert put_off.value.status is HTTPStatus.SERVICE_UNAVAILABLE
        assert put_off.value.headers["Retry-After"] == "1"
        goes_on.set()
        assert await asyncio.gather(*waiting) == [True] * 3
        intake.close(5)

    asyncio.run(main())


def test_what_does_not_end_is_given_up_but_still_counted() -> None:
    async def main() -> None:
        intake, goes_on = Intake("test", 1, 0), threading.Event()
        with pytest.raises(Problem, match="it cannot be known"):
            await intake.run(lambda: goes_on.wait(20), -0.9)
        assert intake.inside == 1  # the thread is still at it
        goes_on.set()
        while intake.inside:
            await asyncio.sleep(0.01)
        intake.close(5)

    asyncio.run(main())
