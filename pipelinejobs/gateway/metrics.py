"""The gateway's metrics, in the text format of Prometheus. No label names a job, a user or a nonce.

A renamed metric is exported under its old name too for one release; the HELP text of the old name says so.
"""

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
from pipelinejobs.messages.event import Kind
from pipelinejobs.service.outbox_relay import Tally
from pipelinejobs.service.reapply import OUTCOMES
from pipelinejobs.service.reconcile import Result
from pipelinejobs.store.open_jobs import OpenJobs
from pipelinejobs.store.outbox import FAILED, Depth

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST

disable_created_metrics()  # type: ignore[no-untyped-call]  # prometheus_client would export the creation time of each counter

DROPPABLE: Final = ("executions", "refusals")
_OLD_KINDS: Final = {kind.word: kind.value for kind in Kind}
_OLD_REASONS: Final = {"permission": "right"}
"""Values of labels under the old names of metrics, where they differ."""
_BUCKETS: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class Metrics:
    """The counters, histograms and gauges of one process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._together = TOGETHER in os.environ
        self._verdicts = self._counter(
            "pipelinejobs_verdicts",
            "Messages answered, by verdict and by kind: command, report, or unread.",
            "verdict",
            "kind",
        )
        self._old_verdicts = self._counter(
            "pipelinejobs_deliveries",
            "Deprecated: use pipelinejobs_verdicts_total, in which the kind event is called command.",
            "verdict",
            "kind",
        )
        self._dry_runs = self._counter(
            "pipelinejobs_dry_runs",
            "Dry runs answered, by verdict. They are not among the verdicts of pipelinejobs_verdicts_total.",
            "verdict",
        )
        self._durable = Histogram(
            "pipelinejobs_durable_seconds",
            "Time from the arrival of a message until its event is durable, of applied events.",
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._refused = self._counter(
            "pipelinejobs_requests_refused",
            "Requests refused for a missing or invalid credential or for lack of a permission, by reason.",
            "reason",
        )
        self._old_refused = self._counter(
            "pipelinejobs_credentials_refused",
            "Deprecated: use pipelinejobs_requests_refused_total, in which the kind right is the reason permission.",
            "kind",
        )
        self._sent = self._counter(
            "pipelinejobs_outbox_attempts",
            "Attempts to send an outbox message to the Indexer, by outcome: sent or failed.",
            "outcome",
        )
        self._dropped = self._counter(
            "pipelinejobs_dropped",
            "Records that could not be stored after their answer: executions or refusals.",
            "what",
        )
        self._first_use = self._counter(
            "pipelinejobs_first_use", "Events applied by a token that was trusted on first use."
        )
        self._undone = self._counter(
            "pipelinejobs_undone_events",
            "Applied events that another program had undone, by outcome.",
            "outcome",
        )
        self._reconciled = self._counter(
            "pipelinejobs_reconciled",
            "Quiet jobs that were reconciled, by job system (none: not known or not configured) and by result; the "
            "result missed counts reports that were lost on their way.",
            "system",
            "result",
        )
        for what in DROPPABLE:
            self._dropped.labels(what)
        for outcome in OUTCOMES:
            self._undone.labels(outcome)
        self._watched: list[tuple[Gauge, Callable[[], float]]] = []
        self._asked = CollectorRegistry()
        """Metrics that are the same in all processes, because they are read from the database."""
        for verdict in Verdict:
            self._dry_runs.labels(verdict.value)
            for kind, old_kind in _OLD_KINDS.items():
                self._verdicts.labels(verdict.value, kind)
                self._old_verdicts.labels(verdict.value, old_kind)

    def delivered(self, verdict: Verdict, kind: str, seconds: float, *, dry_run: bool = False) -> None:
        """Counts an answered message; a dry run apart, because nothing came of it.

        Args:
            verdict: its verdict.
            kind: `Kind.word`, or `unread`.
            seconds: time from its arrival to its answer.
            dry_run: whether it was a dry run.
        """
        if self._together:
            self.look()  # Prometheus may ask another process, which reads the gauges from the shared directory
        if dry_run:
            self._dry_runs.labels(verdict.value).inc()
            return
        self._verdicts.labels(verdict.value, kind).inc()
        self._old_verdicts.labels(verdict.value, _OLD_KINDS.get(kind, kind)).inc()
        if verdict is Verdict.APPLIED:
            self._durable.observe(seconds)

    def refused(self, reason: str) -> None:
        """Counts a request that was refused for its credential, or for lack of a permission."""
        self._refused.labels(reason).inc()
        self._old_refused.labels(_OLD_REASONS.get(reason, reason)).inc()

    def sent(self, tally: Tally) -> None:
        """Counts attempts to send outbox messages to the Indexer."""
        self._sent.labels("sent").inc(tally.sent)
        self._sent.labels("failed").inc(tally.failed)

    def dropped(self, what: str, count: int) -> None:
        """Counts records that could not be stored; `what` is one of `DROPPABLE`."""
        self._dropped.labels(what).inc(count)

    def first_use(self) -> None:
        """Counts a token that was trusted on first use."""
        self._first_use.inc()

    def undone(self, outcome: str) -> None:
        """Counts an event that another program had undone; `outcome` is one of `reapply.OUTCOMES`."""
        self._undone.labels(outcome).inc()

    def asks(self, system: str) -> None:
        """Adds the counters of a job system that is asked, so that they are there before the first result."""
        for result in Result:
            self._reconciled.labels(system, _label(result))

    def reconciled(self, system: str, result: Result) -> None:
        """Counts what became of asking about a job.

        Args:
            system: the name of a job system that is asked, or `none`.
            result: the result.
        """
        self._reconciled.labels(system, _label(result)).inc()

    def watch(self, name: str, help_text: str, value: Callable[[], float]) -> None:
        """Adds a gauge whose value is read when Prometheus asks."""
        gauge = Gauge(name, help_text, registry=self._registry, multiprocess_mode="livesum")
        self._watched.append((gauge, value))

    def watch_outbox(self, depths: Callable[[], list[Depth] | None]) -> None:
        """Adds the metrics of the outbox, read when Prometheus asks.

        Args:
            depths: reads them; None if the database cannot be asked.
        """
        self._asked.register(_OutboxCollector(depths))

    def watch_open_jobs(self, latest: Callable[[], OpenJobs | None]) -> None:
        """Adds the metrics of the open jobs.

        Args:
            latest: the last count; None if there is none, and the metrics then have no values.
        """
        self._asked.register(_OpenJobsCollector(latest))

    def look(self) -> None:
        """Reads the gauges of this process. With several processes, call it now and then: one of them tells of all."""
        for gauge, value in self._watched:
            gauge.set(value())

    def text(self) -> bytes:
        """All metrics in the text format of Prometheus; with several processes, the sums of all."""
        self.look()
        shown = self._registry
        if self._together:
            shown = CollectorRegistry()
            MultiProcessCollector(shown)  # type: ignore[no-untyped-call]
        return generate_latest(shown) + generate_latest(self._asked)

    def _counter(self, name: str, help_text: str, *labels: str) -> Counter:
        return Counter(name, help_text, labels, registry=self._registry)


def of_ended_process(number: int) -> None:
    """Removes the gauges of an ended process, by its id. Its counters stay in the sums."""
    mark_process_dead(number)  # type: ignore[no-untyped-call]


class _OpenJobsCollector(Collector):
    def __init__(self, latest: Callable[[], OpenJobs | None]) -> None:
        self._latest = latest

    def collect(self) -> Iterable[Metric]:
        jobs = _gauge("pipelinejobs_jobs", "Jobs in the open states, CREATED and RUNNING.", "state")
        quietest = _gauge(
            "pipelinejobs_quietest_seconds",
            "Time since the last event of the open job that had none for the longest time, by state.",
            "state",
        )
        overdue = GaugeMetricFamily(
            "pipelinejobs_overdue_jobs", "Jobs that are RUNNING for longer than the job system's own limit."
        )
        latest = self._latest()
        if latest is not None:
            for one in latest.states:
                jobs.add_metric((one.state,), one.jobs)
                quietest.add_metric((one.state,), one.quietest)
            overdue.add_metric((), latest.overdue)
        return (jobs, quietest, overdue)

    def describe(self) -> Iterable[Metric]:
        return ()


def _label(result: Result) -> str:
    return result.value.replace(" ", "_")


class _OutboxCollector(Collector):
    def __init__(self, depths: Callable[[], list[Depth] | None]) -> None:
        self._depths = depths

    def collect(self) -> Iterable[Metric]:
        size = _gauge("pipelinejobs_outbox_size", "Outbox messages to the Indexer, by status: pending or failed.")
        age = _gauge("pipelinejobs_outbox_oldest_age_seconds", "Age of the oldest outbox message, by status.")
        old_size = _gauge(
            "pipelinejobs_outbox_messages",
            "Deprecated: use pipelinejobs_outbox_size, in which the status undelivered is called failed.",
        )
        old_age = _gauge(
            "pipelinejobs_outbox_oldest_seconds",
            "Deprecated: use pipelinejobs_outbox_oldest_age_seconds, in which undelivered is called failed.",
        )
        for depth in self._depths() or ():
            status = "failed" if depth.status == FAILED else depth.status
            size.add_metric((status,), depth.messages)
            age.add_metric((status,), depth.oldest)
            old_size.add_metric((depth.status,), depth.messages)
            old_age.add_metric((depth.status,), depth.oldest)
        return (size, age, old_size, old_age)

    def describe(self) -> Iterable[Metric]:
        return ()  # so that registering does not ask the database


def _gauge(name: str, help_text: str, label: str = "status") -> GaugeMetricFamily:
    return GaugeMetricFamily(name, help_text, labels=(label,))
