"""Applied events that are not in the journal are checked some seconds later."""

from collections.abc import Sequence
from typing import Any, cast

import pytest

from pipelinejobs.core.journaled import Journaled
from pipelinejobs.gateway.tasks import applied_watch
from pipelinejobs.gateway.tasks.applied_watch import AppliedWatch
from pipelinejobs.messages.event import Event, Kind
from pipelinejobs.util.errors import Unavailable


def journaled(number: int) -> Journaled:
    event = Event(job="a job", name="update", kind=Kind.COMMAND, id=f"execution:{number}")
    return Journaled(event, "life", "life", f"entry {number}", "e", number, False, (), None)


class Looked:
    """A reapplier that records the events to check, and fails the first times."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.batches: list[list[int | float]] = []
        self.taken: list[int | float] = []

    def take(self, watched: Sequence[Journaled]) -> None:
        self.taken += [one.revision for one in watched]

    def look_at(self, watched: Sequence[Journaled]) -> None:
        if self.failures:
            self.failures -= 1
            raise Unavailable("away")
        self.batches.append([one.revision for one in watched])


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which the test moves."""
    moment = [0.0]
    monkeypatch.setattr(applied_watch, "monotonic", lambda: moment[0])
    monkeypatch.setattr(applied_watch, "_BATCH", 2)
    return moment


def watching(looked: Looked, count: int) -> AppliedWatch:
    """A watch with so many events."""
    made = AppliedWatch(cast("Any", looked))
    for number in range(count):
        made.add(journaled(number))
    return made


def test_each_event_is_checked_twice_in_batches(now: list[float]) -> None:
    looked = Looked()
    watched = watching(looked, 5)
    watched.look()
    assert looked.batches == []
    now[0] = 2.0
    watched.look()
    watched.look()
    assert looked.batches == [[0, 1], [2, 3], [4]]
    now[0] = 9.9
    watched.look()
    assert len(looked.batches) == 3
    now[0] = 10.0
    watched.look()
    watched.look()
    assert looked.batches == [[0, 1], [2, 3], [4]] * 2


def test_a_failed_check_is_repeated(now: list[float]) -> None:
    looked = Looked(failures=1)
    watched = watching(looked, 3)
    now[0] = 2.0
    with pytest.raises(Unavailable):
        watched.look()
    watched.look()
    assert looked.batches == [[0, 1], [2]]


def test_handing_over_writes_waiting_events_to_the_journal(now: list[float]) -> None:
    looked = Looked()
    watched = watching(looked, 3)
    now[0] = 2.0
    watched.look()
    looked.failures = 1
    watched.add(journaled(3))
    now[0] = 4.0
    with pytest.raises(Unavailable):
        watched.look()
    watched.add(journaled(4))
    watched.hand_over()
    watched.hand_over()
    assert sorted(looked.taken) == [0, 1, 2, 3, 4]


@pytest.mark.promise("F16")
def test_the_number_of_waiting_events_is_bounded(now: list[float]) -> None:
    looked = Looked()
    watched = watching(looked, 1_000)
    now[0] = 2.0
    watched.look()
    assert [one for batch in looked.batches for one in batch] == list(range(700, 1_000))
