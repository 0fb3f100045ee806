"""What a delivery means."""

from enum import StrEnum
from typing import Any, NamedTuple

from pipelinejobs.util.record import shown
from pipelinejobs.util.secret import Secret


class Kind(StrEnum):
    """How an event is judged.

    The values are stored, and part of what the uuids of history entries are derived from. Logs and metrics show `word`.
    """

    COMMAND = "event"
    """The sender named the event itself. The lifecycle has to allow it."""
    REPORT = "report"
    """A job system stated a fact, which may come late, twice or out of order."""

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
        id: by which a repetition is recognised. `sender:...` is the sender's own id, `execution:...` the delivery's,
            `tapis:...` the notification event's, `sha256:...` the digest of what a report says.
        external: the external job that a report names, as `system:id` (for example `agave:4183...-007`);
            None for commands and for reports that name none.
        data: the payload for the history; None when there is none.
        status: the job system's status word in upper case, for reports that carry one.
        tokens: the tokens that came with the event, at most two: the body's, then the URL's.
        sender: the authenticated user name; None without authentication.
        message: the object in the delivery's body, as it came, unwrapped; None where there was no body.
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
