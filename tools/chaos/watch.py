"""What people see while faults go on: how it stands, every second."""

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
"""How long the database is asked; while its primary is down, what it said before is shown."""
_ASK_EVERY: Final = 5.0


class Watch:
    """Looks at a deployment, and at what is being done to it."""

    def __init__(self, running: Deployment, schedule: Schedule) -> None:
        self._running = running
        self._schedule = schedule
        self._asked = 0.0
        self._from_database: dict[str, str] = {}

    def facts(self) -> dict[str, str]:
        """How it stands, for people."""
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
                self._from_database = {"stored, when last asked": str(stored), "oldest message owed": f"{oldest:.1f} s"}
            except PipelineJobsError:
                self._from_database.setdefault("stored, when last asked", "not known")
            self._asked = time.monotonic()
        return self._from_database


@contextmanager
def watched(running: Deployment, schedule: Schedule, progress: Progress, seconds: float) -> Iterator[None]:
    """Shows how it stands as long as the context lasts, which is meant to be so many seconds."""
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
