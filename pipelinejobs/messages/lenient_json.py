"""Reads JSON with numbers that MongoDB cannot hold and with keys that occur twice, for the lenient reading.

The strict reading (`messages.text`) refuses these. Here they get types of their own, which `lenient` replaces.
"""

import json
import math
import re
from typing import Any, Final

from pipelinejobs.messages import literal as python_literal
from pipelinejobs.messages.body import MAX_BYTES, WRAPPING, WRAPPINGS, is_wrapping
from pipelinejobs.messages.text import CONTINUED_LINE
from pipelinejobs.messages.values import DEPTH, INT64_DIGITS, INT64_MAX, INT64_MIN

_DEEPEST: Final = 100_000


class Unread(Exception):
    """The text is neither JSON nor a Python literal."""


class Number(str):
    """The text of a number that MongoDB cannot hold, with its problem."""

    __slots__ = ("problem",)
    problem: str

    def __new__(cls, text: str, problem: str) -> "Number":
        number = super().__new__(cls, text)
        number.problem = problem
        return number


class Twice(dict[str, Any]):
    """An object in which a key occurs twice. The last one counts."""


def unwrapped(value: Any, literal: bool) -> Any:
    """The value without its envelopes; see `body.value_in`."""
    for _ in range(WRAPPINGS):
        if not isinstance(value, dict) or not is_wrapping(value):
            break
        value = value[WRAPPING]
        if isinstance(value, str):
            if not value.strip():
                return None
            try:
                value = parsed(value, literal)
            except Unread:
                break
    return value


def parsed(text: str, literal: bool) -> Any:
    """The value of a text: JSON, JSON with backslashes at line ends, or, with `literal`, a Python literal.

    Raises:
        Unread: the text is none of these.
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
    raise Unread


_PIECES: Final = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)


def _shallow(text: str) -> str:
    """A JSON text with null in place of values that are nested too deeply to be stored.

    A text that is too long or extremely deep becomes empty, because each bracket takes time.
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
    return result if len(result) == len(pairs) else Twice(result)


def _integer(digits: str) -> int | Number:
    # Python refuses to read an integer of more than 4300 digits, and takes long over shorter ones.
    if len(digits) <= INT64_DIGITS and INT64_MIN <= (number := int(digits)) <= INT64_MAX:
        return number
    return Number(digits, "is an integer beyond 64 bits")


def _float(text: str) -> float | Number:
    number = float(text)
    return number if math.isfinite(number) else _constant(text)


def _constant(text: str) -> Number:
    return Number(text, "is not a finite number")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant
)
