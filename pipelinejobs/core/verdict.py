"""What became of a delivery, and the numbers that say so: the exit code and the HTTP status."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple


class Verdict(StrEnum):
    """Every delivery gets exactly one of these."""

    APPLIED = "applied"
    """Allowed, authorised and durably written."""
    DUPLICATE = "duplicate"
    """The same event was applied before; nothing changed, and the first answer is given again."""
    STALE = "stale"
    """A report that came late or was superseded, or that the job cannot take (the stored job is damaged or full, or has
    had reports of 1000 external jobs); noted, the state is kept."""
    ILLEGAL = "illegal"
    """A command that the lifecycle does not allow in the present state, or that the job cannot take (the stored job is
    damaged, or its document is full)."""
    UNAUTHORISED = "unauthorised"
    """The token is missing, wrong, of another job or too weak for the event; or there is no such job. Of a gateway
    also: the request's own credential is missing or not valid, or lacks the EXECUTE permission."""
    MALFORMED = "malformed"
    """Not readable as an event, or the event's id was used before for another event of the job."""
    UNAVAILABLE = "unavailable"
    """Not handled now: the database did not answer in time, there is too much to do, a setting is wrong, a library is
    missing, or an unexpected error occurred. The same delivery may be sent again."""


class Codes(NamedTuple):
    """How a verdict is told to programs.

    Attributes:
        exit_code: of a one-shot run; the numbers are those of sysexits.h.
        status: of an HTTP answer. A request that is refused before it is a delivery may get a more exact one, such as
            413 instead of 400; no verdict is ever derived from a status.
    """

    exit_code: int
    status: int


CODES: Final[Mapping[Verdict, Codes]] = {
    Verdict.APPLIED: Codes(0, 200),
    Verdict.DUPLICATE: Codes(0, 200),
    Verdict.STALE: Codes(0, 200),
    Verdict.MALFORMED: Codes(65, 400),
    Verdict.ILLEGAL: Codes(70, 409),
    Verdict.UNAVAILABLE: Codes(75, 503),
    Verdict.UNAUTHORISED: Codes(77, 403),
}
"""verdict -> exit code -> HTTP status; `pipelinejobs.client`, which is copied alone, repeats what it needs."""

EXIT_CODES: Final[Mapping[Verdict, int]] = {verdict: codes.exit_code for verdict, codes in CODES.items()}
STATUSES: Final[Mapping[Verdict, int]] = {verdict: codes.status for verdict, codes in CODES.items()}

EXIT_WRONG_SETTING: Final = 78
"""The exit code when the process cannot work as it is configured, or a library is missing."""
