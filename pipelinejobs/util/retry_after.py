"""The header Retry-After (RFC 9110, 10.2.3)."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

LONGEST_WAIT: Final = 86_400.0
"""Seconds. If a receiver asks for a longer wait, a day is waited."""


def seconds(retry_after: str, now: datetime) -> float | None:
    """The seconds to wait, from 0 to a day; None if the header is unreadable."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit() and len(text) <= 9:
        return min(float(text), LONGEST_WAIT)
    if len(text) > 64:  # longer than any date
        return None
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:  # "-0000": UTC, from a sender in an unknown zone
            moment = moment.replace(tzinfo=UTC)
        return min(max((moment - now).total_seconds(), 0.0), LONGEST_WAIT)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
