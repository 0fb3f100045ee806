"""Reads the job system's own limit for how long a job may run from the data of a report. Pure.

Agave and Aloe send `maxRunTime` as hours, minutes and seconds with every callback. A job of Tapis has `maxMinutes`, but
neither its notifications nor its answers to the question for a status contain it so far.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pipelinejobs.messages.text import json_value

LONGEST: Final = 10 * 366 * 86_400
"""The longest limit in seconds that is taken for one, ten years. A larger number means that there is no limit."""

_RUN_TIME: Final = re.compile(r"([0-9]{1,6}):([0-5]?[0-9]):([0-5]?[0-9])")


def seconds(data: Any) -> int | None:
    """The limit in seconds, from 1 to `LONGEST`; None if the data has none.

    Anything else that another program may have put there is ignored: a limit never costs a report.

    Args:
        data: the data of an event, as it is stored.
    """
    for one in _objects(data):
        for limit in (_of_run_time(one.get("maxRunTime")), _of_minutes(one.get("maxMinutes"))):
            if limit is not None and 0 < limit <= LONGEST:
                return limit
    return None


def _objects(data: Any) -> Iterator[Mapping[str, Any]]:
    """The objects in which a limit may be: the data itself, and the JSON text of a Tapis notification's event."""
    if not isinstance(data, Mapping):
        return
    yield data
    event = data.get("event")
    text = event.get("data") if isinstance(event, Mapping) else None
    if not isinstance(text, str) or "maxMinutes" not in text:
        return
    try:
        inner = json_value(text)
    except ValueError:
        return
    if isinstance(inner, Mapping):
        yield inner


def _of_run_time(value: Any) -> int | None:
    found = _RUN_TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    return int(found[1]) * 3600 + int(found[2]) * 60 + int(found[3]) if found is not None else None


def _of_minutes(value: Any) -> int | None:
    return value * 60 if isinstance(value, int) and not isinstance(value, bool) else None
