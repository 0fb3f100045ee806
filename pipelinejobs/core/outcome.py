"""What is told to the sender of a delivery."""

from typing import Any, NamedTuple

from pipelinejobs.core.verdict import Verdict
from pipelinejobs.messages import reader
from pipelinejobs.messages.delivery import Delivery
from pipelinejobs.messages.event import Event
from pipelinejobs.messages.fields import job_uuid
from pipelinejobs.util.errors import Malformed, PipelineJobsError
from pipelinejobs.util.redaction import without_tokens


class Answer(NamedTuple):
    """The verdict on one delivery.

    Attributes:
        verdict: what became of it.
        reason: why, in words for a person; never with a secret in it.
        uuid: the job; None where the delivery does not say.
        event: the event's name; None where it could not be read.
        state: the job's state afterwards; None where the sender has not shown a valid token.
        last_event: the job's last event, under the same condition.
        execution: the id of this execution.
    """

    verdict: Verdict
    reason: str
    execution: str
    uuid: str | None = None
    event: str | None = None
    state: str | None = None
    last_event: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The verdict line of a one-shot run."""
        return {
            "verdict": self.verdict.value,
            "uuid": self.uuid,
            "event": self.event,
            "state": self.state,
            "last_event": self.last_event,
            "reason": self.reason,
            "execution": self.execution,
        }


def read(delivery: Delivery) -> Event | Answer:
    """The event that a delivery means, or the answer to one that cannot be read. Touches no database."""
    try:
        return reader.read(delivery)
    except Malformed as error:
        return Answer(
            verdict=Verdict.MALFORMED,
            reason=without_tokens(reader.explain(delivery, error)),
            execution=delivery.id,
            uuid=_job_named_by(delivery),
        )


def _job_named_by(delivery: Delivery) -> str | None:
    """The job that the parameters of an unreadable delivery name, for whoever reads the log."""
    try:
        return job_uuid(delivery.parameters.get("uuid"), "parameter uuid")
    except Malformed:
        return None


def about(event: Event, execution: str, verdict: Verdict, reason: str) -> Answer:
    """An answer that tells nothing of the job."""
    return Answer(verdict=verdict, reason=reason, execution=execution, uuid=event.job, event=event.name)


def unavailable(error: PipelineJobsError, execution: str) -> Answer:
    """The answer when the process cannot do its work at all."""
    return Answer(verdict=Verdict.UNAVAILABLE, reason=error.reason, execution=execution)
