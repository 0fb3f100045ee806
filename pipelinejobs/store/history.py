"""The history of a job: its newest entries in the job document, the older ones in `jobs_history`.

The document keeps the `create` entry and the newest ones. Other entries are inserted into `jobs_history`, and only then
removed from the document. After a crash in between, an entry is in both places; readers return it once. The `_id` of a
moved entry is made of the job's life and the entry's uuid, so that an entry that is moved twice is stored once, even
without the indexes.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import bson
from bson.raw_bson import RawBSONDocument
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from pipelinejobs.core.job import Entry, Job
from pipelinejobs.store import job_document, job_update, verbatim
from pipelinejobs.store.connection import Document, translated

PAGE_BYTES: Final = 4 * 1024 * 1024
"""The most bytes in a page. A page is read and sent as a whole, which delays other requests."""

_DUPLICATE_KEY: Final = 11000
_OUTLINE: Final = {"history.uuid": 1, "history.name": 1, "history.date": 1}
_OUTLINE_MOVED: Final = {"uuid": 1, "entry.uuid": 1, "entry.name": 1, "entry.date": 1}
_BATCH: Final = 500
"""The most moved entries in memory at a time. The driver itself reads up to 16 MB, which take more in Python."""
_PAGE_BATCH: Final = 4
"""The same for a page, which may end after its first entry. A batch never has more than 16 MB."""
KEPT_SHARE: Final = 0.2
"""The share of its limits that the embedded history fills after a move. With so low a share, moves are rare and
documents mostly small; MongoDB copies and journals the whole document at each event."""


class HistoryLimits(NamedTuple):
    """The most history in a job document: `history.embedded` entries and `history.embedded_bytes` bytes."""

    entries: int = 500
    size: int = 4 * 1024 * 1024

    def passed_by(self, job: Job) -> bool:
        """Whether older entries have to move before the next event is written, which may add two entries."""
        return job.entries + 2 > self.entries or (job.size > self.size and job.entries > 2)


class HistoryPage(NamedTuple):
    """A part of a history.

    Attributes:
        entries: the entries, oldest first.
        next: the offset of the following part; None if there is none.
    """

    entries: list[Entry]
    next: int | None


class History:
    """Reads history entries, and moves them to `jobs_history`."""

    def __init__(self, database: Database[Document], limits: HistoryLimits) -> None:
        self._options = database.codec_options
        as_bytes = verbatim.as_bytes(self._options)
        self._jobs = database["jobs"]
        self._raw_jobs = self._jobs.with_options(codec_options=as_bytes)
        self._moved = database["jobs_history"]
        self._raw_moved = self._moved.with_options(codec_options=as_bytes)
        self.limits = limits

    def moved_entries(self, wanted: Sequence[tuple[Job, str]]) -> dict[str, Entry]:
        """Those of the wanted entries that were moved out of their jobs, by uuid.

        Args:
            wanted: for each entry, its job and its uuid.

        Raises:
            Unavailable: the database cannot be asked.
        """
        keys = [job_document.moved_key(job.life, uuid) for job, uuid in wanted]
        with translated():
            found = list(self._raw_moved.find({"_id": {"$in": keys}}))
        entries = [self._entry(row["entry"]) for row in found]
        return {entry.uuid: entry for entry in entries}

    def entries(self, uuid: str, *, with_data: bool = True) -> Iterator[Entry]:
        """All entries of a job, oldest first, each once; none if there is no such job.

        Args:
            uuid: the job's uuid.
            with_data: whether to read the entries' data, which may be large.

        Raises:
            Unavailable: the database cannot be asked.
        """
        with translated():
            document = self._raw_jobs.find_one({"uuid": {"$eq": uuid}}, {"history": 1} if with_data else _OUTLINE)
        embedded = _entries_in(document)
        if not embedded:
            return
        yield self._entry(embedded[0])
        life = {"life": {"$eq": embedded[0].get("uuid")}}
        seen = {embedded[0].get("uuid")}
        with translated():
            moved = self._raw_moved.find(life, None if with_data else _OUTLINE_MOVED)
            for row in moved.sort("seq", 1).batch_size(_BATCH):
                seen.add(row["uuid"])
                yield self._entry(row["entry"])
        yield from (self._entry(entry) for entry in embedded[1:] if entry.get("uuid") not in seen)

    def page(self, uuid: str, offset: int, limit: int, size: int = PAGE_BYTES) -> HistoryPage | None:
        """A part of a job's history; None if there is no such job.

        A large `offset` costs no more than a small one. Besides the page, the job document and a few entries are in
        memory.

        Args:
            uuid: the job's uuid.
            offset: the number of entries to skip.
            limit: the most entries to return.
            size: the most bytes to return; the first entry is returned whatever its size.

        Raises:
            Unavailable: the database cannot be asked.
        """
        with translated():
            document = self._raw_jobs.find_one({"uuid": {"$eq": uuid}}, {"history": 1, "_moved": 1})
            if document is None:
                return None
            entries: list[Entry] = []
            for entry in self._from(offset, _entries_in(document), limit + 1):
                size -= _size(entry)
                if len(entries) == limit or (entries and size < 0):
                    return HistoryPage(entries, offset + len(entries))
                entries.append(self._entry(entry))
        return HistoryPage(entries, None)

    def _from(self, offset: int, embedded: list[RawBSONDocument], most: int) -> Iterator[RawBSONDocument]:
        """The entries from an offset on, read as they are consumed.

        Args:
            embedded: the entries in the document, as it was read just now.
            most: the most entries that will be consumed.
        """
        if not embedded:
            return
        life = {"life": {"$eq": embedded[0].get("uuid")}}
        newest = self._moved.find_one(life, {"seq": 1}, sort=[("seq", -1)])
        count = newest["seq"] + 1 if newest is not None else 0
        if offset == 0:
            yield embedded[0]
        if offset <= count:
            # An entry that is moved after the count is among those in the job, which was read before.
            rows = self._raw_moved.find({**life, "seq": {"$gte": max(offset - 1, 0), "$lt": count}}).sort("seq", 1)
            yield from (row["entry"] for row in rows.limit(most).batch_size(_PAGE_BATCH))
        yield from self._not_moved(embedded, count)[max(offset - 1 - count, 0) :]

    def _entry(self, read: RawBSONDocument) -> Entry:
        return job_document.to_entry(verbatim.value(read, self._options))

    def _not_moved(self, embedded: list[RawBSONDocument], moved: int) -> list[RawBSONDocument]:
        """The entries after `create` that are only in the document; a crash may have left some in both places."""
        life, rest = embedded[0].get("uuid"), embedded[1:]
        if not moved or not isinstance(life, str):
            return rest
        keys = [job_document.moved_key(life, entry["uuid"]) for entry in rest if isinstance(entry.get("uuid"), str)]
        both = {row["uuid"] for row in self._moved.find({"_id": {"$in": keys}, "seq": {"$lt": moved}}, {"uuid": 1})}
        return [entry for entry in rest if entry.get("uuid") not in both]

    def move(self, job: Job) -> bool:
        """Moves the oldest entries out of the document, until `KEPT_SHARE` of the limits is filled.

        It may be interrupted anywhere, and several processes may do it at the same time. Entries are copied byte by
        byte. Entries without a uuid of their own stay in the document; python-datacatalog writes no such entries.

        Returns:
            Whether entries were moved. If so, the job has changed and has to be read again.

        Raises:
            Unavailable: the database cannot be asked or did not answer; a part of the move does no harm.
        """
        with translated():
            document = self._raw_jobs.find_one(
                {"_id": {"$eq": job.key}, "uuid": {"$eq": job.uuid}}, {"history": 1, "_moved": 1}
            )
        history = _as_list(document.get("history")) if document is not None else []
        if document is None or job.former_life or not history or _uuid(history[0]) != job.life:
            return False
        leaving = self._leaving(history)
        if not leaving:
            return False
        start = document.get("_moved") or 0
        with translated():  # not `writing`: a repetition does no harm, so the outcome need not be known
            self._insert(job, leaving, start)
            self._jobs.update_one(
                {
                    "_id": {"$eq": job.key},
                    "uuid": {"$eq": job.uuid},
                    "history.0.uuid": {"$eq": job.life},
                    "_moved": job_update.moved(start),
                },
                {
                    "$pull": {"history": {"uuid": {"$in": [entry["uuid"] for entry in leaving]}}},
                    "$set": {"_moved": start + len(leaving), "_life": job.life, "_attempt": job.attempt},
                },
            )
        return True

    def _insert(self, job: Job, leaving: list[RawBSONDocument], start: int) -> None:
        """Inserts entries into `jobs_history`, except those that are there already."""
        rows = [
            {
                "_id": job_document.moved_key(job.life, entry["uuid"]),
                "job": job.uuid,
                "life": job.life,
                "seq": sequence,
                "uuid": entry["uuid"],
                "entry": entry,
            }
            for sequence, entry in enumerate(leaving, start)
        ]
        try:
            self._moved.insert_many(rows, ordered=False)
        except BulkWriteError as error:
            if any(failed["code"] != _DUPLICATE_KEY for failed in error.details["writeErrors"]):
                raise

    def _leaving(self, history: list[Any]) -> list[RawBSONDocument]:
        """The oldest entries after `create` that have to be moved so that the newest fit."""
        room = int(self.limits.entries * KEPT_SHARE) - 1
        space = int(self.limits.size * KEPT_SHARE) - _size(history[0])
        kept = 0
        for entry in reversed(history[1:]):
            space -= _size(entry)
            if kept >= 1 and (kept >= room or space < 0):
                break
            kept += 1
        carriers = Counter(map(_uuid, history))
        return [
            entry
            for entry in history[1 : len(history) - kept]
            if isinstance(entry, RawBSONDocument) and _uuid(entry) is not None and carriers[_uuid(entry)] == 1
        ]


def _entries_in(document: Mapping[str, Any] | None) -> list[RawBSONDocument]:
    history = _as_list(document.get("history")) if document is not None else []
    return [entry for entry in history if isinstance(entry, RawBSONDocument)]


def _size(entry: Any) -> int:
    return len(entry.raw) if isinstance(entry, RawBSONDocument) else len(bson.encode({"": entry}))


def _uuid(entry: Any) -> str | None:
    uuid = entry.get("uuid") if isinstance(entry, RawBSONDocument) else None
    return uuid if isinstance(uuid, str) else None


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
