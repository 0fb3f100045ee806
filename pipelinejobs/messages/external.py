"""External jobs: the jobs in job systems that do the work of PipelineJobs, and how their submitters name them."""

import re
from typing import Any, Final, NamedTuple

from pipelinejobs.messages.values import path_of, wrong_type
from pipelinejobs.util.errors import Malformed

KEY: Final = "job_system"
"""The key in the data of a `resource` event under which a submitter names the external job."""

ASSIGNING: Final = "resource"
"""The event that can name the external job."""

LONGEST_ID: Final = 255
_SYSTEM: Final = re.compile(r"[a-z][a-z0-9_-]{0,31}")


class External(NamedTuple):
    """One external job.

    Attributes:
        system: the job system in lower case, such as `agave`, `aloe` or `tapis`.
        id: the job's id there.
    """

    system: str
    id: str

    def __str__(self) -> str:
        return f"{self.system}:{self.id}"


def named(system: object, job: object) -> External | None:
    """The external job with this system and this id; None if they are none that is kept (`check`)."""
    if not (isinstance(system, str) and isinstance(job, str)) or any(_problems(system, job)):
        return None
    return External(system, job)


def parsed(text: str) -> External | None:
    """The external job in a text `system:id`; None if it is none that is kept."""
    system, _, job = text.partition(":")
    return named(system, job)


def assigned(name: str, data: object) -> External | None:
    """The external job that a command names for its job; None if it names none.

    Args:
        name: the command's name.
        data: its data. Only an object under `job_system` counts: other values have been in use for other things.
    """
    value = data.get(KEY) if name == ASSIGNING and isinstance(data, dict) else None
    return named(value.get("system"), value.get("id")) if isinstance(value, dict) else None


def check(name: str, data: dict[str, Any] | None) -> None:
    """Refuses a command that names its external job in a wrong way.

    Args:
        name, data: as for `assigned`.

    Raises:
        Malformed: the object in `data.job_system` lacks `system` or `id`, or one of them cannot be kept.
    """
    value = data.get(KEY) if name == ASSIGNING and data is not None else None
    if isinstance(value, dict):
        for key, problem in zip(("system", "id"), _problems(value.get("system"), value.get("id")), strict=True):
            if problem is not None:
                raise Malformed(path_of("data", KEY, key), problem if key in value else "is missing")


def _problems(system: object, job: object) -> tuple[str | None, str | None]:
    """What is wrong with the name of a job system, and with an id in it; None for what is right."""
    return _system_problem(system), _id_problem(job)


def _system_problem(system: object) -> str | None:
    if not isinstance(system, str):
        return wrong_type("text", system)
    if not _SYSTEM.fullmatch(system):
        return "must be a job system's name in lower case, such as agave or tapis"
    return None


def _id_problem(job: object) -> str | None:
    if not isinstance(job, str):
        return wrong_type("text", job)
    if not 0 < len(job) <= LONGEST_ID or not job.isprintable() or job != job.strip():
        return f"must be 1 to {LONGEST_ID} printable characters, without blanks around them"
    return None
