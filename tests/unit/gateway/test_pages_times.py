"""Reading and showing times in forms for people."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import DatetimeMS

from pipelinejobs.gateway.pages import times
from pipelinejobs.util.errors import Malformed

NOW = datetime(2026, 11, 25, 14, 30, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-24", datetime(2026, 11, 24, tzinfo=UTC)),
        ("2026-11-24 08:15", datetime(2026, 11, 24, 8, 15, tzinfo=UTC)),
        ("2026-11-24 08:15:30 UTC", datetime(2026, 11, 24, 8, 15, 30, tzinfo=UTC)),
        ("2026-11-24T08:15:00+02:00", datetime(2026, 11, 24, 6, 15, tzinfo=UTC)),
        ("2026-11-24T08:15:00Z", datetime(2026, 11, 24, 8, 15, tzinfo=UTC)),
        ("90m", NOW - timedelta(minutes=90)),
        ("90 min", NOW - timedelta(minutes=90)),
        ("90 minutes", NOW - timedelta(minutes=90)),
        ("5 mins ago", NOW - timedelta(minutes=5)),
        ("2h", NOW - timedelta(hours=2)),
        ("2 hours ago", NOW - timedelta(hours=2)),
        (" 1 Day ", NOW - timedelta(days=1)),
        ("3w", NOW - timedelta(weeks=3)),
        ("today", datetime(2026, 11, 25, tzinfo=UTC)),
        ("Yesterday", datetime(2026, 11, 24, tzinfo=UTC)),
        ("now", NOW),
    ],
)
def test_accepted_times(text: str, moment: datetime) -> None:
    assert times.parse(text, NOW, "since") == moment


@pytest.mark.parametrize("example", times.ACCEPTED.split(", "))
def test_each_example_is_accepted(example: str) -> None:
    times.parse(example, NOW, "since")


@pytest.mark.parametrize("text", ["soon", "2h3", "2026-13-01", "0001-01-01T00:00+14:00", "999999w", "9" * 80, "\0"])
def test_invalid_times(text: str) -> None:
    with pytest.raises(Malformed, match="since: is not a time"):
        times.parse(text, NOW, "since")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "just now"), (4, "just now"), (5, "5 s ago"), (61, "1 min ago"), (7300, "2 h ago"), (90000, "1 d ago")],
)
def test_how_long_ago(seconds: int, words: str) -> None:
    assert times.ago(NOW - timedelta(seconds=seconds), NOW) == words


def test_times_in_the_future() -> None:
    assert times.ago(NOW + timedelta(minutes=5), NOW) == "in 5 min"


@pytest.mark.parametrize("value", [None, "soon", 7, DatetimeMS(2**60), {"$date": 1}])
def test_stored_values_that_are_no_time(value: Any) -> None:
    assert times.exact(value) == times.ago(value, NOW) == ""
    assert times.words(value)


def test_the_ends_of_the_calendar() -> None:
    for value in (datetime.min, datetime.max, datetime.max.replace(tzinfo=UTC)):  # noqa: DTZ901 - as they may be stored
        assert times.words(value)
        assert times.ago(value, NOW)
