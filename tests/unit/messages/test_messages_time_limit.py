"""The job system's limit in the data of a report: read where it is one, ignored where it is anything else."""

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelinejobs.messages import time_limit

HOUR = 3600


def tapis(text: Any) -> dict[str, Any]:
    """The data of a notification with this text in its event."""
    return {"event": {"type": "jobs.JOB_NEW_STATUS.RUNNING", "data": text}}


@pytest.mark.parametrize(
    ("data", "seconds"),
    [
        ({"maxRunTime": "04:00:00"}, 4 * HOUR),
        ({"maxRunTime": "00:00:01"}, 1),
        ({"maxRunTime": "999:59:59"}, 999 * HOUR + 59 * 60 + 59),
        ({"maxRunTime": " 4:0:0 "}, 4 * HOUR),
        ({"maxMinutes": 90}, 90 * 60),
        (tapis('{"newJobStatus": "RUNNING", "maxMinutes": 10}'), 600),
        ({"maxRunTime": None, "maxMinutes": 1}, 60),
    ],
)
def test_a_limit_is_read(data: Any, seconds: int) -> None:
    assert time_limit.seconds(data) == seconds


@pytest.mark.parametrize("value", ["", "4", "4h", "04:00", "-1:00:00", "00:00:00", "1:60:00", "1:00:00:00", "١:00:00"])
def test_a_run_time_that_is_none_is_ignored(value: str) -> None:
    assert time_limit.seconds({"maxRunTime": value}) is None


@pytest.mark.parametrize("value", [0, -1, True, 1.5, "90", None, [], {}, 10**400, float("nan"), float("inf")])
def test_minutes_that_are_none_are_ignored(value: Any) -> None:
    assert time_limit.seconds({"maxMinutes": value}) is None
    assert time_limit.seconds({"maxRunTime": value}) is None


@pytest.mark.parametrize(
    "text", [None, 1, "", "maxMinutes", '{"maxMinutes": ', "[" * 10_000 + "maxMinutes", '["maxMinutes"]']
)
def test_a_notification_without_one_is_ignored(text: Any) -> None:
    assert time_limit.seconds(tapis(text)) is None


def test_more_than_ten_years_is_no_limit() -> None:
    assert time_limit.seconds({"maxMinutes": time_limit.LONGEST // 60}) == time_limit.LONGEST
    assert time_limit.seconds({"maxMinutes": time_limit.LONGEST // 60 + 1}) is None
    assert time_limit.seconds({"maxRunTime": "999999:00:00"}) is None


_KEYS: Final = ("maxMinutes", "maxRunTime")
_VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.from_regex(r"-?[0-9]{0,9}:[0-9]{0,3}:\d*"),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(("event", "data", *_KEYS)), inner),
)


@pytest.mark.hypothesis
@given(_VALUES, _VALUES)
def test_no_value_is_an_error(data: Any, inner: Any) -> None:
    for one in (data, {"maxRunTime": data, "maxMinutes": inner}, tapis(json.dumps({"maxMinutes": data}))):
        found = time_limit.seconds(one)
        assert found is None or 0 < found <= time_limit.LONGEST


@pytest.mark.hypothesis
@given(st.integers(1, time_limit.LONGEST))
def test_each_limit_is_read_as_it_was_written(seconds: int) -> None:
    text = f"{seconds // HOUR:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    assert time_limit.seconds({"maxRunTime": text}) == seconds
