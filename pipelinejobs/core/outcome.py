"""The outcome of a delivery: the answer to the sender, and what is left to do after the answer."""

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pipelinejobs.core.verdict import Verdict
from pipelinejobs.messages.event import Event
from pipelinejobs.util.errors import OutcomeUnknown, PipelineJobsError
from pipelinejobs.util.record import shown

if TYPE_CHECKING:  # a one-shot run that cannot read its message does not need the rules
    from pipelinejobs.core.job import Job
    from pipelinejobs.core.journaled import Journaled

_TOO_LATE: Final = "timed out; it was a dry run, so nothing was changed"


class Outcome(NamedTuple):
    """The outcome of one delivery.

    Attributes:
        verdict: the verdict.
        reason: why, in words for a person; never contains a secret.
        execution: the id of this execution.
        uuid: the job's uuid; None if the delivery does not name a job.
        event: the event's name; None if it could not be read.
        state: the job's state afterwards; None if the sender has not shown a valid token. In a dry run, the state that
            the job has.
        last_event: the job's last event, under the same condition.
        message: the object in the delivery's body, which the gateway repeats to the sender; None if there is none.
        refusal: the document to store in `jobs_refused`; None if nothing is stored.
        owes: whether the event put an index request into the job's outbox.
        first_use: whether the event's token is now trusted on first use.
        watch: the applied event, if its job has only this project's writes as far as is known. The gateway keeps it in
            memory and checks after some seconds that it is still in the job; so it need not be journaled before the
            answer. None otherwise.
        dry_run: whether the delivery was a dry run: verdict and reason are as they would be, and nothing was written.
        state_after: in a dry run, the state that the job would have, under the same condition as `state`; else None.
    """

    verdict: Verdict
    reason: str
    execution: str
    uuid: str | None = None
    event: str | None = None
    state: str | None = None
    last_event: str | None = None
    message: dict[str, Any] | None = None
    refusal: dict[str, Any] | None = None
    owes: bool = False
    first_use: bool = False
    watch: "Journaled | None" = None
    dry_run: bool = False
    state_after: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The verdict line that a one-shot run prints: the part of the outcome that the sender may see."""
        line = {
            "verdict": self.verdict.value,
            "uuid": self.uuid,
            "event": self.event,
            "state": self.state,
            "last_event": self.last_event,
            "reason": self.reason,
            "execution": self.execution,
        }
        return line | {"dry_run": True, "state_after": self.state_after} if self.dry_run else line

    def __repr__(self) -> str:
        return shown(self, "message", "refusal")


def about(event: Event, execution: str, verdict: Verdict, reason: str) -> Outcome:
    """An outcome that tells nothing about the job's state."""
    told = Outcome(verdict, reason, execution, uuid=event.job, event=event.name, message=event.message)
    return told._replace(dry_run=True) if event.dry_run else told


def unavailable(error: PipelineJobsError, execution: str, *, dry_run: bool = False) -> Outcome:
    """The outcome `unavailable` for an error that stops the whole process; it names no event."""
    reason = _TOO_LATE if dry_run and isinstance(error, OutcomeUnknown) else error.reason
    return Outcome(Verdict.UNAVAILABLE, reason, execution, dry_run=dry_run)


def of_dry_run(real: Outcome, job: "Job | None") -> Outcome:
    """The outcome of a dry run: it shows the job as it is, and leaves nothing to do after the answer.

    Args:
        real: the outcome that the delivery would have, if it was no dry run.
        job: the job as it was read.
    """
    shown = job if real.state is not None else None
    return real._replace(
        state=shown.state if shown else None,
        last_event=shown.last_event if shown else None,
        refusal=None,
        owes=False,
        first_use=False,
        dry_run=True,
        state_after=real.state,
    )
