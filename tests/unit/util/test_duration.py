"""Durations as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelinejobs.util.duration import LONGEST, UNITS, seconds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30s", 30),
        ("90m", 5400),
        ("6h", 21600),
        ("2d", 172800),
        ("1w", 604800),
        ("1h30m", 5400),
        ("1w2d3h4m5s", 604800 + 2 * 86400 + 3 * 3600 + 4 * 60 + 5),
        ("1.5h", 5400),
        ("300", 300),
        ("0.25", 0.25),
        ("0", 0),
        (" 6H ", 21600),
        ("36600d", LONGEST),
    ],
)
def test_what_a_duration_means(text: str, expected: float) -> None:
    assert seconds(text) == expected


_NONE = ["", " ", "h", "6 h", "6x", "-6h", "+6h", "1e3", "nan", "inf", "6h 30m", "30m6h", "1h1h", "1_000", "٦h", "1.h"]


@pytest.mark.parametrize("text", _NONE)
def test_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be a number with a unit, such as 30s, 90m, 6h"):
        seconds(text)


@pytest.mark.parametrize("text", ["36601d", "999999999999w", "999999999999"])
def test_longer_than_any_job(text: str) -> None:
    with pytest.raises(ValueError, match="must be at most a hundred years"):
        seconds(text)


@given(st.dictionaries(st.sampled_from([*UNITS]), st.integers(0, 99), min_size=1))
def test_parts_add_up(parts: dict[str, int]) -> None:
    text = "".join(f"{parts[unit]}{unit}" for unit in UNITS if unit in parts)
    assert seconds(text) == sum(UNITS[unit] * number for unit, number in parts.items())


@given(st.text(max_size=12))
def test_any_text_is_a_duration_or_an_error_that_says_what_it_must_be(text: str) -> None:
    problem, found = "", 0.0
    try:
        found = seconds(text)
    except ValueError as error:
        problem = str(error)
    assert 0 <= found <= LONGEST
    assert not problem or problem.startswith("must be ")
