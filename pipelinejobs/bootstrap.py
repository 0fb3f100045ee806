"""Puts store, policy, outbox and manager together, for both entry points, the operators' commands and the tests.

The gateway adds its own parts (`gateway.service`).
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

if TYPE_CHECKING:  # a run that finds its database needs none of these
    from pipelinejobs.mongod import Mongod, Running
    from pipelinejobs.service.requeue import Queue, Requeue

_WHERE_MONGODB_IS: Final = frozenset({"mongodb.authn", "mongodb.uri", "mongodb.username"})


class Services(NamedTuple):
    """The parts, ready to be used.

    Attributes:
        embedded: the laptop's own server, where that is the database.
    """

    settings: Settings
    store: Store
    outbox: OutboxRelay
    manager: Manager
    embedded: "Mongod | None"

    def leave(self) -> None:
        """A resident process does not need the embedded server any more: the last of its users stops it.

        Raises:
            WrongSetting, Unavailable: it cannot be stopped.
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
    """Puts everything together. Nothing is asked of the database yet; the embedded server is started if need be.

    Args:
        settings: the settings.
        context: where the process runs.
        progress: told about each attempt to send a message to another actor.
        brief: for a process that lives for seconds.
        resident: for a process that serves until it is told to end. It is one of the users of the embedded server,
            which ends with the last of them; `Services.leave` says that this one does not need it any more.

    Raises:
        WrongSetting: nothing says where MongoDB is, or what says so is not usable.
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
    """What brings a message back into the queue that it came from, where that is one of Abaco's."""
    from pipelinejobs.service.requeue import Requeue

    limits = Backoff(attempts=settings.requeue.attempts, longest=settings.requeue.longest_delay)
    return Requeue(_own_queue(settings, context), limits)


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
    """The laptop's own server, with its data in the directory `mongodb.embedded_directory`."""
    from pipelinejobs.mongod import Mongod

    return Mongod(settings.mongodb.embedded_directory)


def _start(own: "Mongod", settings: Settings, context: Context, *, resident: bool) -> "Running":
    if context.actor_id is not None and not context.local:
        raise WrongSetting(
            "mongodb.authn",
            "is not set; an actor on Abaco needs _REACTOR_MONGODB_AUTHN, the urlsafe base64 of a connection string",
        )
    pinned = [name for name, pin in settings.pinned.items() if pin is not None and name in _WHERE_MONGODB_IS]
    if pinned:
        raise WrongSetting(pinned[0], "is pinned in config.yml, but the environment does not give it")
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
    """By the nonce that belongs to our alias, else by the token that Abaco gives us, under our own id."""
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
