"""Reads a delivery: the first step of both entry points.

Nothing here loads the database driver: a one-shot run that cannot read its message does not need it.
"""

from pipelinejobs.core.outcome import Outcome
from pipelinejobs.core.verdict import Verdict
from pipelinejobs.messages import parameters, reader
from pipelinejobs.messages.delivery import Delivery
from pipelinejobs.messages.event import Event
from pipelinejobs.messages.fields import job_uuid
from pipelinejobs.util.errors import Malformed
from pipelinejobs.util.redaction import without_tokens


def read(delivery: Delivery) -> Event | Outcome:
    """The delivery's event, or the outcome `malformed` if it cannot be read."""
    try:
        return reader.read(delivery)
    except Malformed as error:
        return Outcome(
            verdict=Verdict.MALFORMED,
            reason=without_tokens(reader.explain(delivery, error)),
            execution=delivery.id,
            uuid=_job_named_by(delivery),
            dry_run=bool(parameters.dry_run(delivery.parameters)),
        )


def _job_named_by(delivery: Delivery) -> str | None:
    """The job that the parameters of an unreadable delivery name, for operators who read the log."""
    try:
        return job_uuid(delivery.parameters.get("uuid"), "parameter uuid")
    except Malformed:
        return None
