"""Figures of `make bench`: ratios, their spread, their goals, and the table."""

import pytest

from tools.bench.figure import Figure, Goal, at_least, at_most, table
from tools.bench.raw import p99

FAST = Figure("events/s", "raw driver", [0.8, 1.25, 0.951], at_least(0.9))
DEAR = Figure("an event applied", "bare script", [1.5, 1.4, 1.6, 1.41], at_most(1.3))
SHOWN = Figure("memory", "-", [35.94], unit="MB")


@pytest.mark.parametrize(
    ("goal", "value", "kept"),
    [
        (at_most(1.3), 1.3, True),
        (at_most(1.3), 1.31, False),
        (at_least(0.9), 0.9, True),
        (at_least(0.9), 0.89, False),
    ],
)
def test_a_goal(goal: Goal, value: float, kept: bool) -> None:
    assert goal.kept_by(value) is kept


def test_the_median_is_what_counts() -> None:
    assert FAST.kept is True
    assert DEAR.kept is False


def test_a_figure_without_a_goal_is_only_shown() -> None:
    assert SHOWN.kept is None
    assert SHOWN.row() == ("memory", "-", "-", "35.9 MB [35.9..35.9]", "-")


def test_the_table() -> None:
    assert table([FAST, DEAR, SHOWN]).splitlines() == [
        "================  ===========  ==============  ==========================  ====",
        "what              against      goal            median [smallest..largest]  kept",
        "================  ===========  ==============  ==========================  ====",
        "events/s          raw driver   at least 0.9 x  0.95 x [0.80..1.25]         yes",
        "an event applied  bare script  at most 1.3 x   1.46 x [1.40..1.60]         no",
        "memory            -            -               35.9 MB [35.9..35.9]        -",
        "================  ===========  ==============  ==========================  ====",
    ]


def test_p99_counts_those_that_would_have_waited_too() -> None:
    assert p99([0.001] * 1000) == 0.001
    assert p99([0.001] * 990 + [0.002] * 10) == 0.002
    stuck = [0.001] * 999 + [1.0]
    assert sorted(stuck)[990] == 0.001
    assert p99(stuck) > 0.5
