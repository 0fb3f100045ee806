"""Reads the text of a message: strict JSON, else a Python literal."""

import json
import re
from typing import Any, Final

from pipelinejobs.messages import literal as python_literal
from pipelinejobs.messages.values import INT64_DIGITS, TOO_DEEP, TOO_LARGE, Flaw, shown, text_problem
from pipelinejobs.util.errors import Malformed

CONTINUED_LINE: Final = re.compile(r"\\\r?\n")
"""A backslash at the end of a line, as in examples for a shell."""


def parse(text: str, *, literal: bool, path: str = "body", plain: bool = False) -> Any:
    """The value of a message's text.

    JSON is tried first, then JSON without backslash-newline pairs, which the examples in the PipelineJobs documentation
    have and valid JSON never has. Last, if `literal` allows it, the text is read as a Python literal.

    Values that JSON allows but a message may not hold (a key twice, NaN, an integer of many digits) are in the result
    as `values.Flaw`: the result must be checked with `values.check`.

    Args:
        text: the text.
        literal: whether the text may be a Python literal.
        path: the text's path in the message, for reasons.
        plain: whether a text that is none of these is returned as it is.

    Raises:
        Malformed: at `path`, if the text is none of these or has characters that a message may not hold.
    """
    if text.startswith("\ufeff"):
        raise Malformed(path, "begins with a byte order mark; send UTF-8 without one")
    if problem := text_problem(text):
        raise Malformed(path, problem)
    try:
        return json_value(text)
    except ValueError as error:
        problem = str(error)
    repaired = CONTINUED_LINE.sub("", text)
    if repaired != text:
        try:
            return json_value(repaired)
        except ValueError as error:
            problem = str(error)
    if not literal:
        if plain:
            return text
        raise Malformed(path, f"is not JSON: {problem}")
    try:
        return python_literal.parse(repaired, path)
    except Malformed as refusal:
        if plain:
            return text
        both = f"is neither JSON ({problem}) nor a Python literal ({refusal.problem})"
    raise Malformed(path, both)


def json_value(text: str) -> Any:
    """The value of a JSON text, flaws included (see `parse`).

    Raises:
        ValueError: the text is not JSON; the message says why and where, and quotes nothing of the text.
    """
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        problem = f"{error.msg} at line {error.lineno}, column {error.colno}"
    except RecursionError:
        return Flaw(TOO_DEEP)
    raise ValueError(problem)  # raised here, outside the handler: the library's error holds the whole text


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any] | Flaw:
    result = dict(pairs)
    if len(result) == len(pairs):
        return result
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            break
        seen.add(key)
    return Flaw(f"has the key {shown(key)} twice")


def _integer(digits: str) -> int | Flaw:
    # Python refuses to read an integer of more than 4300 digits, and takes long over shorter ones.
    if len(digits) > INT64_DIGITS:
        return Flaw(TOO_LARGE)
    return int(digits)


def _constant(name: str) -> Flaw:
    return Flaw(f"is {name}, which is not JSON")


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer, parse_constant=_constant)
