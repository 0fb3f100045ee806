"""What `pipelinejobs doctor --repair` can repair of a stored job without guessing, and what it has to leave.

Pure: `repair_plan.plan` takes a document and returns a `Plan`; `pipelinejobs.store.repairs` writes it.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from bson import DatetimeMS

_FULL_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d([.,]\d{1,6})?(Z|[+-]\d\d:?\d\d)?")
_LONGEST: Final = 60


class Repair(NamedTuple):
    """One field to repair.

    Attributes:
        field: the field's path in MongoDB, in the job document or, if `moved` is set, in the row of `jobs_history`.
        value: the field's new value.
        why: what is wrong with the present value, for a person.
        moved: the `_id` of the row of `jobs_history`; None if the field is in the job document.
    """

    field: str
    value: Any
    why: str
    moved: Any = None


class Plan(NamedTuple):
    """What is to be done about one job.

    Attributes:
        repairs: what can be repaired.
        left: sentences about what cannot be repaired.
        owes: the history entry for which a new index request is needed, because the job's outbox is unreadable; None if
            no request is needed.
    """

    repairs: list[Repair]
    left: list[str]
    owes: Mapping[str, Any] | None = None


class MovedEntry(NamedTuple):
    """A history entry that was moved to `jobs_history`.

    Attributes:
        key: the row's `_id`.
        seq: the entry's number in the history, from 0; any value if the row is damaged.
        entry: the entry, with or without its `data`.
    """

    key: Any
    seq: Any
    entry: Mapping[str, Any]


class Findings:
    """Collects repairs, and sentences about what cannot be repaired."""

    def __init__(self) -> None:
        self.repairs: list[Repair] = []
        self.left: list[str] = []

    def set(self, field: str, value: Any, why: str) -> None:
        """Adds the repair of a field of the job document."""
        self.repairs.append(Repair(field, value, why))


def date_of(text: object) -> datetime | None:
    """The date and time in an ISO 8601 text with a `T` or a blank between them, in UTC; None if it is not a full one.

    A text without a zone is read as UTC, because python-datacatalog writes its dates in UTC.
    """
    if not isinstance(text, str) or not _FULL_DATE.fullmatch(text):
        return None
    try:
        date = datetime.fromisoformat(text.replace(",", "."))
        return date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def is_date(value: object) -> bool:
    """Whether a value that was read from MongoDB was stored as a date."""
    return isinstance(value, datetime | DatetimeMS)


def shown(value: object) -> str:
    """A value for a sentence: one line of ASCII, cut after 60 characters."""
    text = "missing" if value is None else ascii(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
