"""The parts of a running gateway: builds, starts and closes them."""

import os
import socket
from collections.abc import Collection
from functools import partial
from time import monotonic
from typing import Final

from pipelinejobs.bootstrap import Services, reconciler
from pipelinejobs.gateway import actor_names
from pipelinejobs.gateway.auth.factory import authenticator_for
from pipelinejobs.gateway.deliveries import Deliveries, Keep
from pipelinejobs.gateway.http.body import Bodies
from pipelinejobs.gateway.metrics import Metrics
from pipelinejobs.gateway.tasks.applied_watch import AppliedWatch
from pipelinejobs.gateway.tasks.background import Background
from pipelinejobs.gateway.tasks.batcher import Batcher
from pipelinejobs.gateway.tasks.change_feed import ChangeFeed
from pipelinejobs.gateway.tasks.job_asker import JobAsker
from pipelinejobs.gateway.tasks.open_jobs_watch import PAUSE_SECONDS, OpenJobsWatch
from pipelinejobs.gateway.tasks.outbox_sender import OutboxSender
from pipelinejobs.gateway.tasks.periodic import Periodic
from pipelinejobs.gateway.tasks.worker_pool import WorkerPool
from pipelinejobs.service.reapply import Reapplier
from pipelinejobs.service.reconcile import Reconciled
from pipelinejobs.service.remember_tokens import NewJobTokens
from pipelinejobs.store import open_jobs
from pipelinejobs.store.connection import within
from pipelinejobs.store.executions import Execution
from pipelinejobs.store.open_jobs import OpenJobs
from pipelinejobs.store.outbox import Depth
from pipelinejobs.store.store import is_too_old
from pipelinejobs.util.deadline import Deadline
from pipelinejobs.util.errors import CommandFailed, PipelineJobsError, Unavailable, WrongSetting
from pipelinejobs.util.log import logger

_READERS: Final = 8
_WAITING_READERS: Final = 64
_WAITERS_READERS: Final = 4
_WAITERS_SHARE: Final = 0.75
"""The share of connections that requests which wait for a job may hold. The others stay free for senders."""
_REDEEMING: Final = 16
_MOST_EXECUTIONS: Final = 20_000
_MOST_REFUSALS: Final = 5_000
"""Most executions and refusals that wait to be stored when the database is slow: tens of megabytes each."""
_REAPPLY_PAUSE_SECONDS: Final = 1.0
_REAPPLY_SECONDS: Final = 20.0
"""The pause between two searches for events that were undone, and the time limit of one search."""
_NEW_TOKENS_PAUSE_SECONDS: Final = 0.1
"""The pause between two searches for new jobs. A program usually calls `run()` seconds after it has created a job."""
_GAUGES_PAUSE_SECONDS: Final = 5.0
_CHECK_SECONDS: Final = 1.5
_CHECK_PAUSE_SECONDS: Final = 2.0
"""The time limit of a health check of the database, and how long its result is used."""


