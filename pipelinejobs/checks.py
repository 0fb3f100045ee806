"""What may be wrong with a stored job, in sentences (for `doctor` and `explain`). Pure."""

from collections.abc import Sequence

from fsm.replay import final_state, walk
from pipelinejobs.job import Entry, Job


def problems(job: Job, history: Sequence[Entry]) -> list[str]:
    """What is wrong with a job.

    python-datacatalog replaces whole documents without a guard, so that one of its writes can undo one of ours; and
    the original manager wrote events that its lifecycle does not know. Neither can be prevented here, only found.

    Args:
        history: all entries of the job, oldest first.
    """
    if job.damage is not None:
        return [f"it cannot be changed: {job.damage}"]
    found = []
    if len({entry.uuid for entry in history}) != len(history):
        found.append("its history has entries with the same uuid")
    events = max(len(history) - 1, 0)
    if job.revision != events:
        found.append(f"its revision is {job.revision}, but its history has {events} events after create")
    names = [entry.name for entry in history]
    replayed = final_state(names)
    if replayed is None:
        step = next(step for step in walk(names) if step.after is None)
        found.append(f"its history does not follow the lifecycle: {step.event} while {step.before}")
    elif replayed != job.state:
        found.append(f"its state is {job.state}, but its history leads to {replayed}")
    return found
