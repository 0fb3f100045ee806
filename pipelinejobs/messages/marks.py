"""Marks in an event's data: what was replaced in a report or left out of it, and why.

Marks are not part of what a report says: they change neither its id nor the comparison of two reports.
"""

from typing import Any, Final

KEY: Final = "mended"
"""The key in an event's data that holds the marks, a list of texts `path: problem; what was done`."""

MOST: Final = 20
"""The most marks of one report; a further mark says how many were left out."""


class Marks:
    """The marks of one report, in the order in which they were added, without repetitions."""

    def __init__(self) -> None:
        self._texts: dict[str, None] = {}
        self._others = 0

    def add(self, path: str, what: str) -> None:
        """Adds a mark for the value at `path`: its problem, and what was done."""
        if len(self._texts) < MOST:
            self._texts[f"{path}: {what}"] = None
        else:
            self._others += 1

    def texts(self) -> list[str]:
        """The marks, for the data."""
        return [*self._texts, *([f"and {self._others} more"] if self._others else [])]


def marked(data: dict[str, Any] | None, marks: Marks) -> dict[str, Any] | None:
    """An event's data with the marks under `mended`; if the data have such a key, under `_mended` and so on."""
    texts = marks.texts()
    if not texts:
        return data
    own = data or {}
    return {**own, _free(own): texts}


def unmarked(data: Any) -> Any:
    """An event's data without its marks; any other value as it is."""
    if not isinstance(data, dict) or KEY not in data:
        return data
    last = _free(data).removeprefix("_")
    return {key: value for key, value in data.items() if key != last}


def _free(data: dict[str, Any]) -> str:
    """The first of `mended`, `_mended` and so on that is no key of the data."""
    key = KEY
    while key in data:
        key = f"_{key}"
    return key
