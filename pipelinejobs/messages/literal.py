"""Reads Python literals: Abaco passes a JSON object to the container as the `repr` of a dictionary.

Only literals that Python's `repr` writes for a JSON value are accepted. The text is never evaluated.
"""

import ast
import json
import re
from typing import Any, Final

from pipelinejobs.messages.values import Flaw, shown
from pipelinejobs.util.errors import Malformed

MAX_BYTES: Final = 131_067
"""The longest `MSG` that Linux lets Abaco pass to a process. A longer literal cannot come from Abaco."""

# The pieces that `repr` writes. Anything else (names, calls, prefixes, comments, other escapes) is refused before
# Python's parser sees it, which also avoids the parser's warnings. Every repetition is possessive (`*+`), so that any
# text takes linear time.
_BLANK = r"[ \t\r\n]"
_ESCAPE = r"\\(?:[\\'\"nrt]|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})"
_TEXT = rf"(?:'(?:[^'\\\r\n]|{_ESCAPE})*+'|\"(?:[^\"\\\r\n]|{_ESCAPE})*+\")"
_PIECES = re.compile(
    rf"""(?:
        {_BLANK}
      | [{{}}\[\]:]
      | ,(?!{_BLANK}*+[}}\]])                            # no comma before a closing bracket
      | {_TEXT}(?!{_BLANK}*+['"])                        # two texts side by side would become one
      | (?:True|False|None)\b
      | -?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?\b
    )*+""",
    re.VERBOSE,
)


def parse(text: str, path: str) -> Any:
    """The value that a Python literal stands for.

    Dictionaries with text keys, lists, text, integers, floats, True, False and None are accepted. A dictionary with a
    key twice becomes a `values.Flaw`: the result must be checked with `values.check`.

    Raises:
        Malformed: at `path`, if the text is anything else.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise Malformed(path, f"is longer than the {MAX_BYTES} bytes that Abaco can deliver")
    text = text.strip(" \t\r\n")
    pieces = _PIECES.match(text)
    end = pieces.end() if pieces else 0
    if end < len(text):
        raise Malformed(path, f"unexpected text at character {end + 1}")
    try:
        return _value(ast.parse(text, mode="eval").body, path)
    except SyntaxError as error:
        raise Malformed(path, f"{error.msg} at character {error.offset}") from None
    except (ValueError, RecursionError, MemoryError):
        # Python's parser fails in one of these ways on a text that is nested too deeply or otherwise too much for it.
        raise Malformed(path, "is nested too deeply, or is not a Python literal") from None


_WORDS: Final = {"True": "true", "False": "false", "None": "null", "nan": "NaN", "inf": "Infinity"}
_TEXTS_AND_WORDS: Final = re.compile(rf"{_TEXT}|['\"].*|\b(?:{'|'.join(_WORDS)})\b", re.DOTALL)


def as_json(text: str) -> str:
    """The JSON from which Abaco made a Python literal, with NaN, infinities and integers of any length.

    A text that is not a literal becomes a text that is not JSON. The text must not contain lone surrogates.
    """
    return _TEXTS_AND_WORDS.sub(_in_json, text) if len(text) <= MAX_BYTES else ""


def _in_json(found: re.Match[str]) -> str:
    piece = found[0]
    if piece in _WORDS:
        return _WORDS[piece]
    if piece[0] != piece[-1] or not re.fullmatch(_TEXT, piece):
        return "?"  # a text without an end, or with an escape that `repr` does not write
    return json.dumps(ast.literal_eval(piece) if "\\" in piece else piece[1:-1])


def _value(node: ast.expr, path: str) -> Any:
    match node:
        case ast.Constant(value=None | bool() | int() | float() | str() as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number
        case ast.List(elts=elements):
            return [_value(element, path) for element in elements]
        case ast.Dict(keys=keys, values=members):
            return _dictionary(keys, members, path)
    raise Malformed(path, f"unexpected {type(node).__name__.lower()} at character {node.col_offset + 1}")


def _dictionary(keys: list[ast.expr | None], members: list[ast.expr], path: str) -> dict[str, Any] | Flaw:
    result: dict[str, Any] = {}
    for key, member in zip(keys, members, strict=True):
        if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
            raise Malformed(path, "a key that is not text")
        if key.value in result:
            return Flaw(f"has the key {shown(key.value)} twice")
        result[key.value] = _value(member, path)
    return result
