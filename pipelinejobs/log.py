"""Log lines: one JSON object each, on stderr, with nothing secret in them.

Secrets have a type that does not show itself (`pipelinejobs.secret`); the redaction here is the second line, for
what others put into a text.
"""

import json
import logging
import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final, TextIO

logger: Final = logging.getLogger("pipelinejobs")
"""The project's logger. Pass further facts as `extra={"fields": {...}}`."""

_LONGEST: Final = 2000
_SHORTEST_SECRET: Final = 4
_HIDDEN: Final = "***"
_LOOKS_SECRET: Final = (
    (re.compile(r"(?i)\b(token|x-nonce|nonce|password)=[^&\s\"']+"), r"\1=" + _HIDDEN),
    (re.compile(r"(?i)\bbearer\s+[^\s\"',]+"), "Bearer " + _HIDDEN),
    (re.compile(r"//[^/\s@:\"']+:[^/\s@\"']+@"), "//" + _HIDDEN + "@"),
    (re.compile(r"(?i)([\"'](?:token|x-nonce|nonce|password)[\"']\s*:\s*[\"'])[^\"']*"), r"\1" + _HIDDEN),
    (re.compile(r"\b[A-Za-z0-9.]{2,32}_[A-Za-z0-9]{12,14}\b"), _HIDDEN),  # an Abaco nonce, TENANT_hashid
)

_secrets: set[str] = set()


def configure(level: str, secrets: Iterable[str], stream: TextIO | None = None) -> logging.Logger:
    """Sets the project's logger up; may be called again when more is known.

    Args:
        level: the least that is logged, by name.
        secrets: texts that must never be written; those shorter than four characters are too common to be hidden.
        stream: where to; stderr by default.
    """
    for text in secrets:
        add_secret(text)
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_JsonLines())
    logger.handlers[:] = [handler]
    logger.propagate = False
    logger.setLevel(level)
    return logger


def add_secret(text: str) -> None:
    """One more text that must never be written, such as the token of the event at hand."""
    if len(text) >= _SHORTEST_SECRET:
        _secrets.add(text)


def redacted(text: str) -> str:
    """The text with every known secret, and everything that looks like one, hidden."""
    for secret in sorted(_secrets, key=len, reverse=True):
        text = text.replace(secret, _HIDDEN)
    for pattern, replacement in _LOOKS_SECRET:
        text = pattern.sub(replacement, text)
    return text


class _JsonLines(logging.Formatter):
    """Formats a record as one JSON object in one line of ASCII, whatever was put into it."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, object] = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "message": _cut(_message(record)),
        }
        fields = getattr(record, "fields", None)
        if isinstance(fields, dict):
            line |= {str(name): _cut(str(value)) for name, value in fields.items() if name not in line}
        if record.exc_info and record.exc_info[0] is not None:
            kind, error, _ = record.exc_info
            line["error"] = _cut(f"{kind.__name__}: {error}")
            if logger.isEnabledFor(logging.DEBUG):
                line["traceback"] = _cut(self.formatException(record.exc_info))
        return json.dumps(line)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # a wrong format string must not cost the line
        return str(record.msg)


def _cut(text: str) -> str:
    text = redacted(text)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
