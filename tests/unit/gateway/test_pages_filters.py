"""The filters of the list of jobs."""

from datetime import UTC, datetime, timedelta

import pytest

from fsm.lifecycle import STATES
from pipelinejobs.gateway.pages import filters
from pipelinejobs.store.listing import Filter

NOW = datetime(2026, 11, 25, 14, 30, tzinfo=UTC)
PIPELINE = "10650844-1baa-55c5-a481-5e945b19c065"


def test_no_filter_matches_all_jobs() -> None:
    read = filters.read([], {}, NOW)
    assert (read.filter, read.is_any, read.query()) == (Filter(), False, "")


def test_all_of_them() -> None:
    given = {"text": " night run ", "pipeline": PIPELINE, "since": "2h", "before": "now"}
    given |= {"quiet_for": " 6h ", "overdue": "true"}
    read = filters.read(["RUNNING", "FAILED"], given, NOW)
    assert read.filter == Filter(
        states=("RUNNING", "FAILED"),
        pipeline=PIPELINE,
        text="night run",
        updated_since=NOW - timedelta(hours=2),
        updated_before=NOW,
        quiet_for=21_600,
        overdue=True,
    )
    assert read.shows_more
    assert read.query(cursor="c&d") == (
        f"?state=RUNNING&state=FAILED&text=night+run&pipeline={PIPELINE}&since=2h&before=now"
        "&quiet_for=6h&overdue=true&cursor=c%26d"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pipeline", "1065"),
        ("pipeline", f"{PIPELINE}0"),
        ("text", "x" * 201),
        ("text", "a\0b"),
        ("since", "soon"),
        ("before", "later"),
        ("quiet_for", "soon"),
        ("quiet_for", "-6h"),
        ("quiet_for", "9999w"),
    ],
)
def test_an_invalid_value_is_reported_for_its_field(name: str, value: str) -> None:
    read = filters.read([], {name: value}, NOW)
    assert read.filter is None
    assert list(read.wrong) == [name]
    assert read.texts[name]  # which stays, to be mended


@pytest.mark.parametrize("value", ["true", "1", "on", "YES"])
def test_the_box_for_overdue_jobs(value: str) -> None:
    read = filters.read([], {"overdue": value}, NOW)
    assert (read.filter, read.is_any, read.shows_more) == (Filter(overdue=True), True, True)
    assert read.query() == "?overdue=true"


@pytest.mark.parametrize("value", ["", "false", "0"])
def test_the_box_is_not_ticked(value: str) -> None:
    assert filters.read([], {"overdue": value}, NOW).filter == Filter()


def test_an_unknown_state_is_invalid() -> None:
    read = filters.read(["RUNNING", "LOST"], {}, NOW)
    assert read.wrong == {"state": "LOST is not a state of a job."}
    assert read.states == ("RUNNING",)


def test_an_empty_time_span_is_invalid() -> None:
    assert list(filters.read([], {"since": "1h", "before": "2h"}, NOW).wrong) == ["before"]


def test_states_come_in_the_order_of_the_lifecycle() -> None:
    assert filters.read(sorted(STATES), {}, NOW).states == tuple(STATES)