class GatewayParts:
    """The parts of a running gateway.

    Attributes:
        settings, store, names: the settings, the database, and the actor that the gateway serves.
        authenticator: finds the principal of a request.
        deliveries, batcher: handle messages, and judge their events.
        manager: stores refusals, and checks tokens of jobs.
        reads: threads for all other questions to the database.
        waiters_reads: threads that read for requests which wait for a job.
        health_checks: threads for /readyz and /metrics; apart, so that other requests cannot delay them.
        resends: threads that send outbox messages again while an operator waits.
        outbox: sends outbox messages.
        feed: the change feed.
        executions: stores executions after the answers.
        bodies: the memory budget of request bodies.
        stopping: whether the gateway has begun to end.
    """

    def __init__(self, services: Services) -> None:
        settings = services.settings
        self.settings = settings
        self.store = services.store
        self.names = actor_names.names(settings)
        self.metrics = Metrics()
        self.bodies = Bodies()
        workers, waiting = settings.gateway.workers, settings.gateway.waiting
        self.manager = services.manager
        self.batcher = Batcher(services.manager.judge, workers, workers + waiting)
        self._reading = WorkerPool("large messages", 1, waiting)
        self.reads = WorkerPool("database reads", _READERS, _WAITING_READERS)
        most_waiters = max(1, int(settings.gateway.connections * _WAITERS_SHARE))
        self.waiters_reads = WorkerPool("reads of waiting requests", _WAITERS_READERS, most_waiters)
        self.health_checks = WorkerPool("health checks", 2, 30)
        self.resends = WorkerPool("resends", 2, 8)
        self.outbox = services.outbox
        self._credentials = WorkerPool("credentials", _READERS, waiting)
        self._nonce_pool = WorkerPool("nonces", _REDEEMING, waiting)
        self.feed = ChangeFeed(services.store, most_waiters=most_waiters)
        self.executions: Background[Execution] = Background(
            "executions",
            self._keep_executions,
            most=_MOST_EXECUTIONS,
            dropped=self.metrics.dropped,
        )
        self._refusals: Background[Keep] = Background(
            "refusals", self._keep_refusals, most=_MOST_REFUSALS, dropped=self.metrics.dropped
        )
        self._sender = OutboxSender(services.outbox, self.metrics.sent) if services.outbox.can_send else None
        self._new_job_tokens = NewJobTokens(services.store)
        self._others = services.manager.others
        self._others.known = False
        self._reapplier = Reapplier(services.store, services.manager.judge, self._others, self.metrics.undone)
        self._applied_watch = AppliedWatch(self._reapplier)
        self._open_jobs = OpenJobsWatch(self._count_open_jobs)
        self._asker = self._job_asker(services)
        self._periodic = (
            Periodic("looking for new jobs", self._remember_new_tokens, _NEW_TOKENS_PAUSE_SECONDS),
            Periodic("looking for events that were undone", self._reapply, _REAPPLY_PAUSE_SECONDS),
            Periodic("counting the open jobs", self._open_jobs.look, PAUSE_SECONDS),
            Periodic("reading the gauges", self.metrics.look, _GAUGES_PAUSE_SECONDS),
        )
        self.authenticator = authenticator_for(
            settings.gateway, services.store.nonces, self._credentials, self._nonce_pool, self.metrics
        )
        self.deliveries = Deliveries(
            services.manager,
            self.batcher,
            self.names,
            f"{socket.gethostname()}:{os.getpid()}",
            metrics=self.metrics,
            executions=self.executions,
            refusals=self._refusals,
            sender=self._sender,
            watch=self._applied_watch,
            reading=self._reading,
        )
        self.stopping = False
        self._checked = 0.0
        self._problems: list[str] = []
        self._gauge()

    def start(self) -> None:
        """Makes the indexes, and starts the background work: sending outbox messages, finding undone events.

        Raises:
            WrongSetting: the database refuses the gateway's user, or is too old.
            Unavailable: the database cannot be asked.
        """
        with within(self.settings.limits.database):
            version = self.store.server_version()
        if is_too_old(version):
            raise WrongSetting("mongodb", f"MongoDB {version} is too old; 5.0 or newer is needed")
        try:
            self.store.ensure_indexes()
        except CommandFailed as error:
            logger.error(error.reason)  # the gateway can work without them; /readyz reports the missing ones
        self._others.agree()
        for periodic in self._periodic:
            periodic.start()
        if self._sender is None:
            logger.warning("pipelines.job_indexer_url is not set: messages to the Indexer stay pending in the outbox")
        else:
            self._sender.start()
        if self._asker is None:
            logger.info("no job system is asked about quiet jobs: none is configured (reconcile.*)")
        else:
            self._asker.start()

    def close(self, seconds: float) -> None:
        """Finishes accepted work for at most `seconds`, then closes all parts."""
        self.stopping = True
        deadline = Deadline(seconds)
        if self._asker is not None:
            self._asker.stop()
        for pool in (
            self._reading,
            self.batcher,
            self.reads,
            self.waiters_reads,
            self.health_checks,
            self.resends,
            self._credentials,
            self._nonce_pool,
        ):
            pool.close(deadline.remaining())
        for periodic in (*self._periodic, *([self._asker] if self._asker is not None else ())):
            periodic.close(deadline.remaining())
        try:
            self._applied_watch.hand_over()
        except Unavailable as error:
            logger.warning(
                "the events of the last seconds are no longer checked for being undone",
                extra={"fields": {"why": error.reason}},
            )
        if self._sender is not None:
            self._sender.close(deadline.remaining())
        self._refusals.close(deadline.remaining())
        self.executions.close(max(deadline.remaining(), 1.0))
        self.store.close()

    def problems(self) -> list[str]:
        """Why the gateway is not ready, as texts; empty if it is. The database is asked every 2 seconds at most."""
        if self.stopping:
            return ["the gateway is stopping"]
        if monotonic() - self._checked > _CHECK_PAUSE_SECONDS:
            self._problems = self._database_problems()
            self._checked = monotonic()
        return self._problems

    def _database_problems(self) -> list[str]:
        try:
            with within(_CHECK_SECONDS):
                missing = self.store.missing_indexes()
        except PipelineJobsError as error:
            return [error.reason]
        return [f"missing indexes: {', '.join(missing)}; run doctor --fix to make them"] if missing else []

    def _remember_new_tokens(self) -> None:
        if self._new_job_tokens.look():
            self._others.known = True  # this project remembers the tokens of its own jobs when it creates them

    def _reapply(self) -> None:
        """Applies events again that another program has undone."""
        self._others.agree()
        try:
            self._reapplier.look(Deadline(_REAPPLY_SECONDS))
        finally:
            self._applied_watch.look()

    def _job_asker(self, services: Services) -> JobAsker | None:
        """Asks job systems about quiet jobs; None if no server of one is configured."""
        asking = reconciler(services)
        if asking is None:
            return None
        for system in asking.names:
            self.metrics.asks(system)
        configured = services.settings.reconcile
        return JobAsker(
            asking,
            services.store.asked,
            services.store.quiet_jobs,
            every=configured.every,
            after=configured.after,
            tell=partial(self._reconciled, asking.names),
        )

    def _reconciled(self, names: Collection[str], one: Reconciled) -> None:
        """Counts what became of asking about a job. A report that was applied is treated as one that was delivered."""
        self.metrics.reconciled(one.system if one.system is not None and one.system in names else "none", one.result)
        if one.outcome is None:
            return
        fields = {"job": one.job, "system": one.system, "external": one.external, "status": one.status}
        logger.warning(
            "a report was lost on its way; the job system was asked, and its answer applied",
            extra={"fields": {**fields, "state": one.state, "execution": one.outcome.execution}},
        )
        self.deliveries.follow_up(one.outcome)

    def _keep_executions(self, executions: list[Execution]) -> None:
        with within(self.settings.limits.database):
            self.store.executions.add(executions)

    def _keep_refusals(self, refusals: list[Keep]) -> None:
        for keep in refusals:
            keep(Deadline(self.settings.limits.database))

    def _gauge(self) -> None:
        """Adds the gauges, whose values are read when Prometheus asks."""
        watch = self.metrics.watch
        in_progress = "pipelinejobs_messages_in_progress"
        watch(in_progress, "Messages that are being judged or are pending.", lambda: self.batcher.inside)
        watch("pipelinejobs_messages_inside", f"Deprecated: use {in_progress}.", lambda: self.batcher.inside)
        watch("pipelinejobs_waiters", "Requests that wait for a job.", lambda: self.feed.waiters.count)
        self.metrics.watch_outbox(self._depths)
        self.metrics.watch_open_jobs(self._open_jobs.latest)

    def _count_open_jobs(self) -> OpenJobs:
        with within(self.settings.limits.database):
            return open_jobs.count(self.store.database)

    def _depths(self) -> list[Depth] | None:
        try:
            with within(_CHECK_SECONDS):
                return self.store.outbox.depths()
        except (Unavailable, WrongSetting):
            return None
