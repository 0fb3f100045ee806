"""The output of a command: the same facts as text and as JSON."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pipelinejobs.core.views import plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """The result of a command.

    Attributes:
        data: the result for `--json`.
        lines: the result as text, for people.
        exit_code: the command's exit code.
    """

    data: Any
    lines: list[str] = field(default_factory=list)
    exit_code: int = 0

    def text(self, *, as_json: bool) -> str:
        """The text that is printed."""
        if as_json:
            return json.dumps(plain(self.data), indent=2, allow_nan=False)
        return "\n".join(printable(line) for line in self.lines)


def when(date: Any) -> str:
    """A date for people, in UTC. Another value, which another program has stored, is shown unchanged."""
    return f"{date:%Y-%m-%d %H:%M:%S}" if isinstance(date, datetime) else str(date)


def short(value: Any, width: int = 100) -> str:
    """A value as one line of JSON, cut to `width` characters; empty for None."""
    if value is None:
        return ""
    text = json.dumps(plain(value), ensure_ascii=False)
    return text if len(text) <= width else text[: width - 3] + "..."


def printable(text: str) -> str:
    """The text with control characters as escapes, so that text of other programs cannot control the terminal."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table; each column is as wide as its widest cell."""
    cells = [list(header), *([printable(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def section(heading: str, lines: Iterable[str]) -> list[str]:
    """A heading with its lines under it, or `nothing`."""
    return ["", f"{heading}:", *[f"  {line}" for line in list(lines) or ["nothing"]]]
