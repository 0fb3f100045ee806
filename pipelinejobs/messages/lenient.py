"""Reads the body of a report as far as possible, whatever is wrong with it.

A job system cannot correct what it sends, and stops a callback that was refused a few times. So its reports are read
leniently, and marks say what was replaced or left out, and why. Commands are never read this way.
"""

from typing import Any, Final, NamedTuple

from pipelinejobs.messages.body import KEPT_UNDER, MAX_BYTES, TOO_LARGE, WRAPPING, too_large
from pipelinejobs.messages.body_text import text_of
from pipelinejobs.messages.delivery import Delivery
from pipelinejobs.messages.http_body import BINARY, FORM, is_encoded, media_type
from pipelinejobs.messages.lenient_json import Number, Twice, Unread, parsed, unwrapped
from pipelinejobs.messages.marks import Marks
from pipelinejobs.messages.values import DEPTH, TOO_DEEP, kind_of, path_of, shown, storable, text_problem

LARGEST: Final = 4 * MAX_BYTES
"""The longest body, in bytes, in which a report's status is looked for. If a body is longer than a message may be, only
its status counts, and the rest is not stored."""

_MOST_FIELDS: Final = 100


class Mended(NamedTuple):
    """A body as far as it could be read.

    Attributes:
        value: the value, fit to be stored except for its size; None if there is no body or it could not be read.
        is_kept: whether the value can be stored; if not, only its status counts.
        text: the body as text, for requeueing; None if there is none or it is too large.
    """

    value: Any = None
    is_kept: bool = True
    text: str | None = None


def read(delivery: Delivery, marks: Marks) -> Mended:
    """The readable part of a delivery's body. Never raises.

    Args:
        delivery: the delivery.
        marks: gets a mark for each part of the body that is changed or left out.
    """
    if delivery.missing is not None:
        return _left_out(marks, "body", delivery.missing)
    if delivery.body is not None and len(delivery.body) > LARGEST:
        return _left_out(marks, "body", TOO_LARGE)
    text = text_of(delivery, marks)
    if not text.strip():
        return Mended()
    try:
        value = unwrapped(parsed(text, delivery.literal), delivery.literal)
    except Unread:
        return _by_label(delivery, text, marks)
    return _fit(value, text, marks)


def _by_label(delivery: Delivery, text: str, marks: Marks) -> Mended:
    """The readable part of a text that is neither JSON nor a literal, according to the HTTP headers."""
    if not isinstance(delivery.body, bytes):
        return _fit(text, text, marks)
    if is_encoded(delivery.content_encoding):
        problem = f"is {shown(delivery.content_encoding or '')}"
        return _left_out(marks, "header Content-Encoding", problem, "the body is left out")
    label = media_type(delivery.content_type)
    if label == BINARY:
        return _left_out(marks, "header Content-Type", f"is {BINARY}", "the body is left out")
    field = _field(text) if label == FORM else None
    if field is None:
        return _fit(text, text, marks)
    if not field.strip():
        return Mended()
    try:
        value = unwrapped(parsed(field, delivery.literal), delivery.literal)
    except Unread:
        value = field
    return _fit(value, field, marks)


def _fit(value: Any, text: str, marks: Marks) -> Mended:
    """The part that can be stored of a value, which was read from this text."""
    if too_large(text) and not isinstance(value, dict):
        return _left_out(marks, "body", TOO_LARGE)
    mender = _Mender(marks)
    is_object = isinstance(value, dict)
    value = mender.mended(value, level=1 if is_object else 2)
    if too_large(text):
        return _left_out(marks, "body", TOO_LARGE)._replace(value=value)
    if mender.is_too_deep:
        return _left_out(marks, "body", TOO_DEEP)._replace(value=value, text=storable(text))
    if not is_object and value is not None:
        marks.add("body", f"is {kind_of(value)} and no object; kept under `{KEPT_UNDER}`")
    return Mended(value, text=storable(text))


def _left_out(marks: Marks, where: str, problem: str, what: str = "left out") -> Mended:
    marks.add(where, f"{problem}; {what}")
    return Mended(is_kept=False)


def _field(form: str) -> str | None:
    """The field `message` of a form; None if it has none."""
    from urllib.parse import parse_qs  # loaded here, because actors on Abaco get no forms

    try:
        return parse_qs(form.strip(), keep_blank_values=True, max_num_fields=_MOST_FIELDS)[WRAPPING][0]
    except (ValueError, KeyError):
        return None


class _Mender:
    """Makes a value fit to be stored: replaces bad numbers and texts, and what is nested too deeply by null."""

    def __init__(self, marks: Marks) -> None:
        self._marks = marks
        self.is_too_deep = False

    def mended(self, value: Any, path: tuple[str | int, ...] = (), level: int = 1) -> Any:
        if isinstance(value, Number):
            self._marks.add(path_of(*path), f"{value.problem}; kept as text")
            return str.__str__(value)
        if isinstance(value, str):
            return self._text(value, path)
        if not isinstance(value, dict | list):
            return value
        if level > DEPTH:
            self.is_too_deep = True
            return None
        if isinstance(value, list):
            return [self.mended(element, (*path, index), level + 1) for index, element in enumerate(value)]
        result = {self._text(key, path): self.mended(member, (*path, key), level + 1) for key, member in value.items()}
        if isinstance(value, Twice) or len(result) < len(value):
            self._marks.add(path_of(*path), "has a key twice; the last counts")
        return result

    def _text(self, text: str, path: tuple[str | int, ...]) -> str:
        problem = text_problem(text)
        if problem is None:
            return text
        self._marks.add(path_of(*path), f"{problem}; replaced by U+FFFD")
        return storable(text)
