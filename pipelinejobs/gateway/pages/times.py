"""Times as people write and read them. Pure; all in UTC."""

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
    """The time that a text means: a date, UTC without a zone, or a duration before now.

    Args:
        name: the name of the field, for the error.

    Raises:
        Malformed: it is not a time.
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
    """A stored time in the form of `<time datetime>`; empty if it is not a time."""
    moment = _utc(value)
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment is not None else ""


def words(value: Any) -> str:
    """A stored time for people."""
    moment = _utc(value)
    if moment is not None:
        return f"{moment:%Y-%m-%d %H:%M:%S}"
    return "no date" if value is None else str(value)[:40]


def ago(value: Any, now: datetime) -> str:
    """How far a stored time is from now, in its largest unit."""
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
    except OverflowError:  # at the ends of the calendar there is no other time zone
        return value.replace(tzinfo=UTC)
