"""What became of a delivery, and the exit code that says so."""

from enum import StrEnum
from typing import Final


class Verdict(StrEnum):
    """Every delivery gets exactly one of these."""

    APPLIED = "applied"
    """Allowed, authorised and durably written."""
    DUPLICATE = "duplicate"
    """The same event was applied before; nothing changed, and the first answer is given again."""
    STALE = "stale"
    """A report that came late or was superseded; noted, the state is kept."""
    ILLEGAL = "illegal"
    """An explicit event that the lifecycle does not allow from the present state."""
    UNAUTHORISED = "unauthorised"
    """The token is missing, wrong, of another job or too weak for the event; or there is no such job."""
    MALFORMED = "malformed"
    """Not readable as an event."""
    UNAVAILABLE = "unavailable"
    """The database could not be asked; the same delivery may be sent again."""


EXIT_CODES: Final[dict[Verdict, int]] = {
    Verdict.APPLIED: 0,
    Verdict.DUPLICATE: 0,
    Verdict.STALE: 0,
    Verdict.MALFORMED: 65,
    Verdict.ILLEGAL: 70,
    Verdict.UNAVAILABLE: 75,
    Verdict.UNAUTHORISED: 77,
}
"""The exit code of a one-shot run, by verdict. The numbers are those of sysexits.h, for whoever reads them."""

EXIT_WRONG_SETTING: Final = 78
"""The exit code when the process cannot start as it is configured."""
