"""What the gateway counts, in the form that Prometheus reads. No label names a job, a user or a nonce."""

import os
from collections.abc import Callable, Iterable
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from pipelinejobs.core.verdict import Verdict
from pipelinejobs.gateway.workers import TOGETHER
from pipelinejobs.service.outbox_relay import Tally
from pipelinejobs.service.reapply import OUTCOMES
from pipelinejobs.store.outbox import Depth

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST

disable_created_metrics()  # type: ignore[no-untyped-call]  # a time beside each counter, which nobody here looks at

DROPPABLE: Final = ("executions", "refusals")
_BUCKETS: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class Metrics:
    """The counters of one gateway."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._together = TOGETHER in os.environ
        self._deliveries = Counter(
            "pipelinejobs_deliveries",
            "Messages answered, by verdict and by kind: event, report, or unread.",
            ("verdict", "kind"),
            registry=self._registry,
        )
        self._durable = Histogram(
            "pipelinejobs_durable_seconds",
            "Time from the arrival of a message to its event being durable, of applied events.",
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._refused = Counter(
            "pipelinejobs_credentials_refused",
            "Requests refused for their credential, by kind.",
            ("kind",),
            registry=self._registry,
        )
        self._sent = Counter(
            "pipelinejobs_outbox_attempts",
            "Attempts to send a message to the Indexer, by outcome: sent or failed.",
            ("outcome",),
            registry=self._registry,
        )
        self._dropped = Counter(
            "pipelinejobs_dropped",
            "What was not kept after its answer: executions or refusals.",
            ("what",),
            registry=self._registry,
        )
        self._first_use = Counter(
            "pipelinejobs_first_use",
            "Events applied by a token that was trusted on first use.",
            registry=self._registry,
        )
        self._undone = Counter(
            "pipelinejobs_undone_events",
            "Applied events that another program had undone, by what became of them.",
            ("outcome",),
            registry=self._registry,
        )
        for what in DROPPABLE:
            self._dropped.labels(what)
        for outcome in OUTCOMES:
            self._undone.labels(outcome)
        self._watched: list[tuple[Gauge, Callable[[], float]]] = []
        self._asked = CollectorRegistry()
        """What is the same for all processes, and looked at when somebody asks."""
        for verdict in Verdict:
            for kind in ("event", "report"):
                self._deliveries.labels(verdict.value, kind)

    def delivered(self, verdict: Verdict, kind: str, seconds: float) -> None:
        """A message was answered, so long after it came."""
        if self._together:
            self._look()  # the process that is asked for the figures may be another
        self._deliveries.labels(verdict.value, kind).inc()
        if verdict is Verdict.APPLIED:
            self._durable.observe(seconds)

    def refused(self, kind: str) -> None:
        """A credential was refused."""
        self._refused.labels(kind).inc()

    def sent(self, tally: Tally) -> None:
        """Something was sent to the Indexer, or was not."""
        self._sent.labels("sent").inc(tally.sent)
        self._sent.labels("failed").inc(tally.failed)

    def dropped(self, what: str, count: int) -> None:
        """So many of these were not kept; `what` is one of `DROPPABLE`."""
        self._dropped.labels(what).inc(count)

    def first_use(self) -> None:
        """A token was trusted on first use."""
        self._first_use.inc()

    def undone(self, outcome: str) -> None:
        """Another program had undone an event; `outcome` is one of `journal.OUTCOMES`."""
        self._undone.labels(outcome).inc()

    def watch(self, name: str, help_text: str, value: Callable[[], float]) -> None:
        """A gauge that is read when somebody asks."""
        gauge = Gauge(name, help_text, registry=self._registry, multiprocess_mode="livesum")
        self._watched.append((gauge, value))

    def watch_outbox(self, depths: Callable[[], list[Depth] | None]) -> None:
        """The outbox, which is looked at when somebody asks; None: it cannot be looked at."""
        self._asked.register(_OutboxCollector(depths))

    def text(self) -> bytes:
        """Everything, as Prometheus reads it; where several processes serve, of all of them together."""
        self._look()
        shown = self._registry
        if self._together:
            shown = CollectorRegistry()
            MultiProcessCollector(shown)  # type: ignore[no-untyped-call]
        return generate_latest(shown) + generate_latest(self._asked)

    def _look(self) -> None:
        for gauge, value in self._watched:
            gauge.set(value())


def of_ended_process(number: int) -> None:
    """Forgets what the process with this id had open; what it has counted stays."""
    mark_process_dead(number)  # type: ignore[no-untyped-call]


class _OutboxCollector(Collector):
    def __init__(self, depths: Callable[[], list[Depth] | None]) -> None:
        self._depths = depths

    def collect(self) -> Iterable[Metric]:
        messages = GaugeMetricFamily(
            "pipelinejobs_outbox_messages", "Messages owed to the Indexer, by status.", labels=("status",)
        )
        age = GaugeMetricFamily(
            "pipelinejobs_outbox_oldest_seconds", "Age of the oldest message owed, by status.", labels=("status",)
        )
        for depth in self._depths() or ():
            messages.add_metric((depth.status,), depth.messages)
            age.add_metric((depth.status,), depth.oldest)
        return (messages, age)

    def describe(self) -> Iterable[Metric]:
        return ()  # the database need not be asked when the gateway starts
