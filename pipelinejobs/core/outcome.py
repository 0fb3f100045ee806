"""The outcome of a delivery: the answer to the sender, and what is left to do after the answer."""

from typing import TYPE_CHECKING, Any, NamedTuple

from pipelinejobs.core.verdict import Verdict
from pipelinejobs.messages.event import Event
from pipelinejobs.util.errors import PipelineJobsError
from pipelinejobs.util.record import shown

if TYPE_CHECKING:  # a one-shot run that cannot read its message does not need the rules
    from pipelinejobs.core.journaled import Journaled


class Outcome(NamedTuple):
    """The outcome of one delivery.

    Attributes:
        verdict: the verdict.
        reason: why, in words for a person; never contains a secret.
        execution: the id of this execution.
        uuid: the job's uuid; None if the delivery does not name a job.
        event: the event's name; None if it could not be read.
        state: the job's state afterwards; None if the sender has not shown a valid token.
        last_event: the job's last event, under the same condition.
        message: the object in the delivery's body, which the gateway repeats to the sender; None if there is none.
        refusal: the document to store in `jobs_refused`; None if nothing is stored.
        owes: whether the event put an index request into the job's outbox.
        first_use: whether the event's token is now trusted on first use.
        watch: the applied event, if its job has only this project's writes as far as is known. The gateway keeps it in
            memory and checks after some seconds that it is still in the job; so it need not be journaled before the
            answer. None otherwise.
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

    def as_dict(self) -> dict[str, Any]:
        """The verdict line that a one-shot run prints: the part of the outcome that the sender may see."""
        return {
            "verdict": self.verdict.value,
            "uuid": self.uuid,
            "event": self.event,
            "state": self.state,
            "last_event": self.last_event,
            "reason": self.reason,
            "execution": self.execution,
        }

    def __repr__(self) -> str:
        return shown(self, "message", "refusal")


def about(event: Event, execution: str, verdict: Verdict, reason: str) -> Outcome:
    """An outcome that tells nothing about the job's state."""
    return Outcome(verdict, reason, execution, uuid=event.job, event=event.name, message=event.message)


def unavailable(error: PipelineJobsError, execution: str) -> Outcome:
    """The outcome `unavailable` for an error that stops the whole process; it names no event."""
    return Outcome(Verdict.UNAVAILABLE, error.reason, execution)
