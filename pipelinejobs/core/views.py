"""Which fields of a stored job users may see, and stored values in the form of JSON. Pure."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from pipelinejobs.util.redaction import SECRET_NAME

_DEEPEST: Final = 200
_HIDDEN: Final = frozenset({"history", "updates"})
_HARMLESS: Final = frozenset({"_admin", "_properties", "_visible"})
"""Fields of python-datacatalog that begin with an underscore and hold no secret."""


def public_job(document: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a stored job that users with the READ permission may see: no history, salts, tokens or outbox.

    Of the fields that begin with an underscore, only those known to be harmless are shown: another program may have
    stored anything in the others.
    """
    return {name: value for name, value in document.items() if _is_public(name)}


def plain(value: Any, depth: int = 0) -> Any:
    """A stored value in the form of JSON. Other programs may have stored dates, object ids, NaN or any other type.

    Values nested deeper than 200 levels become `...`.
    """
    if depth > _DEEPEST:
        return "..."
    match value:
        case None | bool() | str() | int():
            return value
        case float():
            return value if math.isfinite(value) else str(value)
        case datetime():
            return _time(value)
        case Mapping():
            return {str(key): plain(inner, depth + 1) for key, inner in value.items()}
        case list() | tuple():
            return [plain(inner, depth + 1) for inner in value]
    return str(value)


def _is_public(name: str) -> bool:
    if name.startswith("_"):
        return name in _HARMLESS
    return name not in _HIDDEN and not SECRET_NAME.search(name)


def _time(moment: datetime) -> str:
    try:
        return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except OverflowError:  # at the ends of the calendar there is no other time zone
        return moment.isoformat()
