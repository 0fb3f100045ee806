"""The timeline of a job: its history in parts, the newest entries first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fsm.replay import walk
from pipelinejobs.core.job import Entry
from pipelinejobs.gateway.pages.safe_text import DisplayValue, Hide, safe
from pipelinejobs.messages.asked import was_asked
from pipelinejobs.store.history import History

PART: Final = 100
"""Most entries of a part."""
_BYTES: Final = 1024 * 1024
"""Most bytes of a part. A single larger entry is a part of its own."""


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One entry of the history.

    Attributes:
        number: its position in the whole history, from 1.
        name: the event's name.
        date: its date as stored; another program may have stored another type.
        before, after: the job's state before and after it; `after` is None if the lifecycle does not allow the event.
        implied: whether no sender sent it, because a later report implied it.
        asked: whether the job system was asked, and did not report by itself.
        data: its data; None without any.
    """

    number: int
    name: str
    date: Any
    before: str
    after: str | None
    implied: bool
    asked: bool
    data: DisplayValue | None


@dataclass(frozen=True, slots=True)
class Timeline:
    """A part of the history.

    Attributes:
        entries: the newest first.
        total: how many entries there are in all.
        older, newer: the next older and next newer part, by the number of its newest entry; None without one.
    """

    entries: list[TimelineEntry]
    total: int
    older: int | None
    newer: int | None


def timeline(history: History, uuid: str, outline: Sequence[Entry], newest: int | None, hide: Hide) -> Timeline:
    """A part of a job's history.

    Args:
        history: the stored histories.
        uuid: the job.
        outline: all entries; they may lack their data.
        newest: the number of the newest entry wanted; None: the newest of all.
        hide: hides the job's secrets in the data.

    Raises:
        Unavailable: the database cannot be asked.
    """
    total = len(outline)
    newest = total if newest is None else min(newest, total)
    steps = walk(entry.name for entry in outline)
    first, stored = _read(history, uuid, newest)
    shown = [
        TimelineEntry(
            number=number,
            name=safe(entry.name),
            date=entry.date,
            before=steps[number - 1].before,
            after=steps[number - 1].after,
            implied=isinstance(entry.data, dict) and entry.data.get("implied") is True,
            asked=was_asked(entry.data),
            data=DisplayValue(entry.data, hide) if entry.data not in (None, {}) else None,
        )
        for number, entry in enumerate(stored, first + 1)
        if number <= total
    ]
    newer = min(newest + PART, total) if newest < total else None
    return Timeline(shown[::-1], total, first or None, newer)


def _read(history: History, uuid: str, newest: int) -> tuple[int, list[Entry]]:
    """The number of entries before the part, and the entries up to `newest`; fewer if they are large."""
    for count in _counts(newest):
        first = newest - count
        page = history.page(uuid, first, count, _BYTES)
        if page is None:
            return 0, []
        if len(page.entries) == count or count == 1:
            return first, page.entries
    return 0, []


def _counts(most: int) -> Iterator[int]:
    count = min(PART, most)
    while count > 1:
        yield count
        count //= 5
    if most:
        yield 1
