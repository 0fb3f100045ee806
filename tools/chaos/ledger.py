"""The senders' record of all answers, with which the database is compared afterwards."""

import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Ledger:
    """Every answer, kept in memory and, line by line, in a file.

    Attributes:
        acknowledged: by job the ids of the events that were answered `applied` or `duplicate`.
        reported: by job the verdicts on the callback that ended it.
        answers: how often which answer came.
        surprises: answers that should not have come.
        longest_gap: the longest time in seconds without any acknowledgement.
    """

    file: Path
    acknowledged: dict[str, set[str]] = field(default_factory=dict)
    reported: dict[str, str] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)
    surprises: list[str] = field(default_factory=list)
    longest_gap: float = 0.0
    _last: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def acknowledge(self, job: str, event: str, verdict: str) -> None:
        """A sender got the answer that this event is durable."""
        with self._lock:
            now = time.monotonic()
            self.longest_gap, self._last = max(self.longest_gap, now - self._last), now
            self.acknowledged.setdefault(job, set()).add(event)
            self.answers[verdict] += 1
            with self.file.open("a") as lines:
                lines.write(json.dumps([job, event, verdict, round(now, 3)]) + "\n")

    def report(self, job: str, verdict: str) -> None:
        """A job system got an answer to its callback."""
        with self._lock:
            self.reported[job] = verdict
            self.answers[f"report {verdict}"] += 1

    def count(self, answer: str) -> None:
        """Any other answer, or none."""
        with self._lock:
            self.answers[answer] += 1

    def surprise(self, what: str) -> None:
        """An answer that should not have come."""
        with self._lock:
            self.surprises.append(what)

    @property
    def events(self) -> int:
        """How many events were acknowledged."""
        with self._lock:
            return sum(map(len, self.acknowledged.values()))
