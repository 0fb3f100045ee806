"""A figure: one measurement in several rounds, held against its goal; and the table of all of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

_HEADINGS: Final = ("what", "against", "goal", "median [smallest..largest]", "kept")


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure should be: at most, or at least, this."""

    limit: float
    at_most: bool

    def kept_by(self, value: float) -> bool:
        """Whether this is as it should be."""
        return value <= self.limit if self.at_most else value >= self.limit


def at_most(limit: float) -> Goal:
    """The goal not to be above this."""
    return Goal(limit, at_most=True)


def at_least(limit: float) -> Goal:
    """The goal not to be below this."""
    return Goal(limit, at_most=False)


@dataclass(frozen=True, slots=True)
class Figure:
    """
    Attributes:
        what: what is measured.
        against: what it is compared with in the same run.
        rounds: what came of each round.
        goal: what it should be; None where it is only shown.
        unit: `x` for a ratio.
    """

    what: str
    against: str
    rounds: Sequence[float]
    goal: Goal | None = None
    unit: str = "x"

    @property
    def kept(self) -> bool | None:
        """Whether the median is as it should be; None without a goal."""
        return self.goal.kept_by(median(self.rounds)) if self.goal else None

    def row(self) -> tuple[str, ...]:
        """For the table."""
        words = {True: "yes", False: "no", None: "-"}
        return self.what, self.against, self._wanted(), self._measured(), words[self.kept]

    def __str__(self) -> str:
        return f"{self.what}: {self._measured()} of {self.against}"

    def _wanted(self) -> str:
        if self.goal is None:
            return "-"
        return f"at {'most' if self.goal.at_most else 'least'} {self.goal.limit:g} {self.unit}"

    def _measured(self) -> str:
        middle, least, most = (
            f"{value:.2f}" if self.unit == "x" else f"{value:.1f}"
            for value in (median(self.rounds), min(self.rounds), max(self.rounds))
        )
        return f"{middle} {self.unit} [{least}..{most}]"


def table(figures: Iterable[Figure]) -> str:
    """All figures in reStructuredText."""
    rows = [_HEADINGS, *(figure.row() for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    line = "  ".join("=" * width for width in widths)
    first, *others = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join([line, first, line, *others, line])
