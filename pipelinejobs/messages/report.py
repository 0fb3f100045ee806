"""A job system's callback, read."""

from typing import Any, NamedTuple

from pipelinejobs.util.record import shown


class Report(NamedTuple):
    """What one callback says.

    Attributes:
        system: `agave`, `aloe` or `tapis`.
        job: the id of the job in that system; None when the callback does not say.
        status: the status word in upper case; None when the callback carries none.
        data: the body without what is bulky or private.
        said: the part of the data by which a repetition is recognised, whichever way it comes.
        notification: the system's own id of the notification, the same in every repetition; None without one.
    """

    system: str
    job: str | None
    status: str | None
    data: dict[str, Any]
    said: dict[str, Any]
    notification: str | None = None

    def __repr__(self) -> str:
        return shown(self, "data", "said")
