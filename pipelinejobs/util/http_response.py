"""What the answers of other servers mean for a message of ours."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

from pipelinejobs.util.errors import Undelivered

LONGEST_WAIT: Final = 86_400.0
"""Seconds; a receiver that asks for more is asked again after a day."""

_LONGEST_DATE: Final = 64


def check(receiver: str, status: int, retry_after: str | None) -> None:
    """Returns when a status says that the message was taken.

    Args:
        receiver: what a reason calls the other side. Its own words are left out: it could repeat our secrets.
        status: the HTTP status.
        retry_after: the header of that name; it counts with 429 and 503.

    Raises:
        Undelivered: it was not taken.
    """
    if 200 <= status <= 299:
        return
    if 300 <= status <= 399:
        raise Undelivered(f"{receiver} answered {_named(status)}; redirects are not followed")
    asked = seconds(retry_after, datetime.now(UTC)) if retry_after is not None and status in (429, 503) else None
    raise Undelivered(f"{receiver} answered {_named(status)}", asked)


def seconds(retry_after: str, now: datetime) -> float | None:
    """Seconds to wait, from 0 to a day, of a number or an HTTP date (RFC 9110, 10.2.3).

    None where the header says nothing usable.
    """
    text = retry_after.strip()
    if text.isascii() and text.isdigit() and len(text) <= 9:
        return min(float(text), LONGEST_WAIT)
    if len(text) > _LONGEST_DATE:
        return None
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:  # "-0000" says UTC, and nothing about the sender's zone
            moment = moment.replace(tzinfo=UTC)
        return min(max((moment - now).total_seconds(), 0.0), LONGEST_WAIT)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _named(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
