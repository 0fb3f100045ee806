"""Log lines: one JSON object each, on stderr, with nothing secret in them.

Secrets have a type that does not show itself (`pipelinejobs.secret`); the redaction here is the second line, for
what others put into a text.
"""

import json
import logging
import math
import re
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import islice
from threading import Lock
from typing import Final, TextIO
from urllib.parse import quote, quote_plus

logger: Final = logging.getLogger("pipelinejobs")
"""The project's logger. Pass further facts as `extra={"fields": {...}}`."""

LONGEST: Final = 2000
"""Characters of a text that are written; of a traceback, which ends with what matters, the last ones."""

REMEMBERED: Final = 256
"""How many of the texts given to `add_secret` are remembered, the newest. A gateway sees tokens without end."""

_MOST_FIELDS: Final = 50
_SHORTEST_SECRET: Final = 4
_HIDDEN: Final = "***"
_NAMES: Final = r"(?:token|nonce|password|passwd|secret|authorization)"
_SECRET_NAME: Final = re.compile(rf"(?i){_NAMES}$")
# Every repetition is possessive or bounded, so that no text takes more than linear time.
_LOOKS_SECRET: Final = (
    # "token": "...", as JSON, and 'token': '...', as Python writes it; with or without an end
    (re.compile(rf"(?is)(\"[^\"\\]{{0,32}}?{_NAMES}\"\s{{0,8}}:\s{{0,8}}\")(?:[^\"\\]|\\.)*+"), rf"\1{_HIDDEN}"),
    (re.compile(rf"(?is)('[^'\\]{{0,32}}?{_NAMES}'\s{{0,8}}:\s{{0,8}}['\"])(?:[^'\\]|\\.)*+"), rf"\1{_HIDDEN}"),
    # the first again, as a text inside JSON
    (re.compile(rf"(?i)({_NAMES}\\{{1,8}}\"\s{{0,8}}:\s{{0,8}}\\{{1,8}}\")[^\"\\]*+"), rf"\1{_HIDDEN}"),
    # Authorization: Basic ..., and token=... in a query, also where the query is a value in another one
    (re.compile(r"(?i)(authorization:\s{0,8}(?:\w{1,20}\s{1,8})?)[^\s\"',]++"), rf"\1{_HIDDEN}"),
    (re.compile(rf"(?i)({_NAMES}(?:=|%3D))[^&\s\"'<>]++"), rf"\1{_HIDDEN}"),
    (re.compile(r"(?i)\b(bearer\s{1,8})[^\s\"',]++"), rf"\1{_HIDDEN}"),
    # user:password@ in front of a host
    (re.compile(r"//[^/\s\"'<>]+@"), f"//{_HIDDEN}@"),
    # an Abaco nonce, TENANT_hashid: a hashid has small letters and capitals
    (
        re.compile(
            r"(?<=[A-Za-z0-9])_(?=[a-z0-9]{0,15}[A-Z])(?=[A-Z0-9]{0,15}[a-z])[A-Za-z0-9]{10,16}(?![A-Za-z0-9_])"
        ),
        f"_{_HIDDEN}",
    ),
)


class _Known:
    """The secrets that are known by their text: those of the settings, and the newest of those met later."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._lasting: dict[str, frozenset[str]] = {}
        self._met: dict[str, frozenset[str]] = {}
        self.spellings: tuple[str, ...] = ()

    def keep(self, texts: Iterable[str]) -> None:
        """Remembers these for good, besides all others."""
        with self._lock:
            self._lasting |= {text: _spelt(text) for text in texts if len(text) >= _SHORTEST_SECRET}
            self._gather()

    def meet(self, text: str) -> None:
        """Remembers this one for a while."""
        if len(text) < _SHORTEST_SECRET or text in self._lasting:
            return
        with self._lock:
            self._met.pop(text, None)  # the newest comes last
            self._met[text] = _spelt(text)
            if len(self._met) > REMEMBERED:
                del self._met[next(iter(self._met))]
            self._gather()

    def _gather(self) -> None:
        spelt: frozenset[str] = frozenset().union(*self._lasting.values(), *self._met.values())
        # The longest first: a shorter one in it would leave the rest of it to be seen.
        self.spellings = tuple(sorted(spelt, key=len, reverse=True))


def _spelt(text: str) -> frozenset[str]:
    """A text as it is, and as it looks in a URL, in JSON and in what Python writes."""
    in_url = (quote(text, safe="", errors="replace"), quote_plus(text, errors="replace"))
    return frozenset({text, *in_url, json.dumps(text)[1:-1], repr(text)[1:-1]})


_known: Final = _Known()


def configure(level: str, secrets: Iterable[str], stream: TextIO | None = None) -> logging.Logger:
    """Sets the project's logger up; may be called again when more is known.

    Args:
        level: the least that is logged, by name. With DEBUG, errors come with their traceback.
        secrets: texts that must never be written, besides those given before; those shorter than four characters
            are too common to be hidden.
        stream: where to; stderr by default.
    """
    _known.keep(secrets)
    handler = _Handler(stream or sys.stderr)
    handler.setFormatter(_JsonLines())
    logger.handlers[:] = [handler]
    logger.propagate = False
    logger.setLevel(level)
    return logger


def add_secret(text: str) -> None:
    """One more text that must not be written, such as the token of the event at hand."""
    _known.meet(text)


def redacted(text: str) -> str:
    """The text with every known secret, and everything that looks like one, hidden."""
    for secret in _known.spellings:
        text = text.replace(secret, _HIDDEN)
    for pattern, replacement in _LOOKS_SECRET:
        text = pattern.sub(replacement, text)
    return text


class _Handler(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Says nothing. A line that cannot be written must not end the run; logging would print it unredacted."""


class _JsonLines(logging.Formatter):
    """Formats a record as one JSON object in one line of ASCII, whatever was put into it. It never raises."""

    def format(self, record: logging.LogRecord) -> str:
        try:
            line = json.dumps(self._line(record))
        except Exception as error:
            line = json.dumps({"level": "ERROR", "message": f"a log line was lost ({type(error).__name__})"})
        return line.replace("\x7f", "\\u007f")  # the one control character that JSON leaves as it is

    def _line(self, record: logging.LogRecord) -> dict[str, object]:
        moment = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, object] = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "message": _cut(_message(record)),
        }
        fields = getattr(record, "fields", None)
        if isinstance(fields, Mapping):
            for name, value in islice(fields.items(), _MOST_FIELDS):
                key = _cut(_text(name))
                line[f"{key}_" if key in line else key] = _HIDDEN if _SECRET_NAME.search(key) else _value(value)
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = _cut(f"{record.exc_info[0].__name__}: {_text(record.exc_info[1])}")
            if logger.isEnabledFor(logging.DEBUG):
                line["traceback"] = redacted(self.formatException(record.exc_info))[-LONGEST:]
        return line


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # a wrong format string must not cost the line
        return _text(record.msg)


def _value(value: object) -> object:
    """What JSON shows of a field: small numbers, truth values and null as they are, all else as text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) < 2**63:
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    return _cut(_text(value))


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception:
        return f"<{type(value).__name__} that cannot be shown>"


def _cut(text: str) -> str:
    text = redacted(text)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
