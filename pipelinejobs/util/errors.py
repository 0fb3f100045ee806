"""The errors that several parts of this project raise or handle.

    PipelineJobsError
    +-- Malformed              a delivery cannot be read as an event
    +-- WrongSetting           the process cannot start, or go on, with its settings
    +-- NotInstalled           a library is not installed
    +-- Unavailable            the database cannot be reached, or did not answer in time
    |   +-- OutcomeUnknown     ... and a write may or may not have happened
    |   +-- Overloaded         too many events wait already
    +-- Undelivered            a message did not reach another actor, or the actor's answer did not arrive
    +-- CommandFailed          an operator's command cannot be carried out

An error that one module raises and few others handle is defined in that module (`store.connection.DocumentFull` and
`gateway.http.http_errors.HttpError`, for example). `pipelinejobs.client` is copied to other machines and has errors
of its own. If an error is raised without a reason, the first line of its class's docstring is the reason.
"""

import sys


class PipelineJobsError(Exception):
    """The PipelineJobs Manager met an error."""

    def __init__(self, reason: str | None = None) -> None:
        self.reason = reason or (type(self).__doc__ or "").strip().splitlines()[0]
        super().__init__(self.reason)


class Malformed(PipelineJobsError):
    """The delivery cannot be read as an event.

    `path` is the place of the problem: a path in the body such as `data.list[3]`, or `body`, `parameter uuid`,
    `header Content-Type`. `reason` begins with it.
    """

    def __init__(self, path: str, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(f"{path}: {problem}")


class WrongSetting(PipelineJobsError):
    """A setting is wrong.

    `setting` is its dotted name as in config.yml; `reason` is one sentence that begins with it.
    """

    def __init__(self, setting: str, problem: str) -> None:
        self.setting = setting
        super().__init__(f"{setting}: {problem}")


class NotInstalled(PipelineJobsError):
    """A library is not installed for this Python."""

    def __init__(
        self,
        missing: ModuleNotFoundError,
        way_out: str = "`. .venv/bin/activate` first, and `make setup` before that",
    ) -> None:
        """
        Args:
            missing: the error of the import.
            way_out: what the user can do about it.
        """
        super().__init__(f"{sys.executable} has no library {missing.name}; {way_out}")


class Unavailable(PipelineJobsError):
    """The database cannot be reached; nothing was changed. Send the same delivery again."""


class OutcomeUnknown(Unavailable):
    """The database did not confirm the write: the event may or may not be applied. Send it again with the same id."""


class Overloaded(Unavailable):
    """Too many events wait already; nothing was changed, try again later."""


class Undelivered(PipelineJobsError):
    """A message did not reach the other actor.

    `retry_after` is the number of seconds that the receiver asked us to wait; None if it did not.
    """

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(reason)


class CommandFailed(PipelineJobsError):
    """The command cannot be carried out."""
