"""What can be kept of a report's body, whatever is wrong with it.

A job system cannot mend what it sends, and gives up a callback that is refused a few times. So what it sends is read as
far as it can be, and a mark says what was replaced or left out, and why. Commands are never read this way.
"""

import codecs
import json
import math
import re
from typing import Any, Final, NamedTuple

from pipelinejobs.messages import literal as python_literal
from pipelinejobs.messages.body import KEPT_UNDER, MAX_BYTES, TOO_LARGE, WRAPPING, WRAPPINGS, is_wrapping, too_large
from pipelinejobs.messages.delivery import Delivery
from pipelinejobs.messages.http_body import BINARY, FORM, is_encoded, media_type
from pipelinejobs.messages.marks import Marks
from pipelinejobs.messages.text import CONTINUED_LINE
from pipelinejobs.messages.values import (
    DEPTH,
    INT64_MAX,
    INT64_MIN,
    TOO_DEEP,
    kind_of,
    path_of,
    shown,
    storable,
    text_problem,
)

LARGEST: Final = 4 * MAX_BYTES
"""The longest body, in bytes, in which a report's own status is looked for. What is longer than a message may be is not
kept, but its status counts."""

_BYTE_ORDER_MARKS: Final = (  # those of UTF-32 first: the one of UTF-16 is how one of them begins
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_CHARSET: Final = re.compile(r"(?i)charset\s{0,8}=\s{0,8}[\"']?([a-z0-9._:-]{1,40})")
_CHARACTER_SETS: Final = re.compile("utf-(?:8|16|32)|iso8859|cp[0-9]|koi8|mac|gb|big5|shift_jis|euc_|ascii")
"""The codecs that are character sets. Of Python's others some take for ever, and some are no character sets at all."""
_LAST_RESORT: Final = "iso-8859-1"  # in which Agave's client writes, without saying so; every byte is a letter of it
_INT64_DIGITS: Final = 20
_MOST_FIELDS: Final = 100
_DEEPEST: Final = 100_000


class Mended(NamedTuple):
    """What was read of a body.

    Attributes:
        value: what it says, fit to be stored but for its size; None where there is no body, or nothing could be read.
        is_kept: whether it can be kept; else it only tells what it says.
        text: the body as text, by which it can be sent again; None where there is none, or it is too large.
    """

    value: Any = None
    is_kept: bool = True
    text: str | None = None


class _Unread(Exception):
    """A text that is neither JSON nor a literal."""


class _Number(str):
    """A number that MongoDB cannot hold, as it was written, with what is wrong with it."""

    __slots__ = ("problem",)
    problem: str

    def __new__(cls, text: str, problem: str) -> "_Number":
        number = super().__new__(cls, text)
        number.problem = problem
        return number


class _Twice(dict[str, Any]):
    """An object that has a key twice. The last one counts."""


def read(delivery: Delivery, marks: Marks) -> Mended:
    """What can be kept of a delivery's body. Never raises, whatever it is.

    Args:
        delivery: it, as it arrived.
        marks: gets a mark for each thing that is not taken as it is.
    """
    if delivery.missing is not None:
        return _left_out(marks, "body", delivery.missing)
    if delivery.body is not None and len(delivery.body) > LARGEST:
        return _left_out(marks, "body", TOO_LARGE)
    text = _text(delivery, marks)
    if not text.strip():
        return Mended()
    try:
        value = _unwrapped(_parsed(text, delivery.literal), delivery.literal)
    except _Unread:
        if isinstance(delivery.body, bytes):
            label = media_type(delivery.content_type)
            if is_encoded(delivery.content_encoding):
                problem = f"is {shown(delivery.content_encoding or '')}"
                return _left_out(marks, "header Content-Encoding", problem, "the body is left out")
            if label == BINARY:
                return _left_out(marks, "header Content-Type", f"is {BINARY}", "the body is left out")
            if label == FORM and (field := _field(text)) is not None:
                return _of_text(field, delivery.literal, marks)
        value = text
    return _fit(value, text, marks)


def _of_text(text: str, literal: bool, marks: Marks) -> Mended:
    if not text.strip():
        return Mended()
    try:
        value = _unwrapped(_parsed(text, literal), literal)
    except _Unread:
        value = text
    return _fit(value, text, marks)


def _fit(value: Any, text: str, marks: Marks) -> Mended:
    """What can be kept of a value that was read of this text."""
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


def _text(delivery: Delivery, marks: Marks) -> str:
    """The body as text, without a byte order mark. It may hold what cannot be stored."""
    body = delivery.body if delivery.body is not None else ""
    if isinstance(body, bytes) and not body.strip():
        body = delivery.parameters.get(WRAPPING, "")
    if isinstance(body, str) and text_problem(body):
        try:
            body = body.encode("utf-8", "surrogateescape")  # bytes that Python could not read in the environment
        except UnicodeEncodeError:
            return storable(str(body))
    if isinstance(body, str):
        if body.startswith("\ufeff"):
            marks.add("body", "begins with a byte order mark; left out")
        return body.removeprefix("\ufeff")
    text, how = _decoded(body, delivery.content_type)
    if how is not None:
        marks.add("body", how)
    return text


def _decoded(body: bytes, content_type: str | None) -> tuple[str, str | None]:
    """The text of these bytes, and a mark where they are not simply UTF-8."""
    for mark, encoding in _BYTE_ORDER_MARKS:
        if body.startswith(mark):
            rest = body[len(mark) :].decode(encoding, "replace")
            return rest, f"begins with a byte order mark; read as {encoding.upper()}"
    found = json.detect_encoding(body)
    if found != "utf-8":  # UTF-16 or UTF-32 without a mark, if it is one of them
        text = _decoded_as(body, found)
        if text is not None and text.lstrip().startswith(("{", "[")):
            return text, f"is not UTF-8; read as {found.upper()}"
    text = _decoded_as(body, "utf-8")
    if text is not None:
        return text, None
    declared = _CHARSET.search(content_type or "")
    encoding = declared[1].lower() if declared else _LAST_RESORT
    text = _decoded_as(body, encoding)
    if text is None:
        encoding = _LAST_RESORT
    return text or body.decode(_LAST_RESORT), f"is not UTF-8; read as {encoding.upper()}"


def _decoded_as(body: bytes, encoding: str) -> str | None:
    try:
        codec = codecs.lookup(encoding)
        return body.decode(codec.name) if _CHARACTER_SETS.match(codec.name) else None
    except (LookupError, ValueError):  # there is no such codec, or the bytes are none of its
        return None


def _field(form: str) -> str | None:
    """The field `message` of a form; None where it has none."""
    from urllib.parse import parse_qs  # here, because an actor gets no forms

    try:
        return parse_qs(form.strip(), keep_blank_values=True, max_num_fields=_MOST_FIELDS)[WRAPPING][0]
    except (ValueError, KeyError):
        return None


def _unwrapped(value: Any, literal: bool) -> Any:
    """The value out of its wrappings in `message`; see `body.value_in`."""
    for _ in range(WRAPPINGS):
        if not isinstance(value, dict) or not is_wrapping(value):
            break
        value = value[WRAPPING]
        if isinstance(value, str):
            if not value.strip():
                return None
            try:
                value = _parsed(value, literal)
            except _Unread:
                break
    return value


def _parsed(text: str, literal: bool) -> Any:
    """The value of a text: JSON, JSON with continued lines, or a Python literal.

    Raises:
        _Unread: it is none of them.
    """
    attempts = [text, CONTINUED_LINE.sub("", text)]
    if literal:
        attempts.append(python_literal.as_json(attempts[-1]))
    for attempt in dict.fromkeys(attempts):
        try:
            return _DECODER.decode(attempt)
        except json.JSONDecodeError:
            continue
        except RecursionError:
            try:
                return _DECODER.decode(_shallow(attempt))
            except json.JSONDecodeError:
                continue
    raise _Unread


_PIECES: Final = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)


