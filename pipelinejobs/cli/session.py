"""What a command works with: settings and services, made when they are first needed."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from functools import cached_property

from pipelinejobs import runtime, settings
from pipelinejobs.bootstrap import Services, mongod, services
from pipelinejobs.cli import progress
from pipelinejobs.cli.progress import Progress
from pipelinejobs.core.job import Entry, Job
from pipelinejobs.diagnose import snapshot
from pipelinejobs.service.outbox_relay import SendAttempt
from pipelinejobs.settings import Settings, other_variables, secrets_file
from pipelinejobs.settings.other_variables import Remark
from pipelinejobs.store import Store
from pipelinejobs.util import log
from pipelinejobs.util.errors import CommandFailed


class Session:
    """One run of a command.

    Attributes:
        resident: whether it serves until it is told to end (see `bootstrap.services`); set before `services` is used.
        attempted: what is told about each attempt to send a message to another actor.
    """

    def __init__(self) -> None:
        self.resident = False
        self.attempted: Callable[[SendAttempt], None] = lambda attempt: self.progress.say(attempt.line)

    @cached_property
    def environment(self) -> dict[str, str]:
        """The environment, with the secrets that its `PIPELINEJOBS_SECRETS` names.

        Raises:
            WrongSetting: that file cannot be used.
        """
        return self._joined.environment

    @cached_property
    def _joined(self) -> secrets_file.Joined:
        return secrets_file.joined(os.environ)

    @property
    def remarks(self) -> list[Remark]:
        """What is to be said of the environment and of that file.

        Raises:
            WrongSetting: one of the settings is wrong.
        """
        return list(other_variables.remarks(self.environment, self.settings, self._joined.foreign))

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
    def progress(self) -> Progress:
        """What people see while they wait."""
        return progress.progress()

    @cached_property
    def services(self) -> Services:
        """The parts, over the configured database.

        Raises:
            WrongSetting: nothing says where MongoDB is, or what says so is not usable.
            Unavailable: the embedded server does not start.
        """
        context = runtime.context(self.environment)
        with self._starting():
            return services(
                self.settings, context, progress=lambda attempt: self.attempted(attempt), resident=self.resident
            )

    def _starting(self) -> AbstractContextManager[None]:
        """The embedded server may have to be started, which takes some seconds the first time."""
        if self.settings.mongodb.connection() is not None or mongod(self.settings).status() is not None:
            return nullcontext()
        return self.progress.step("Starting the embedded MongoDB")

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
        read = snapshot.take_snapshot(self.store, uuid, with_data=True)
        if read is None:
            raise self.no_job(uuid)
        return read.job, read.history

    def no_job(self, uuid: str) -> CommandFailed:
        """The error for a job that is not there."""
        return CommandFailed(f"there is no job {uuid} in the database {self.settings.mongodb.database}")

    def close(self) -> None:
        """Closes the connections, if there are any."""
        if "services" in self.__dict__:  # where functools keeps it, once it was made
            self.services.store.close()


def server_trouble(error: Exception) -> str:
    """What the driver says of the server: hosts and what went wrong there, and no secrets."""
    cause = str(error.__cause__ or "").partition(", Timeout:")[0].partition(" (configured timeouts")[0].strip()
    return f" (mongodb.uri: {cause[:300]})" if cause else ""
