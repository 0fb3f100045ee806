"""What is wrong with a parameter, in words. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from pipelinejobs.messages.fields import UUID_PATTERN

_TIME: Final = (
    "is not a time such as 2026-11-23, 2026-11-23T18:00:00Z, 2026-11-23T18:00:00+02:00 "
    "or 1764000000 (seconds since 1970)"
)
_UUID: Final = "is not a uuid in small letters, such as 107b93f3-1eae-5e79-8a18-0a480f8aa3a5"


def problem_of(error: Mapping[str, Any]) -> str:
    """One of the errors that pydantic has found, in one sentence that begins with the parameter's place.

    What it says itself is kept, but where it gives nobody an idea of what to write; the value is never repeated.
    """
    return f"{_place(error['loc'])}: {_what(error)}"


def _what(error: Mapping[str, Any]) -> str:
    if error["type"].startswith("datetime_"):
        return _TIME
    if error["type"] == "string_pattern_mismatch" and error["ctx"]["pattern"] == f"^{UUID_PATTERN}$":
        return _UUID
    return str(error["msg"])


def _place(location: tuple[Any, ...]) -> str:
    kind, *rest = map(str, location)
    return f"parameter {'.'.join(rest)}" if kind in ("query", "path", "header") else ".".join([kind, *rest])
