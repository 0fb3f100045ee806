"""Events that are looked for some seconds later: in time, once, and bounded."""

from typing import Any

import pytest

from factories import LIFE, a_command
from pipelinejobs.gateway import watch
from pipelinejobs.gateway.watch import Watch
from pipelinejobs.store.journal import Journaled


class Looked:
    """A journal that remembers what it was asked to look for."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    def look_at(self, watched: list[Journaled]) -> None:
        self.batches.append([one.entry for one in watched])


@pytest.fixture
def looked() -> Looked:
    return Looked()


@pytest.fixture
def watching(looked: Looked) -> Watch:
    journal: Any = looked
    return Watch(journal)


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which the test moves."""
    moment = [0.0]
    monkeypatch.setattr(watch, "monotonic", lambda: moment[0])
    return moment


def event(number: int) -> Journaled:
    return Journaled(
        event=a_command("update"),
        life=LIFE,
        attempt=LIFE,
        entry=str(number),
        execution="e",
        revision=number,
        owes=False,
        tokens=(),
        trusted=None,
    )


def test_each_is_looked_for_once_when_its_time_has_come(watching: Watch, looked: Looked, now: list[float]) -> None:
    watching.add(event(1), 10)
    watching.look()
    assert looked.batches == []
    now[0] = 1.0
    watching.add(event(2), 10)
    now[0] = 2.0
    watching.look()
    watching.look()
    assert looked.batches == [["1"]]
    now[0] = 3.0
    watching.look()
    assert looked.batches == [["1"], ["2"]]


def test_many_are_looked_for_in_parts(watching: Watch, looked: Looked, now: list[float]) -> None:
    for number in range(1_200):
        watching.add(event(number), 1)
    now[0] = 2.0
    watching.look()
    assert [len(batch) for batch in looked.batches] == [500, 500, 200]


@pytest.mark.promise("F16")
@pytest.mark.parametrize(("size", "kept"), [(1, 4_000), (1024 * 1024, 4)])
def test_there_are_never_more_than_fit(watching: Watch, looked: Looked, now: list[float], size: int, kept: int) -> None:
    for number in range(5_000):
        watching.add(event(number), size)
    now[0] = 2.0
    watching.look()
    found = [one for batch in looked.batches for one in batch]
    assert found == [str(number) for number in range(5_000 - kept, 5_000)]


def test_what_is_larger_than_all_that_fits_is_left_out(watching: Watch, looked: Looked, now: list[float]) -> None:
    watching.add(event(1), 5 * 1024 * 1024)
    now[0] = 2.0
    watching.look()
    assert looked.batches == []
