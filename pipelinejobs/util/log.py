"""Writes log lines: one JSON object each, on stderr, without secrets.

Secrets have a type that never prints its text (`pipelinejobs.util.secret`). The redaction here is the second line of
defence, for texts from senders and libraries.
"""

import json
import logging
import math
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from typing import Final, TextIO

from pipelinejobs.util import redaction
from pipelinejobs.util.redaction import HIDDEN, SECRET_NAME, redacted

logger: Final = logging.getLogger("pipelinejobs")
"""The project's logger.

Pass further fields as `extra={"fields": {...}}`; add `"whole": True` to keep long values uncut.
"""

LONGEST: Final = 2000
"""The most characters of a text that are written: its first ones; of a traceback, the last ones."""

_MOST_FIELDS: Final = 50


def configure(level: str, secrets: Iterable[str], stream: TextIO | None = None) -> logging.Logger:
    """Sets up the project's logger. It may be called again, for example after the settings were read.

    Args:
        level: the lowest level that is logged, by name. With DEBUG, errors come with their traceback.
        secrets: further texts that must never be written. Texts shorter than four characters are too common to be
            hidden.
        stream: where to write; by default stderr.
    """
    redaction.keep(secrets)
    handler = _Handler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter())
    logger.handlers[:] = [handler]
    logger.propagate = False
    logger.setLevel(level)
    return logger


@contextmanager
def alone() -> Iterator[None]:
    """In this block, only the project's handlers write log records, whichever library logs them.

    For an entry point, which owns its process. Libraries such as the Reactors SDK install loggers, handlers and
    formatters at any time and in any thread, and these do not hide secrets. Warnings, and errors that end a thread, are
    logged instead of printed.
    """
    before = logging.Logger.callHandlers, threading.excepthook
    logging.Logger.callHandlers = _write  # type: ignore[assignment,method-assign]  # a logger class would not cover existing loggers
    threading.excepthook = _thread_ended
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        logging.Logger.callHandlers, threading.excepthook = before  # type: ignore[method-assign]


def _write(_: logging.Logger, record: logging.LogRecord) -> None:
    """Writes a record of any logger, in place of that logger's own handlers.

    Records of other loggers below WARNING are dropped: pymongo, for example, logs whole documents at DEBUG.
    """
    if record.levelno >= (logger.level if record.name == logger.name else max(logger.level, logging.WARNING)):
        for handler in logger.handlers:
            if record.levelno >= handler.level:
                handler.handle(record)


def _thread_ended(error: threading.ExceptHookArgs) -> None:
    if error.exc_value is not None and not isinstance(error.exc_value, SystemExit):
        name = error.thread.name if error.thread else "?"
        logger.error("a thread ended with an error", exc_info=error.exc_value, extra={"fields": {"thread": name}})


@contextmanager
def through(stream: TextIO) -> Iterator[None]:
    """In this block, lines are written to another stream, such as that of a progress bar on the same terminal."""
    before = [(handler, handler.setStream(stream)) for handler in logger.handlers if isinstance(handler, _Handler)]
    try:
        yield
    finally:
        for handler, own in before:
            if own is not None:
                handler.setStream(own)


class _Handler(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Does nothing: a line that cannot be written must not end the run, and logging would print it unredacted."""


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object on one line of ASCII. Never raises, whatever the record holds."""

    def format(self, record: logging.LogRecord) -> str:
        try:
            line = json.dumps(self._line(record, str))
            if len(line) > LONGEST or redaction.is_suspicious(line):  # then each text is redacted, which takes longer
                line = json.dumps(self._line(record, redacted))
        except Exception as error:
            line = json.dumps({"level": "ERROR", "message": f"a log line was lost ({type(error).__name__})"})
        return line.replace("\x7f", "\\u007f")  # the only control character that JSON does not escape

    def _line(self, record: logging.LogRecord, hide: Callable[[str], str]) -> dict[str, object]:
        moment = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, object] = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "message": _cut(hide(_message(record))),
        }
        fields = getattr(record, "fields", None)
        if isinstance(fields, Mapping):
            for name, value in islice(fields.items(), _MOST_FIELDS):
                key = _cut(hide(_text(name)))
                shown = hide(_text(value)) if getattr(record, "whole", False) else _value(value, hide)
                line[f"{key}_" if key in line else key] = HIDDEN if SECRET_NAME.search(key) else shown
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = _cut(hide(f"{record.exc_info[0].__name__}: {_text(record.exc_info[1])}"))
            if logger.isEnabledFor(logging.DEBUG):
                line["traceback"] = hide(self.formatException(record.exc_info))[-LONGEST:]
        return line


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # a wrong format string must not lose the line
        return _text(record.msg)


def _value(value: object, hide: Callable[[str], str]) -> object:
    """A field's value for JSON: numbers of 64 bits, true, false and null as they are, anything else as text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) < 2**63:
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    return _cut(hide(_text(value)))


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception:
        return f"<{type(value).__name__} that cannot be shown>"


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
