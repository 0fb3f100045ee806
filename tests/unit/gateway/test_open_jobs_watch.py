"""The count of the open jobs for the metrics: how often it is made, and how long it is shown."""

import pytest

from pipelinejobs.gateway.tasks.open_jobs_watch import PAUSE_SECONDS, OpenJobsWatch
from pipelinejobs.store.open_jobs import OpenJobs
from pipelinejobs.util.errors import Unavailable


class Database:
    """Counts, and takes its time for it. Each count finds one overdue job more."""

    def __init__(self) -> None:
        self.now = 100.0
        self.takes = 0.0
        self.counts = 0
        self.away = False

    def count(self) -> OpenJobs:
        if self.away:
            raise Unavailable("away")
        self.now += self.takes
        self.counts += 1
        return OpenJobs((), self.counts)


def watched() -> tuple[Database, OpenJobsWatch]:
    database = Database()
    return database, OpenJobsWatch(database.count, lambda: database.now)


def shown(watch: OpenJobsWatch) -> int | None:
    latest = watch.latest()
    return latest.overdue if latest is not None else None


def test_before_the_first_look_nothing_is_shown() -> None:
    database, watch = watched()
    assert shown(watch) is None
    assert database.counts == 0  # a scrape counts nothing


def test_the_last_count_is_shown() -> None:
    database, watch = watched()
    for number in (1, 2, 3):
        watch.look()
        assert shown(watch) == shown(watch) == number
        database.now += PAUSE_SECONDS


def test_an_old_count_is_no_longer_shown() -> None:
    database, watch = watched()
    watch.look()
    database.away = True
    database.now += PAUSE_SECONDS
    with pytest.raises(Unavailable):
        watch.look()
    assert shown(watch) == 1
    database.now += 60
    assert shown(watch) is None
    database.away = False
    watch.look()
    assert shown(watch) == 2


def test_counting_takes_two_percent_of_the_time_at_most() -> None:
    database, watch = watched()
    database.takes = 2.0
    for _ in range(100):
        watch.look()
        database.now += PAUSE_SECONDS
        assert shown(watch) is not None  # until the next count
    assert database.counts == pytest.approx(10, abs=2)
