"""Reading a delivery, which is the first step of both entry points: its event, or the refusal that its sender is told.

Nothing here loads the database driver: a one-shot run that refuses a message does not need it.
"""

from pipelinejobs.core.outcome import Outcome
from pipelinejobs.core.verdict import Verdict
from pipelinejobs.messages import reader
from pipelinejobs.messages.delivery import Delivery
from pipelinejobs.messages.event import Event
from pipelinejobs.messages.fields import job_uuid
from pipelinejobs.util.errors import Malformed
from pipelinejobs.util.redaction import without_tokens


def read(delivery: Delivery) -> Event | Outcome:
    """The event that a delivery means, or the outcome `malformed` of one that cannot be read."""
    try:
        return reader.read(delivery)
    except Malformed as error:
        return Outcome(
            verdict=Verdict.MALFORMED,
            reason=without_tokens(reader.explain(delivery, error)),
            execution=delivery.id,
            uuid=_job_named_by(delivery),
        )


def _job_named_by(delivery: Delivery) -> str | None:
    """The job that the parameters of an unreadable delivery name, for operators who read the log."""
    try:
        return job_uuid(delivery.parameters.get("uuid"), "parameter uuid")
    except Malformed:
        return None
