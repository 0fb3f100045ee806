"""Work that is done in the background, after the answers."""

import threading

from pipelinejobs.gateway.tasks.background import Background
from pipelinejobs.util.errors import Unavailable


def _ignored(*_: object) -> None:
    """Does nothing."""


def test_items_are_done_in_batches_and_in_order() -> None:
    groups: list[list[int]] = []
    work = Background[int]("test", groups.append, most=1000, dropped=_ignored, batch=10, pause=0.01)
    for number in range(95):
        work.add(number)
    assert work.flush(10)
    assert [number for group in groups for number in group] == list(range(95))
    assert max(map(len, groups)) <= 10
    work.close(10)


def test_closing_does_the_waiting_items() -> None:
    done: list[int] = []
    work = Background[int]("test", done.extend, most=1000, dropped=_ignored, pause=5)
    work.add(1)
    work.close(10)
    assert done == [1]


def test_too_many_items_drop_the_oldest() -> None:
    goes_on, begun = threading.Event(), threading.Event()
    done: list[int] = []

    def slow(group: list[int]) -> None:
        begun.set()
        goes_on.wait(20)
        done.extend(group)

    dropped: list[int] = []
    work = Background[int]("test", slow, most=3, dropped=lambda _, count: dropped.append(count), batch=1, pause=0)
    work.add(0)
    begun.wait(20)
    for number in range(1, 7):
        work.add(number)
    goes_on.set()
    assert work.flush(20)
    assert done == [0, 4, 5, 6]
    assert sum(dropped) == 3
    work.close(10)


def test_a_failed_batch_is_lost_and_the_next_is_done() -> None:
    done: list[int] = []

    def work(group: list[int]) -> None:
        if group[0] == 0:
            raise Unavailable
        if group[0] == 1:
            raise ValueError
        done.extend(group)

    dropped: list[int] = []
    background = Background[int](
        "test", work, most=10, dropped=lambda _, count: dropped.append(count), batch=1, pause=0
    )
    for number in range(3):
        background.add(number)
    assert background.flush(10)
    assert (done, dropped) == ([2], [1, 1])
    background.close(10)


def test_flush_observes_its_time_limit() -> None:
    goes_on = threading.Event()
    background = Background[int]("test", lambda _: _ignored(goes_on.wait(20)), most=10, dropped=_ignored, pause=0)
    assert background.flush(0.01)
    background.add(1)
    assert not background.flush(0.05)
    goes_on.set()
    background.close(10)
