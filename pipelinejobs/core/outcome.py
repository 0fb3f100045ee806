"""What came of a delivery: what its sender is told, and what is left to do after the answer."""

from typing import TYPE_CHECKING, Any, NamedTuple

from pipelinejobs.core.verdict import Verdict
from pipelinejobs.messages.event import Event
from pipelinejobs.util.errors import PipelineJobsError
from pipelinejobs.util.record import shown

if TYPE_CHECKING:  # a one-shot run that refuses a message needs none of the rules
    from pipelinejobs.core.journaled import Journaled


class Outcome(NamedTuple):
    """What came of one delivery.

    Attributes:
        verdict: what became of it.
        reason: why, in words for a person; never with a secret in it.
        execution: the id of this execution.
        uuid: the job; None where the delivery does not say.
        event: the event's name; None where it could not be read.
        state: the job's state afterwards; None where the sender has not shown a valid token.
        last_event: the job's last event, under the same condition.
        message: the object in the delivery's body, which the gateway repeats to the sender; None where there is none.
        refusal: what is kept of a refusal, with its job; None where nothing is.
        owes: whether the event made the job owe a message to another actor.
        first_use: whether a token was trusted on first use with it.
        watch: the event, applied, of a job that no other program is known to write to. To see after some seconds that
            it is still there costs such a job nothing before the answer.
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
        """The verdict line of a one-shot run: what the sender is told."""
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
    """An outcome that tells nothing of the job."""
    return Outcome(verdict, reason, execution, uuid=event.job, event=event.name, message=event.message)


def unavailable(error: PipelineJobsError, execution: str) -> Outcome:
    """The outcome when the process cannot do its work at all."""
    return Outcome(Verdict.UNAVAILABLE, error.reason, execution)
