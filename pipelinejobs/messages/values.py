"""Checks the values in a message: text, numbers and nesting have to be such that MongoDB can store them."""

import json
import math
import re
from collections import deque
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from pipelinejobs.util.errors import Malformed

DEPTH: Final = 32
"""The most levels of nested objects and lists; the message's own object is level 1."""

INT64_MIN: Final = -(2**63)
INT64_MAX: Final = 2**63 - 1
INT64_DIGITS: Final = len(str(INT64_MIN))

TOO_DEEP: Final = f"is nested deeper than {DEPTH} levels"
TOO_LARGE: Final = "is an integer beyond 64 bits, which MongoDB cannot hold; send it as text"

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,59}")
_SHOWN = 60
_LONGEST_PATH = 200


class Flaw(NamedTuple):
    """Replaces a value that no message may hold in a parsed value.

    A parser does not know the path of what it reads, so it leaves a flaw, and `check` adds the path.
    """

    problem: str


_KINDS: Final[dict[type, str]] = {
    str: "text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    type(None): "null",
    list: "a list",
    dict: "an object",
}


def kind_of(value: object) -> str:
    """The type of a value in the words of a reason: `text`, `a list`, `null`."""
    return _KINDS.get(type(value), "something that JSON does not have")


def wrong_type(expected: str, value: object) -> str:
    """The problem of a value of the wrong type. The value itself is not shown: it may be a secret."""
    return f"must be {expected}, not {kind_of(value)}"


def shown(text: str) -> str:
    """A sender's text for a reason: quoted, cut after 60 characters, control characters escaped."""
    cut = text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
    return json.dumps(cut)


def path_of(*keys: str | int) -> str:
    """The path of a value in a body: `data.list[3]`, `data["a.b"]`; `body` for the body itself."""
    parts = []
    for key in keys:
        if isinstance(key, int):
            parts.append(f"[{key}]")
        elif _PLAIN_KEY.fullmatch(key):
            parts.append(f".{key}")
        else:
            parts.append(f"[{shown(key)}]")
    text = "".join(parts)
    text = text[1:] if text.startswith(".") else f"body{text}"
    return text if len(text) <= _LONGEST_PATH else text[:_LONGEST_PATH] + "..."


def text_problem(text: str) -> str | None:
    """Why a text cannot be stored, or None. MongoDB accepts no NUL in a key and no lone surrogate."""
    found = _UNSTORABLE.search(text)
    if found is None:
        return None
    if found[0] == "\0":
        return "holds a NUL character"
    return "holds a lone surrogate: half a character, or a byte that is not UTF-8"


def storable(text: str) -> str:
    """A text with U+FFFD in place of characters that cannot be stored."""
    return _UNSTORABLE.sub("\ufffd", text)


def readable(text: str) -> str:
    """A text from the environment or a URL, with U+FFFD in place of bytes that are not UTF-8 (surrogateescape)."""
    if text.isascii():
        return text
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    except UnicodeEncodeError:  # a surrogate that stands for no byte
        return _SURROGATES.sub("\ufffd", text)


def problem_of(value: object) -> str | None:
    """The problem of a value that is neither list nor object, or None."""
    if isinstance(value, str):
        return text_problem(value)
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, int):
        return None if INT64_MIN <= value <= INT64_MAX else TOO_LARGE
    if isinstance(value, float):
        return None if math.isfinite(value) else "is not a finite number"
    if isinstance(value, Flaw):
        return value.problem
    return f"is {kind_of(value)}"


def check(body: dict[str, Any]) -> None:
    """Refuses a body with values that a message may not hold.

    Raises:
        Malformed: the first, outermost problem.
    """
    for problem in problems(body):
        raise problem


def problems(body: dict[str, Any]) -> Iterator[Malformed]:
    """The values in a body that a message may not hold, the outermost first.

    It works level by level without recursion, so that a deeply nested body cannot exhaust the stack.
    """
    waiting: deque[tuple[dict[str, Any] | list[Any], _Path, int]] = deque([(body, None, 1)])
    while waiting:
        container, path, level = waiting.popleft()
        if level > DEPTH:
            yield Malformed(path_of(*_keys(path)), TOO_DEEP)
            continue
        members: Any = enumerate(container)
        if isinstance(container, dict):
            members = container.items()
            for key in container:
                if problem := key_problem(key):
                    yield Malformed(path_of(*_keys(path)), problem)
        for key, value in members:
            if isinstance(value, dict | list):
                waiting.append((value, (path, key), level + 1))
            elif problem := problem_of(value):
                yield Malformed(path_of(*_keys((path, key))), problem)


def key_problem(key: object) -> str | None:
    """The problem of a key of an object, or None."""
    if not isinstance(key, str):
        return "has a key that is not text"
    problem = text_problem(key)
    return problem and f"has the key {shown(key)}, which {problem}"


# The path of a value as links to its containers: a list of keys is made only for a refusal.
_Path = tuple[Any, str | int] | None


def _keys(path: _Path) -> list[str | int]:
    keys: list[str | int] = []
    while path is not None:
        path, key = path
        keys.append(key)
    return keys[::-1]
