"""What a job system's callback says."""

from typing import Any, NamedTuple

from pipelinejobs.util.record import shown


class Report(NamedTuple):
    """What one callback says.

    Attributes:
        system: `agave`, `aloe` or `tapis`.
        job: the job's id in that system; None if the callback does not contain it.
        status: the status word in upper case; None if there is none.
        data: the body without bulky or private parts.
        content: the part of the data that is the same in every repetition.
        notification: the system's own id of the event, the same in every repetition; None if there is none.
    """

    system: str
    job: str | None
    status: str | None
    data: dict[str, Any]
    content: dict[str, Any]
    notification: str | None = None

    def __repr__(self) -> str:
        return shown(self, "data", "content")