def _shallow(text: str) -> str:
    """A JSON text with null in place of what is nested so deeply that it is not kept anyway.

    To look at every bracket takes its time, so that this has an end: what is longer or deeper becomes no JSON.
    """
    if len(text) > MAX_BYTES:
        return ""
    kept = []
    level, begin = 0, 0
    for piece in _PIECES.finditer(text):
        if piece[0] in ("[", "{"):
            level += 1
            if level == DEPTH + 2:
                kept.append(f"{text[begin : piece.start()]}null")
            if level > _DEEPEST:
                return ""
        elif piece[0] in ("]", "}"):
            level -= 1
            if level == DEPTH + 1:
                begin = piece.end()
    return "".join([*kept, text[begin:]]) if level <= DEPTH + 1 else ""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    return result if len(result) == len(pairs) else _Twice(result)


def _integer(digits: str) -> int | _Number:
    # Python refuses to read an integer of more than 4300 digits, and takes long over shorter ones.
    if len(digits) <= _INT64_DIGITS and INT64_MIN <= (number := int(digits)) <= INT64_MAX:
        return number
    return _Number(digits, "is an integer beyond 64 bits")


def _float(text: str) -> float | _Number:
    number = float(text)
    return number if math.isfinite(number) else _constant(text)


def _constant(text: str) -> _Number:
    return _Number(text, "is no finite number")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant
)


class _Mender:
    """Makes a value fit to be stored; what is too deep in it becomes null."""

    def __init__(self, marks: Marks) -> None:
        self._marks = marks
        self.is_too_deep = False

    def mended(self, value: Any, path: tuple[str | int, ...] = (), level: int = 1) -> Any:
        if isinstance(value, _Number):
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
        if isinstance(value, _Twice) or len(result) < len(value):
            self._marks.add(path_of(*path), "has a key twice; the last counts")
        return result

    def _text(self, text: str, path: tuple[str | int, ...]) -> str:
        problem = text_problem(text)
        if problem is None:
            return text
        self._marks.add(path_of(*path), f"{problem}; replaced by U+FFFD")
        return storable(text)
