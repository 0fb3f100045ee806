"""The settings and services of a command, made when they are first used."""

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
        resident: whether the command serves until a signal ends it (see `bootstrap.services`). Set it before
            `services` is used.
        attempted: called with each attempt to send a message to another actor.
    """

    def __init__(self) -> None:
        self.resident = False
        self.attempted: Callable[[SendAttempt], None] = lambda attempt: self.progress.say(attempt.line)

    @cached_property
    def environment(self) -> dict[str, str]:
        """The environment, joined with the file that `PIPELINEJOBS_SECRETS` names.

        Raises:
            WrongSetting: that file cannot be used.
        """
        return self._joined.environment

    @cached_property
    def _joined(self) -> secrets_file.Joined:
        return secrets_file.joined(os.environ)

    @property
    def remarks(self) -> list[Remark]:
        """What the operator should know about the environment and that file.

        Raises:
            WrongSetting: a setting is wrong.
        """
        return list(other_variables.remarks(self.environment, self.settings, self._joined.foreign))

    @cached_property
    def settings(self) -> Settings:
        """The settings.

        Raises:
            WrongSetting: a setting is wrong.
        """
        configured = settings.load(self.environment)
        log.configure("WARNING", settings.secrets(configured))
        return configured

    @cached_property
    def progress(self) -> Progress:
        """Shows the operator how far the command is."""
        return progress.progress()

    @cached_property
    def services(self) -> Services:
        """The services, with the configured database.

        Raises:
            WrongSetting: a setting is wrong, or no database is configured and there is no embedded MongoDB.
            Unavailable: the embedded server does not start.
        """
        context = runtime.context(self.environment)
        with self._starting():
            return services(
                self.settings, context, progress=lambda attempt: self.attempted(attempt), resident=self.resident
            )

    def _starting(self) -> AbstractContextManager[None]:
        """Shows a step if the embedded server has to be started, which takes some seconds."""
        if self.settings.mongodb.connection() is not None or mongod(self.settings).status() is not None:
            return nullcontext()
        return self.progress.step("Starting the embedded MongoDB")

    @property
    def store(self) -> Store:
        """The store of the configured database."""
        return self.services.store

    @property
    def now(self) -> datetime:
        """The present time, UTC."""
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
        """The error for an unknown job."""
        return CommandFailed(f"there is no job {uuid} in the database {self.settings.mongodb.database}")

    def close(self) -> None:
        """Closes the connections to the database, if any were made."""
        if "services" in self.__dict__:  # cached_property stores it there once it was made
            self.services.store.close()


def server_trouble(error: Exception) -> str:
    """What the driver says of the server: hosts and what went wrong there, and no secrets."""
    cause = str(error.__cause__ or "").partition(", Timeout:")[0].partition(" (configured timeouts")[0].strip()
    return f" (mongodb.uri: {cause[:300]})" if cause else ""
