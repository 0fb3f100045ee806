"""The short form of `make soak`: a replica set, gateways and senders, under all kinds of faults."""

from pathlib import Path
from typing import Final

import pytest

from tools.chaos.account import Account
from tools.chaos.deployment import Size, deployed
from tools.chaos.schedule import SHORT, Schedule, lose_the_newest

SIZE: Final = Size(senders=12, gateways=2, election_seconds=2.0)
BETWEEN: Final = 20
"""Events that are acknowledged after each fault, at the least: a deployment that stands still loses nothing either."""

pytestmark = [
    pytest.mark.promise(promise) for promise in ("P1", "P2", "P4", "P5", "P8", "F1", "F2", "F3", "F4", "F15", "F21")
]


def test_faults_of_every_kind_lose_nothing_and_repeat_nothing(nothing_left: None, tmp_path: Path) -> None:
    seed = 2026
    told: list[int] = []
    with deployed(tmp_path, seed, SIZE) as running:

        def fault_begins(_: str) -> None:
            running.wait_for_events(BETWEEN)
            told.append(running.ledger.events)

        running.wait_for_events(100)
        schedule = Schedule(seed, SHORT, running.replica_set, running.gateways, running.indexer, fault_begins)
        schedule.run(0.0)
        running.wait_for_events(BETWEEN)
        account = running.finish()
        assert set(schedule.done) == set(schedule.kinds)
        assert len(told) == len(schedule.kinds)
    assert account.good, account
    assert account.acknowledged > 500
    assert account.finished > 20
    assert account.index_requests >= account.finished


def after_the_newest_was_taken_away(directory: Path, *, weak: bool) -> Account:
    with deployed(directory, 7, SIZE, weak=weak) as running:
        running.wait_for_events(200)
        lose_the_newest(running.replica_set)
        running.wait_for_events(50)
        return running.finish()


def test_the_account_finds_a_loss_where_there_is_one(nothing_left: None, tmp_path: Path) -> None:
    """The same twice: as the product is, and made to answer before a majority has the event."""
    sound = after_the_newest_was_taken_away(tmp_path / "sound", weak=False)
    assert sound.good, sound
    weak = after_the_newest_was_taken_away(tmp_path / "weak", weak=True)
    assert weak.lost > 0
    assert not weak.good
