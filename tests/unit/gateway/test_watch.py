"""Applied events that are in no journal are looked for some seconds later."""

from collections.abc import Sequence
from typing import Any, cast

import pytest

from pipelinejobs.errors import Unavailable
from pipelinejobs.gateway import watch
from pipelinejobs.gateway.watch import Watch
from pipelinejobs.messages.event import Event, Kind
from pipelinejobs.store.journal import Journaled


def journaled(number: int) -> Journaled:
    event = Event(job="a job", name="update", kind=Kind.EXPLICIT, id=f"execution:{number}")
    return Journaled(event, "life", "life", f"entry {number}", "e", number, False, (), None)


class Looked:
    """A journal that notes what it was to look at, and cannot for the first times."""

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
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_SECONDS", 0.0)
    monkeypatch.setattr(watch, "_BATCH", 2)


def test_each_is_looked_for_once_and_some_together() -> None:
    looked = Looked()
    watching = Watch(cast("Any", looked))
    for number in range(5):
        watching.add(journaled(number))
    watching.look()
    watching.look()
    assert looked.batches == [[0, 1], [2, 3], [4]]


def test_nothing_is_looked_for_before_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_SECONDS", 3600.0)
    looked = Looked()
    watching = Watch(cast("Any", looked))
    watching.add(journaled(0))
    watching.look()
    assert looked.batches == []


def test_what_could_not_be_looked_for_is_looked_for_the_next_time() -> None:
    looked = Looked(failures=1)
    watching = Watch(cast("Any", looked))
    for number in range(3):
        watching.add(journaled(number))
    with pytest.raises(Unavailable):
        watching.look()
    watching.look()
    assert looked.batches == [[0, 1], [2]]


def test_at_the_end_the_journal_gets_what_was_not_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = Looked(failures=1)
    watching = Watch(cast("Any", looked))
    for number in range(3):
        watching.add(journaled(number))
    with pytest.raises(Unavailable):
        watching.look()
    monkeypatch.setattr(watch, "_SECONDS", 3600.0)
    watching.add(journaled(3))
    watching.hand_over()
    watching.hand_over()
    assert (looked.taken, looked.batches) == ([0, 1, 2, 3], [])
