"""Why mongod ended, read from its log."""

import json
from pathlib import Path
from typing import Final

SHOWN: Final = 500
"""The longest reason, in characters."""


def reason_in(log: Path) -> str | None:
    """Why mongod ended: the first error in its log (later errors are consequences), else the last line.

    Args:
        log: the file; mongod writes one JSON object a line.

    Returns:
        the reason, cut; None if there is no log, because mongod could not be loaded.
    """
    if not log.exists():
        return None
    line = "the log is empty"
    for line in log.read_text(errors="replace").splitlines():
        try:
            entry = json.loads(line)
            if entry["s"] in ("E", "F"):
                return f"{entry['msg']} {json.dumps(entry.get('attr', {}))}"[:SHOWN]
        except (ValueError, KeyError, TypeError):
            continue  # part of a stack trace
    return line[:SHOWN]
