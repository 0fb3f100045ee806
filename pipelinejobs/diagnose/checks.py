"""Finds what is wrong with a stored job, in sentences for `doctor` and `explain`. Pure."""

from collections.abc import Iterator, Sequence
from typing import Final

from fsm.replay import final_state, walk
from pipelinejobs.core.job import Entry, Job
from pipelinejobs.core.tokens import was_rotated
from pipelinejobs.util.plural import counted

_ROTATED: Final = (
    "another program changed its salt before the manager first saw the job, so the token in its callbacks cannot be "
    "computed; with tokens.trust_on_first_use one token of each authenticated sender is trusted"
)


def problems(job: Job, history: Sequence[Entry]) -> list[str]:
    """The problems of a job, one sentence each.

    python-datacatalog replaces whole documents without a guard, so its writes can undo the manager's. The original
    manager also wrote events that are not in its lifecycle. The manager cannot prevent this, but it finds it.

    Args:
        job: the job.
        history: all its entries, oldest first.
    """
    if job.damage is not None:
        return [f"it cannot be changed: {job.damage} (doctor --repair {job.uuid or 'UUID'} says what can be repaired)"]
    return [*_of_fields(job, history), *_of_history(job, history)]


def notes(job: Job) -> list[str]:
    """Facts about a job that are worth knowing, although nothing is wrong."""
    if job.damage is not None or not was_rotated(job):
        return []
    senders = [row.sender or "any sender" for row in job.trusted or ()]
    return [f"{_ROTATED}; trusted so far: {', '.join(senders) or 'none'}"]


def cause(job: Job, history: Sequence[Entry]) -> Entry | None:
    """The entry that brought the job into its state; None if the history does not lead there."""
    steps = walk(entry.name for entry in history)
    for entry, step in zip(reversed(history), reversed(steps), strict=True):
        if step.after is not None and (step.after != step.before or step.event == "create"):
            return entry if step.after == job.state else None
    return None


def _of_fields(job: Job, history: Sequence[Entry]) -> Iterator[str]:
    if job.salt is None:
        yield "it has no _salt, so it has no token, and nothing can be sent to the Indexer for it"
    events = max(len(history) - 1, 0)
    if job.revision != events:
        yield f"its revision is {job.revision}, but its history has {counted(events, 'event')} after create"
    last = history[-1].name if history else None
    if last is not None and (job.last_event or "").lower() != last.lower():
        yield f"its last_event is {job.last_event}, but its history ends with {last}"


def _of_history(job: Job, history: Sequence[Entry]) -> Iterator[str]:
    if len({entry.uuid for entry in history}) != len(history):
        yield "its history has entries with the same uuid"
    names = [entry.name for entry in history]
    if names and names[0].lower() != "create":
        yield f"its history begins with {names[0] or 'an event without a name'}, not with create"
    replayed = final_state(names)
    if replayed is None:
        step = next(step for step in walk(names) if step.after is None)
        yield f"its history does not follow the lifecycle: {step.event} while {step.before}"
    elif replayed != job.state:
        yield f"its state is {job.state}, but its history leads to {replayed}"
