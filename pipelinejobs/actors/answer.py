"""What the answers of other servers mean for a message of ours."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from pipelinejobs.errors import Undelivered

_LONGEST_WAIT: Final = 86_400.0


def check(status: int, retry_after: str | None) -> None:
    """Returns when a status says that the message was taken.

    Args:
        status: the HTTP status.
        retry_after: the header of that name; it counts with 429 and 503.

    Raises:
        Undelivered: it was not taken.
    """
    if 200 <= status <= 299:
        return
    if 300 <= status <= 399:
        raise Undelivered(f"it answered {status}; redirects are not followed")
    raise Undelivered(f"it answered {status}", _seconds(retry_after) if status in (429, 503) else None)


def _seconds(retry_after: str | None) -> float | None:
    """Seconds to wait, from a number or an HTTP date; None where the header says nothing usable."""
    if retry_after is None:
        return None
    text = retry_after.strip()
    if text.isascii() and text.isdigit() and len(text) <= 9:
        return min(float(text), _LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max((moment - datetime.now(UTC)).total_seconds(), 0.0), _LONGEST_WAIT)
