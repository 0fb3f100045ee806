"""Texts for invalid parameters. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from pipelinejobs.messages.fields import UUID_PATTERN

_TIME: Final = (
    "is not a time such as 2026-11-23, 2026-11-23T18:00:00Z, 2026-11-23T18:00:00+02:00 "
    "or 1764000000 (seconds since 1970)"
)
_UUID: Final = "is not a uuid in lower case, such as 107b93f3-1eae-5e79-8a18-0a480f8aa3a5"


def parameter_error(error: Mapping[str, Any]) -> str:
    """One of pydantic's errors as text: the path of the parameter, then what is wrong.

    Pydantic's own text is used unless it does not say what to write instead. The value is never repeated.
    """
    return f"{_path(error['loc'])}: {_problem(error)}"


def _problem(error: Mapping[str, Any]) -> str:
    if error["type"].startswith("datetime_"):
        return _TIME
    if error["type"] == "string_pattern_mismatch" and error["ctx"]["pattern"] == f"^{UUID_PATTERN}$":
        return _UUID
    if error["type"] == "bool_parsing":
        return "must be true or false"
    if error["type"] == "value_error":
        return str(error["ctx"]["error"])  # one of this project's own, without pydantic's words before it
    return str(error["msg"])


def _path(location: tuple[Any, ...]) -> str:
    kind, *rest = map(str, location)
    return f"parameter {'.'.join(rest)}" if kind in ("query", "path", "header") else ".".join([kind, *rest])
