"""The lifecycle of a PipelineJob, as data: its states, its events and its transitions.

A transition is called a move here, because `transitions` is the name of the library that runs them.

The table is that of the PipelineJobs system, as its documentation publishes it. This module imports nothing of this
project, so that `messages` can use the names without loading the machine that runs the table (`fsm.machine`).
"""

from typing import Final, NamedTuple

INITIAL: Final = "CREATED"

STATES: Final[dict[str, str]] = {
    "CREATED": "Job inputs and configuration have been defined",
    "RUNNING": "Job is actively processing data",
    "FAILED": "Job did not complete successfully",
    "FINISHED": "Job has completed processing and its outputs are archived",
    "INDEXING": "Job outputs are being associated with project metadata",
    "VALIDATING": "Job outputs are being assessed for correctness",
    "VALIDATED": "Job outputs were determined to be correct",
    "REJECTED": "Job outputs are invalid and should not be used",
    "FINALIZED": "Job outputs are validated and ready for general use",
    "RETIRED": "Job and outputs should no longer be used",
    "RESET": "Job and outputs are being reset for another run",
}
"""Each state and what it means for a job."""

OPEN: Final = ("CREATED", "RUNNING")
"""The states in which a job waits for reports of a job system."""

EVENTS: Final[dict[str, str]] = {
    "create": "Create a new job",
    "run": "Mark the job as running",
    "update": "Append an item of information to the history",
    "resource": "Note resource marshalling in the history",
    "fail": "Permanently mark the job as failed",
    "finish": "Mark the job as complete",
    "index": "Index the job outputs",
    "indexed": "Mark that the indexing task is complete",
    "validate": "Mark the job as under validation",
    "validated": "Mark that validation has completed",
    "finalize": "Mark job and outputs as suitable for use",
    "reject": "Mark job and outputs as unsuitable for use",
    "retire": "Mark job and outputs as retired or deprecated",
    "reset": "Begin to reset the job for another run",
    "ready": "Complete the reset, allowing another run",
}
"""Each event and what it does; there are no others."""

RESERVED: Final = frozenset({"create"})
"""Events that only the agents which create jobs may write; a message that carries one is refused."""

ADMINISTRATIVE: Final = frozenset({"reset", "ready"})
"""Events that need an administrative token; a job token is not enough."""

SAME: Final = "="
"""As the destination of a move: the state does not change."""


class Move(NamedTuple):
    """One row of the table: `event` takes a job from any state of `sources` to `destination`."""

    event: str
    sources: tuple[str, ...]
    destination: str


MOVES: Final[tuple[Move, ...]] = (
    Move("create", ("CREATED",), "CREATED"),
    Move("run", ("CREATED", "RUNNING"), "RUNNING"),
    Move("update", ("CREATED", "RUNNING", "VALIDATING", "INDEXING"), SAME),
    Move("resource", ("CREATED", "RUNNING"), SAME),
    Move("fail", ("CREATED", "RUNNING", "VALIDATING", "INDEXING"), "FAILED"),
    Move("finish", ("RUNNING", "FINISHED"), "FINISHED"),
    Move("index", ("FINISHED", "INDEXING"), "INDEXING"),
    Move("indexed", ("INDEXING", "FINISHED"), "FINISHED"),
    Move("validate", ("FINISHED", "VALIDATED"), "VALIDATING"),
    Move("validated", ("VALIDATING", "VALIDATED"), "VALIDATED"),
    Move("reject", ("VALIDATING",), "REJECTED"),
    Move("finalize", ("VALIDATED",), "FINALIZED"),
    Move(
        "retire",
        ("FAILED", "FINALIZED", "FINISHED", "REJECTED", "VALIDATING", "VALIDATED"),
        "RETIRED",
    ),
    Move("reset", tuple(STATES), "RESET"),
    Move("ready", ("RESET",), "CREATED"),
)
"""Every move. Any other is not allowed."""
