"""Puts store, policy, outbox and manager together, for both entry points, the operators' commands and the tests.

The gateway adds its own parts (`gateway.parts`).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from pipelinejobs import actors
from pipelinejobs.core.tokens import Policy
from pipelinejobs.runtime import Context
from pipelinejobs.service.manager import Manager
from pipelinejobs.service.outbox_relay import OutboxRelay, SendAttempt, silent
from pipelinejobs.settings import Settings
from pipelinejobs.store import Store, history, refused
from pipelinejobs.util.backoff import Backoff
from pipelinejobs.util.errors import WrongSetting
from pipelinejobs.util.secret import Secret

if TYPE_CHECKING:  # most runs need none of these
    from pipelinejobs.mongod import Mongod, Running
    from pipelinejobs.service.reconcile import Reconciler
    from pipelinejobs.service.requeue import Queue, Requeue

_WHERE_MONGODB_IS: Final = frozenset({"mongodb.authn", "mongodb.uri", "mongodb.username"})


class Services(NamedTuple):
    """The objects that do the work.

    Attributes:
        embedded: the embedded MongoDB server, if that is the database; else None.
    """

    settings: Settings
    store: Store
    outbox: OutboxRelay
    manager: Manager
    embedded: "Mongod | None"

    def leave(self) -> None:
        """Tells the embedded server that a resident process no longer uses it. The last user stops the server.

        Raises:
            WrongSetting, Unavailable: the server cannot be stopped.
        """
        if self.embedded is not None:
            self.embedded.leave()


def services(
    settings: Settings,
    context: Context,
    *,
    progress: Callable[[SendAttempt], None] = silent,
    brief: bool = False,
    resident: bool = False,
) -> Services:
    """Makes the objects. If no database is configured, the embedded server is started; nothing is sent to it yet.

    Args:
        settings: the settings.
        context: what Abaco says about the message and the container.
        progress: called after each attempt to send a message to another actor.
        brief: True in a process that lives for seconds.
        resident: True in a process that serves until it is stopped. It then counts as a user of the embedded server
            until it calls `Services.leave`; the server stops with its last user.

    Raises:
        WrongSetting: no setting says where MongoDB is, or the setting is not usable.
        Unavailable: the embedded server cannot be started.
    """
    configured = settings.mongodb.connection()
    own = mongod(settings) if configured is None else None
    running = _start(own, settings, context, resident=resident) if own is not None else None
    uri = configured if running is None else Secret(running.uri)
    assert uri is not None
    store = Store.at(
        uri,
        settings.mongodb.database,
        timeout=settings.limits.database,
        history_limits=history.HistoryLimits(settings.history.embedded, settings.history.embedded_bytes),
        refused_limits=refused.RefusedLimits(
            per_job=settings.refused.per_job, size=settings.refused.bytes, days=settings.refused.days
        ),
        executions_days=settings.gateway.executions_days,
        brief=brief,
    )
    outbox = OutboxRelay(
        store,
        _indexer(settings, context),
        Backoff(
            attempts=settings.outbox.attempts,
            first=settings.outbox.first_delay,
            longest=settings.outbox.longest_delay,
        ),
        seconds=settings.limits.indexer,
        progress=progress,
    )
    manager = Manager(store, policy(settings), outbox, database_seconds=settings.limits.database)
    return Services(settings, store, outbox, manager, embedded=own)


def requeue(settings: Settings, context: Context) -> "Requeue":
    """Sends a message back to the queue that it came from, if that is a queue of Abaco's."""
    from pipelinejobs.service.requeue import Requeue

    limits = Backoff(attempts=settings.requeue.attempts, longest=settings.requeue.longest_delay)
    return Requeue(_own_queue(settings, context), limits)


def reconciler(services: Services) -> "Reconciler | None":
    """Asks job systems about jobs; None if no setting says where one is.

    Raises:
        WrongSetting: a setting of a job system is missing or not usable.
    """
    from pipelinejobs import job_systems
    from pipelinejobs.service.reconcile import Reconciler

    settings = services.settings
    systems = job_systems.from_settings(settings.reconcile)
    if not systems.names:
        return None
    return Reconciler(services.store, services.manager, systems, database_seconds=settings.limits.database)


def policy(settings: Settings) -> Policy:
    """The rules for tokens, from the settings `tokens.*`."""
    tokens = settings.tokens
    return Policy(
        admin_key=tokens.admin_key,
        admin_secret=tokens.admin_secret,
        admin_lifetime=tokens.admin_lifetime,
        trust_on_first_use=tokens.trust_on_first_use,
        trusted_indexers=frozenset(tokens.trusted_indexers),
    )


def mongod(settings: Settings) -> "Mongod":
    """The embedded MongoDB server for a laptop, with its data in the directory `mongodb.embedded_directory`."""
    from pipelinejobs.mongod import Mongod

    return Mongod(settings.mongodb.embedded_directory)


def _start(own: "Mongod", settings: Settings, context: Context, *, resident: bool) -> "Running":
    if context.actor_id is not None and not context.local:
        raise WrongSetting(
            "mongodb.authn",
            "is not set; an actor on Abaco needs _REACTOR_MONGODB_AUTHN, a connection string in urlsafe base64",
        )
    pinned = [name for name, pin in settings.pinned.items() if pin is not None and name in _WHERE_MONGODB_IS]
    if pinned:
        raise WrongSetting(pinned[0], "is pinned in config.yml, but is not set in the environment")
    return own.use() if resident else own.start()


def _indexer(settings: Settings, context: Context) -> actors.Actor | None:
    if settings.pipelines.job_indexer_url is not None:
        return actors.at_url(settings.pipelines.job_indexer_url)
    if context.api_server is None:
        return None
    return actors.on_abaco(
        settings.pipelines.job_indexer_id,
        api_server=context.api_server,
        nonce=settings.pipelines.job_indexer_nonce,
        access_token=context.access_token,
        provenance=context.provenance,
    )


def _own_queue(settings: Settings, context: Context) -> "Queue | None":
    """The actor's own queue: by its alias and nonce if there is a nonce, else by its id and the token from Abaco."""
    api_server, actor_id, nonce = context.api_server, context.actor_id, settings.pipelines.job_manager_nonce
    if api_server is None or actor_id is None or context.local:
        return None
    return lambda parameters: actors.on_abaco(
        actor_id if nonce is None else settings.pipelines.job_manager_id,
        api_server=api_server,
        nonce=nonce,
        access_token=context.access_token if nonce is None else None,
        provenance={**context.provenance, **parameters},
    )
