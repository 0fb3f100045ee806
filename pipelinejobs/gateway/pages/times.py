"""Reads and shows times in forms for people. All are in UTC. Pure."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pipelinejobs.util.errors import Malformed

ACCEPTED: Final = "2026-11-25, 2026-11-25 14:30, 90m, 2h, 3d, today, yesterday"
"""Examples of accepted times."""

_AGO: Final = re.compile(r"(\d{1,6})\s?(m|h|d|w)(?:in(?:ute)?s?|ours?|ays?|eeks?)?(?:\s?ago)?", re.IGNORECASE)
_UNITS: Final = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_STEPS: Final = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
_LONGEST: Final = 60


def parse(text: str, now: datetime, name: str) -> datetime:
    """Reads a time: a date, a time (UTC if it has no time zone), or a duration before now, such as `2h`.

    Args:
        text: the text.
        now: the present time.
        name: the name of the field, for the error.

    Raises:
        Malformed: the text is not a time.
    """
    text = text.strip()
    found = _AGO.fullmatch(text)
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    days = {"now": now, "today": today, "yesterday": today - timedelta(days=1)}
    try:
        if found is not None:
            return now - int(found[1]) * _UNITS[found[2].lower()]
        if text.lower() in days:
            return days[text.lower()]
        if len(text) > _LONGEST:
            raise ValueError
        moment = datetime.fromisoformat(text.removesuffix(" UTC"))
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise Malformed(name, "is not a time in an accepted form") from None


def exact(value: Any) -> str:
    """A stored time in the form of the attribute `datetime` in HTML; empty if it is not a time."""
    moment = _utc(value)
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment is not None else ""


def words(value: Any) -> str:
    """A stored time for people: to the second; another stored value as text."""
    moment = _utc(value)
    if moment is not None:
        return f"{moment:%Y-%m-%d %H:%M:%S}"
    return "no date" if value is None else str(value)[:40]


def ago(value: Any, now: datetime) -> str:
    """How long ago a stored time is, such as `3 h ago` or `in 5 min`; empty if it is not a time."""
    moment = _utc(value)
    if moment is None:
        return ""
    seconds = int((now - moment).total_seconds())
    distance = abs(seconds)
    if distance < 5:
        return "just now"
    unit, size = next((unit, size) for unit, size in _STEPS if distance >= size)
    amount = f"{distance // size} {unit}"
    return f"{amount} ago" if seconds > 0 else f"in {amount}"


def _utc(value: Any) -> datetime | None:
    if not isinstance(value, datetime):
        return None
    try:
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    except OverflowError:  # a time near year 1 or 9999 cannot be converted between time zones
        return value.replace(tzinfo=UTC)
