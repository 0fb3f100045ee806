"""A figure: one measurement in several rounds, compared with its goal; and the table of all figures."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

_HEADINGS: Final = ("what", "against", "goal", "median [smallest..largest]", "kept")


@dataclass(frozen=True, slots=True)
class Goal:
    """The limit that a figure should not exceed (or, with at_most false, reach)."""

    limit: float
    at_most: bool

    def kept_by(self, value: float) -> bool:
        """True if the value meets the goal."""
        return value <= self.limit if self.at_most else value >= self.limit


def at_most(limit: float) -> Goal:
    """The goal to be at most this."""
    return Goal(limit, at_most=True)


def at_least(limit: float) -> Goal:
    """The goal to be at least this."""
    return Goal(limit, at_most=False)


@dataclass(frozen=True, slots=True)
class Figure:
    """
    Attributes:
        what: what is measured.
        against: what it is compared with in the same run.
        rounds: the result of each round.
        goal: the goal; None if the figure is only shown.
        unit: `x` for a ratio.
    """

    what: str
    against: str
    rounds: Sequence[float]
    goal: Goal | None = None
    unit: str = "x"

    @property
    def kept(self) -> bool | None:
        """True if the median meets the goal; None without a goal."""
        return self.goal.kept_by(median(self.rounds)) if self.goal else None

    def row(self) -> tuple[str, ...]:
        """The cells of the figure's row in the table."""
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
    """The table of all figures, in reStructuredText."""
    rows = [_HEADINGS, *(figure.row() for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    line = "  ".join("=" * width for width in widths)
    first, *others = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join([line, first, line, *others, line])
