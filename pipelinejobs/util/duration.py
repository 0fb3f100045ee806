"""Durations as people write them: `90m`, `6h`, `1h30m`."""

import re
from typing import Final

UNITS: Final = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}
"""Seconds of each unit, the longest first."""

LONGEST: Final = 100 * 366 * UNITS["d"]
"""The longest duration in seconds, a hundred years: a time that much earlier is still a time for MongoDB and Python."""

WANTED: Final = "a number with a unit, such as 30s, 90m, 6h, 2d or 1w, parts of these such as 1h30m, or seconds"
"""What a duration must be, in words that follow "must be"."""

_NUMBER = r"[0-9]{1,12}(?:\.[0-9]{1,9})?"
_PLAIN = re.compile(_NUMBER)
_PARTS = re.compile("".join(f"(?:({_NUMBER}){unit})?" for unit in UNITS))


def seconds(text: str) -> float:
    """The seconds of a duration. Units are s, m, h, d and w, in upper or lower case; a plain number means seconds.

    Each unit may be given once, a longer one before a shorter one. Fractions are allowed: `1.5h`.

    Raises:
        ValueError: the text is no duration, or longer than `LONGEST`; the text of the error says what it must be.
    """
    wanted = text.strip().lower()
    if _PLAIN.fullmatch(wanted):
        total = float(wanted)
    elif wanted and (parts := _PARTS.fullmatch(wanted)):
        total = sum(float(part) * UNITS[unit] for unit, part in zip(UNITS, parts.groups(), strict=True) if part)
    else:
        raise ValueError(f"must be {WANTED}")
    if total > LONGEST:
        raise ValueError("must be at most a hundred years (36600d)")
    return total
