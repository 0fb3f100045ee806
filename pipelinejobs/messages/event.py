"""An event: the meaning of a delivery."""

from enum import StrEnum
from typing import Any, NamedTuple

from pipelinejobs.util.record import shown
from pipelinejobs.util.secret import Secret


class Kind(StrEnum):
    """Which rules an event is judged by.

    The values are stored and enter the uuids of history entries: they must not change. Logs and metrics show `word`.
    """

    COMMAND = "event"
    """The sender named the event itself. The lifecycle has to allow it."""
    REPORT = "report"
    """A job system stated a fact. The statement may come late, twice or out of order."""

    @property
    def word(self) -> str:
        """The word that logs and metrics show: `command` or `report`."""
        return self.name.lower()


class Event(NamedTuple):
    """One thing that happened to one job.

    Attributes:
        job: the job's uuid, canonical text.
        name: the event's name, one of `fsm.lifecycle.EVENTS`.
        kind: command or report.
        id: the id by which a repetition is recognised. `sender:...` is the sender's own id, `execution:...` the
            delivery's, `tapis:...` that of the event in a notification, `sha256:...` the digest of a report,
            `asked:...` the external job and its status in a report that this project asked for.
        external: the external job that a report names, as `system:id` (for example `agave:4183...-007`);
            None for commands and for reports that name none.
        data: the payload for the history; None if there is none.
        status: the job system's status word in upper case, for reports that carry one.
        tokens: the tokens that came with the event, at most two: the body's, then the URL's.
        sender: the authenticated user's name; None without authentication.
        message: the object in the delivery's body, without its envelope; None if there was no body.
    """

    job: str
    name: str
    kind: Kind
    id: str
    external: str | None = None
    data: dict[str, Any] | None = None
    status: str | None = None
    tokens: tuple[Secret, ...] = ()
    sender: str | None = None
    message: dict[str, Any] | None = None

    def __repr__(self) -> str:
        return shown(self, "data", "message")
