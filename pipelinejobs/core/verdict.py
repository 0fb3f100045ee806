"""The verdict on a delivery, with its exit code and its HTTP status."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple


class Verdict(StrEnum):
    """Every delivery gets exactly one of these."""

    APPLIED = "applied"
    """Allowed, authorised and durably written."""
    DUPLICATE = "duplicate"
    """The same event was applied before; nothing is changed."""
    STALE = "stale"
    """A report that came late or was superseded, or that the job cannot take (the stored job is damaged or full, or has
    had reports of 1000 external jobs); it is recorded, and the state stays."""
    ILLEGAL = "illegal"
    """A command that the lifecycle does not allow in the present state, or that the job cannot take (the stored job is
    damaged, or its document is full)."""
    UNAUTHORISED = "unauthorised"
    """The token is missing, wrong, of another job or not sufficient for the event; or there is no such job. Of a
    gateway also: the request's own credential is missing or not valid, or lacks the EXECUTE permission."""
    MALFORMED = "malformed"
    """The delivery cannot be read as an event, or its id was used for another event."""
    UNAVAILABLE = "unavailable"
    """Not handled now: the database did not answer in time, there is too much to do, a setting is wrong, a library is
    missing, or an unexpected error occurred. The same delivery may be sent again."""


class Codes(NamedTuple):
    """The numbers that tell a verdict to programs.

    Attributes:
        exit_code: of a one-shot run; the numbers are those of sysexits.h.
        status: of an HTTP answer. A request that is refused before it becomes a delivery may get a more exact status,
            such as 413 instead of 400. Statuses follow from verdicts, never the other way round.
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
"""The exit code and the HTTP status of each verdict. `pipelinejobs.client`, which is copied alone, repeats some."""

EXIT_CODES: Final[Mapping[Verdict, int]] = {verdict: codes.exit_code for verdict, codes in CODES.items()}
STATUSES: Final[Mapping[Verdict, int]] = {verdict: codes.status for verdict, codes in CODES.items()}

EXIT_WRONG_SETTING: Final = 78
"""The exit code if a setting is wrong or a library is missing (EX_CONFIG in sysexits.h)."""
