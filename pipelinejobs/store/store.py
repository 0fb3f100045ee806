"""The store: gives access to everything stored in MongoDB. It is the only package that queries collections."""

from functools import cached_property
from typing import TYPE_CHECKING, Final

from pymongo.database import Database

from pipelinejobs.core.job import Entry, Job
from pipelinejobs.store import history, refused
from pipelinejobs.store.connection import Document, connect, translated
from pipelinejobs.store.history import History
from pipelinejobs.store.jobs import Jobs
from pipelinejobs.store.journal import Journal
from pipelinejobs.store.outbox import OutboxRows
from pipelinejobs.store.refused import RefusedDeliveries
from pipelinejobs.util.secret import Secret

if TYPE_CHECKING:
    from pipelinejobs.store import indexes
    from pipelinejobs.store.asked import AskedJobs
    from pipelinejobs.store.changes import Changes
    from pipelinejobs.store.executions import Executions
    from pipelinejobs.store.listing import Listing
    from pipelinejobs.store.new_jobs import NewJobs
    from pipelinejobs.store.nonces import Nonces
    from pipelinejobs.store.pipelines import Pipelines
    from pipelinejobs.store.quiet_jobs import QuietJobs
    from pipelinejobs.store.refresh_tokens import RefreshTokens
    from pipelinejobs.store.repairs import Repairs
    from pipelinejobs.store.sessions import Sessions

OLDEST_SERVER: Final = (5, 0)


def is_too_old(version: str) -> bool:
    """Whether a server of this version, for example `4.4.29`, is older than 5.0, which this project needs."""
    return tuple(int(part) for part in version.split(".")[:2] if part.isdecimal()) < OLDEST_SERVER


class Store:
    """Access to everything stored. Parts that a one-shot run does not need are loaded at their first use.

    Attributes:
        jobs: reads jobs, and applies changes to them.
        history: reads history entries, and moves old ones out of the job documents.
        outbox: messages to other actors that are not delivered yet.
        journal: applied events that another program may still undo.
        refused: refused deliveries.
        asked: what became of questions to job systems.
        quiet_jobs: open jobs that had no event for some time.
        pipelines: makes pipelines and jobs.
        listing: reads lists of jobs.
        new_jobs: new jobs, whose tokens have to be remembered.
        nonces: credentials for a number of uses.
        executions: the results of deliveries to the gateway.
        changes: the jobs that changed recently.
        refresh_tokens: the newest refresh tokens for job systems, sealed.
        sessions: the users who are signed in to the pages.
        repairs: reads and repairs damaged jobs.
    """

    def __init__(
        self,
        database: Database[Document],
        *,
        history_limits: history.HistoryLimits | None = None,
        refused_limits: refused.RefusedLimits | None = None,
        executions_days: int = 2,
    ) -> None:
        self.database = database
        self._executions_days = executions_days
        self.jobs = Jobs(database)
        self.history = History(database, history_limits or history.HistoryLimits())
        self.outbox = OutboxRows(database)
        self.journal = Journal(database)
        self.refused = RefusedDeliveries(database, refused_limits or refused.RefusedLimits())

    @cached_property
    def asked(self) -> "AskedJobs":
        from pipelinejobs.store.asked import AskedJobs

        return AskedJobs(self.database)

    @cached_property
    def pipelines(self) -> "Pipelines":
        from pipelinejobs.store.pipelines import Pipelines

        return Pipelines(self.database)

    @cached_property
    def listing(self) -> "Listing":
        from pipelinejobs.store.listing import Listing

        return Listing(self.database)

    @cached_property
    def new_jobs(self) -> "NewJobs":
        from pipelinejobs.store.new_jobs import NewJobs

        return NewJobs(self.database)

    @cached_property
    def nonces(self) -> "Nonces":
        from pipelinejobs.store.nonces import Nonces

        return Nonces(self.database)

    @cached_property
    def executions(self) -> "Executions":
        from pipelinejobs.store.executions import Executions

        return Executions(self.database)

    @cached_property
    def changes(self) -> "Changes":
        from pipelinejobs.store.changes import Changes

        return Changes(self.database)

    @cached_property
    def sessions(self) -> "Sessions":
        from pipelinejobs.store.sessions import Sessions

        return Sessions(self.database)

    @cached_property
    def quiet_jobs(self) -> "QuietJobs":
        from pipelinejobs.store.quiet_jobs import QuietJobs

        return QuietJobs(self.database)

    @cached_property
    def refresh_tokens(self) -> "RefreshTokens":
        from pipelinejobs.store.refresh_tokens import RefreshTokens

        return RefreshTokens(self.database)

    @cached_property
    def repairs(self) -> "Repairs":
        from pipelinejobs.store.repairs import Repairs

        return Repairs(self.database)

    @classmethod
    def at(
        cls,
        uri: Secret,
        database: str,
        *,
        timeout: float,
        history_limits: history.HistoryLimits,
        refused_limits: refused.RefusedLimits,
        executions_days: int,
        brief: bool = False,
    ) -> "Store":
        """The store in this database. It connects at the first operation.

        Args:
            uri: a complete connection string.
            database: the database's name.
            timeout: seconds that one operation may take.
            history_limits, refused_limits, executions_days: the settings of these names.
            brief: see `connection.connect`.

        Raises:
            WrongSetting: the connection string or the name is not usable.
        """
        return cls(
            connect(uri, database, timeout=timeout, brief=brief),
            history_limits=history_limits,
            refused_limits=refused_limits,
            executions_days=executions_days,
        )

    def entry(self, job: Job, *uuids: str) -> Entry | None:
        """The first history entry of a job with one of these uuids, in the job document or in `jobs_history`, or None.

        Raises:
            Unavailable: the database cannot be asked.
        """
        # In this order: an entry that is being moved is in both places for a time, and always in one of them.
        for uuid in uuids:
            found = self.jobs.entry(job, uuid) or self.history.moved_entries([(job, uuid)]).get(uuid)
            if found is not None:
                return found
        return None

    def server_version(self) -> str:
        """The server's version, for example `6.0.5`.

        Raises:
            Unavailable: the server cannot be asked.
            WrongSetting: the server refuses the user.
        """
        with translated():
            version: str = self.database.client.admin.command("buildInfo")["version"]
            self.database["jobs"].find_one({}, {"_id": 1})
        return version

    def missing_indexes(self) -> list[str]:
        """The indexes that are missing; see `store.indexes`."""
        from pipelinejobs.store import indexes

        return indexes.missing(self.database, self._days())

    def ensure_indexes(self) -> None:
        """Makes the indexes that are missing; see `store.indexes`."""
        from pipelinejobs.store import indexes

        indexes.ensure(self.database, self._days())

    def _days(self) -> "indexes.Days":
        from pipelinejobs.store import indexes

        return indexes.Days(self.refused.limits.days, self._executions_days)

    def close(self) -> None:
        """Closes the connections."""
        self.database.client.close()
