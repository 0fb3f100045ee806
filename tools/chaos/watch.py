"""Shows the progress of a run on the terminal, every second."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pipelinejobs.cli.progress import Progress
from pipelinejobs.store.connection import within
from pipelinejobs.util.errors import PipelineJobsError
from tools.chaos.deployment import Deployment
from tools.chaos.schedule import Schedule

_LOOK_SECONDS: Final = 1.0
_ASK_SECONDS: Final = 2.0
"""Time limit of the queries. While the primary is down, the results of the last query are shown."""
_ASK_EVERY: Final = 5.0


class Watch:
    """Reads the state of the deployment and of the schedule."""

    def __init__(self, running: Deployment, schedule: Schedule) -> None:
        self._running = running
        self._schedule = schedule
        self._asked = 0.0
        self._from_database: dict[str, str] = {}

    def facts(self) -> dict[str, str]:
        """The present figures, as text."""
        ledger = self._running.ledger
        answers = ledger.answers.copy()
        unanswered = sum(count for what, count in answers.items() if what.startswith("no answer"))
        held = [one.get("memory_kib", 0) / 1024 for one in self._running.resources()]
        return {
            "fault now": self._schedule.now or "none",
            "acknowledged": f"{ledger.events} (duplicates: {answers['duplicate']})",
            **self._stored(),
            "refused": f"{answers['503']} unavailable, {unanswered} without an answer",
            "surprises": str(len(ledger.surprises)),
            "gateways": ", ".join(f"{memory:.0f} MiB" if memory else "gone" for memory in held),
        }

    def _stored(self) -> dict[str, str]:
        if time.monotonic() - self._asked > _ASK_EVERY:
            try:
                with within(_ASK_SECONDS):
                    oldest = max(depth.oldest for depth in self._running.store.outbox.depths())
                    stored = self._running.events_stored()
                self._from_database = {
                    "stored, at the last query": str(stored),
                    "oldest message": f"{oldest:.1f} s",
                }
            except PipelineJobsError:
                self._from_database.setdefault("stored, at the last query", "not known")
            self._asked = time.monotonic()
        return self._from_database


@contextmanager
def watched(running: Deployment, schedule: Schedule, progress: Progress, seconds: float) -> Iterator[None]:
    """Shows the figures while the context lasts, which is expected to be so many seconds."""
    watch, over, began = Watch(running, schedule), threading.Event(), time.monotonic()
    with progress.follow("Faults", seconds, "s") as tell:

        def look() -> None:
            while not over.wait(_LOOK_SECONDS):
                tell(time.monotonic() - began, watch.facts())

        looking = threading.Thread(target=look, name="watch", daemon=True)
        looking.start()
        try:
            yield
        finally:
            over.set()
            looking.join()
