"""What a command works with: settings and parts, made when they are first needed."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cached_property
from typing import Final

from pipelinejobs import checks, log, runtime, settings
from pipelinejobs.bootstrap import Services, services
from pipelinejobs.errors import CommandFailed
from pipelinejobs.job import Entry, Job
from pipelinejobs.outbox import silent
from pipelinejobs.settings import Settings
from pipelinejobs.store import Store

_TRIES: Final = 5


class Session:
    """One run of a command."""

    def __init__(self, progress: Callable[[str], None] = silent) -> None:
        self.environment = dict(os.environ)
        self._progress = progress

    @cached_property
    def settings(self) -> Settings:
        """The settings.

        Raises:
            WrongSetting: one of them is wrong.
        """
        configured = settings.load(self.environment)
        log.configure("WARNING", settings.secrets(configured))
        return configured

    @cached_property
    def services(self) -> Services:
        """The parts, over the configured database.

        Raises:
            WrongSetting: nothing says where MongoDB is, or what says so is not usable.
            Unavailable: the embedded server does not start.
        """
        return services(self.settings, runtime.context(self.environment), progress=self._progress)

    @property
    def store(self) -> Store:
        """The store."""
        return self.services.store

    @property
    def now(self) -> datetime:
        """The time, UTC."""
        return datetime.now(UTC)

    def job(self, uuid: str) -> tuple[Job, list[Entry]]:
        """A job and its whole history.

        Raises:
            CommandFailed: there is no such job.
        """
        read = steady(self.store, uuid)
        if read is None:
            raise self.no_job(uuid)
        return read

    def no_job(self, uuid: str) -> CommandFailed:
        """The error for a job that is not there."""
        return CommandFailed(f"there is no job {uuid} in the database {self.settings.mongodb.database}")

    def close(self) -> None:
        """Closes the connections, if there are any."""
        if "services" in self.__dict__:  # where functools keeps it, once it was made
            self.services.store.close()


def steady(store: Store, uuid: str) -> tuple[Job, list[Entry]] | None:
    """A job and its history as they were at one moment; None when there is no such job.

    They are two reads. Where they disagree and the job changed in between, that is no damage: both are read again.
    """
    job = store.jobs.load(uuid)
    for _ in range(_TRIES):
        if job is None:
            return None
        entries = list(store.history.entries(uuid))
        if not checks.problems(job, entries):
            return job, entries
        later = store.jobs.load(uuid)
        if _is_same(job, later):
            break
        job = later
    return (job, entries) if job is not None else None


def _is_same(job: Job, later: Job | None) -> bool:
    return later is not None and (later.life, later.revision, later.entries) == (job.life, job.revision, job.entries)
