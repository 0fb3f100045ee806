"""The types of results, for the code that makes them and for openapi.json.

They have the keys of Abaco v2, in camel case. Actors v3 has the same keys in snake case.
"""

import re
import types
from collections.abc import Mapping
from typing import Any, Final, Literal, NotRequired, Union, get_args, get_origin, get_type_hints

from typing_extensions import TypedDict, is_typeddict


class JobInBrief(TypedDict):
    """The job after a message was judged; `stateAfter`, in a dry run alone, is the state that it would have."""

    uuid: str
    state: str | None
    lastEvent: str | None
    stateAfter: NotRequired[str | None]


class Message(TypedDict):
    """The result of a message that was accepted. `dry_run` is there in a dry run alone: nothing was written."""

    executionId: str
    msg: Any
    verdict: Literal["applied", "duplicate", "stale"]
    reason: str
    job: JobInBrief
    _links: dict[str, str]
    dry_run: NotRequired[Literal[True]]


class Refusal(TypedDict):
    """The result of a message that was refused. `dry_run` is there in a dry run alone."""

    verdict: Literal["malformed", "unauthorised", "illegal", "unavailable"]
    reason: str
    executionId: str
    dry_run: NotRequired[Literal[True]]


class Mailbox(TypedDict):
    """How many messages are being judged or are pending."""

    messages: int
    _links: dict[str, str]


class ExecutionInBrief(TypedDict):
    """One execution, as lists show it."""

    id: str
    status: str
    messageReceivedTime: str
    startTime: str
    finishTime: str


class Execution(ExecutionInBrief):
    """One execution."""

    actorId: str
    executor: str
    workerId: str
    runtime: int
    cpu: int
    io: int
    exitCode: int
    finalState: dict[str, Any]
    apiServer: str
    _links: dict[str, str]


class Executions(TypedDict):
    """The newest executions of the actor."""

    actorId: str
    apiServer: str
    owner: str
    executions: list[ExecutionInBrief]
    totalExecutions: int
    totalCpu: int
    totalIo: int
    totalRuntime: int
    _links: dict[str, str]


class Logs(TypedDict):
    """The log of an execution."""

    logs: str
    _links: dict[str, str]


class Nonce(TypedDict):
    """A nonce. `id` is the secret id in the answer that makes it, and its handle in all later answers."""

    id: str
    level: str
    maxUses: int
    description: str
    owner: str
    roles: list[str]
    apiServer: str
    actorId: NotRequired[str]
    alias: NotRequired[str]
    createTime: str
    lastUseTime: str
    expireTime: str
    currentUses: int
    remainingUses: int
    _links: dict[str, str]


class JobInList(TypedDict):
    """One job, as lists show it."""

    uuid: str
    state: str | None
    lastEvent: str | None
    updated: str | None
    pipelineUuid: str | None
    archivePath: str | None
    session: str | None
    owner: str | None


class Jobs(TypedDict):
    """A page of jobs, the most recently changed first; `next` is the cursor of the next page, null after the last."""

    jobs: list[JobInList]
    next: str | None


class Job(TypedDict, extra_items=Any):  # type: ignore[call-arg]  # mypy does not support PEP 728 yet
    """One job as it is stored, with the field names of python-datacatalog and without secrets.

    `revision` is its number of events, null if the stored one is no number. `reached` is there only with `until`.
    """

    uuid: str
    revision: int | None
    reached: NotRequired[bool | Literal["never"]]


class Explanation(TypedDict):
    """Why a job is in its state: `owed` holds its outbox messages, `external` its external job, `asked` the newest
    question to its job system."""

    uuid: str
    state: str
    meaning: str
    because: dict[str, Any] | None
    since_then: dict[str, Any]
    next: list[dict[str, str]]
    refused: list[dict[str, Any]]
    owed: list[dict[str, Any]]
    external: dict[str, str] | None
    asked: dict[str, Any] | None
    problems: list[str]
    notes: list[str]


class Entry(TypedDict):
    """One entry of a history."""

    uuid: str
    name: str
    date: str | None
    data: Any


class History(TypedDict):
    """A part of a job's history, oldest first; `next` is the offset of the part after it, null after the last."""

    uuid: str
    entries: list[Entry]
    next: int | None


class Life(TypedDict):
    """The process is alive. `/readyz` says whether it is ready."""

    alive: bool


class Health(TypedDict):
    """Whether the gateway is ready, and if not, why."""

    ready: bool
    problems: list[str]


def envelope(result: Any, version: Literal["v2", "v3"] = "v2") -> Any:
    """The type of a successful answer with this result, in Abaco's envelope."""
    name = getattr(result, "__name__", "Any") if not get_args(result) else f"{get_args(result)[0].__name__}List"
    return _wrapped(f"{version.upper()}{name}Answer", result if version == "v2" else in_snake_case(result), version)


def failure(result: Any, version: Literal["v2", "v3"] = "v2") -> Any:
    """The type of the answer to a request that failed."""
    name = "Refusal" if result is not None else "Failure"
    inner = result if version == "v2" or result is None else in_snake_case(result)
    return _wrapped(f"{version.upper()}{name}Answer", inner, version, status=Literal["error"])


def _wrapped(name: str, result: Any, version: str, status: Any = Literal["success"]) -> Any:
    fields: dict[str, Any] = {"message": str, "result": result, "status": status, "version": str}
    if version == "v3":
        fields["metadata"] = dict[str, Any]
    return TypedDict(name, fields)  # type: ignore[operator]  # mypy does not support a TypedDict that is made at run time


def in_snake_case(shape: Any) -> Any:
    """The same type with the keys of Actors v3."""
    if is_typeddict(shape):
        return _SNAKE.setdefault(shape, _snake(shape))
    arguments = get_args(shape)
    if not arguments or get_origin(shape) is Literal:
        return shape
    converted = tuple(in_snake_case(one) for one in arguments)
    if isinstance(shape, types.UnionType):
        return Union[converted]  # noqa: UP007 - the members are known only at run time
    return get_origin(shape)[converted if len(converted) > 1 else converted[0]]


_SNAKE: Final[dict[Any, Any]] = {}


def _snake(shape: Any) -> Any:
    hints = get_type_hints(shape, include_extras=True)
    made = TypedDict(f"V3{shape.__name__}", {snake(key): in_snake_case(hint) for key, hint in hints.items()})  # type: ignore[misc]
    made.__doc__ = shape.__doc__
    return made


def snake(key: str) -> str:
    """A key in snake case; `_links` is unchanged."""
    return re.sub(r"(?<=[a-z])[A-Z]", lambda found: f"_{found[0].lower()}", key)


def with_snake_keys(value: Any, shape: Any) -> Any:
    """A value of this type with the keys of Actors v3. Keys inside users' own data are unchanged."""
    if is_typeddict(shape) and isinstance(value, Mapping):
        hints = get_type_hints(shape)
        return {snake(key): with_snake_keys(one, hints.get(key)) for key, one in value.items()}
    if get_origin(shape) is list and isinstance(value, list):
        (inner,) = get_args(shape)
        return [with_snake_keys(one, inner) for one in value]
    return value
