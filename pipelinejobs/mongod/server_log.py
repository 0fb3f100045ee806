"""The log of the embedded mongod: kept short enough, and asked why a start failed."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LONGEST_BYTES: Final = 16 * 1024 * 1024
_READ_BYTES: Final = 64 * 1024
_SHOWN: Final = 500


@dataclass(frozen=True, slots=True)
class LastWords:
    """What was said before the end, at most 500 characters; `by_mongod` is false when mongod never spoke."""

    text: str
    by_mongod: bool


def opened(path: Path) -> int:
    """Make the log, or put one of more than 16 MiB aside as `*.old`; returns how many bytes it has.

    Raises OSError when it cannot be written.
    """
    if path.exists() and path.stat().st_size > LONGEST_BYTES:
        path.replace(path.with_name(path.name + ".old"))
    path.touch(mode=0o600)
    return path.stat().st_size


def last_line(path: Path) -> str:
    """The last line of the log, as it is."""
    lines = _lines(path, 0)
    return lines[-1][:_SHOWN] if lines else "(none)"


def last_words(path: Path, offset: int) -> LastWords:
    """Why mongod ended: the first error of the run whose log begins at `offset` bytes, else its last line.

    The first, for those after it are its consequences.
    """
    lines = _lines(path, offset)
    by_mongod = False
    for line in lines:
        try:
            entry = json.loads(line)
            severe = entry["s"] in ("E", "F")
            by_mongod = True
            if severe:
                text = f"{entry['msg']} {json.dumps(entry.get('attr', {}))}"
                return LastWords(text[:_SHOWN], by_mongod)
        except (ValueError, KeyError, TypeError):
            continue  # not a line of mongod's: its loader's, or a stack trace's
    return LastWords(lines[-1][:_SHOWN] if lines else "it said nothing", by_mongod)


def _lines(path: Path, offset: int) -> list[str]:
    if not path.exists():
        return []
    with path.open("rb") as log:
        log.seek(max(offset, path.stat().st_size - _READ_BYTES))
        return log.read().decode(errors="replace").strip().splitlines()
