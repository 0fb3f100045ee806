"""Makes texts of other programs safe to show: hides secrets, and writes invisible characters as escapes. Pure."""

import json
from collections.abc import Callable
from typing import Any, Final

from pipelinejobs.core.views import plain
from pipelinejobs.util.redaction import redacted

Hide = Callable[[str], str]
"""Hides the secrets of one job in a text, in addition to those that `util.redaction` knows."""

LONGEST: Final = 50_000
"""Most characters of one value that are shown."""
_BRIEF: Final = 120
_MARGIN: Final = 4096
"""Longest secret, in characters."""


class DisplayValue:
    """One value, ready to be shown.

    Attributes:
        whole: its text, in several lines.
        brief: the beginning of its text, in one line.
        is_long: whether `brief` is only a part.
        is_cut: whether even `whole` is only a part.
    """

    def __init__(self, value: Any, hide: Hide = str) -> None:
        line, lines = _hidden(_json(value, None), hide), _hidden(_json(value, 2), hide)
        self.is_cut = len(lines) > LONGEST
        self.whole = visible(lines[:LONGEST], lines=True)
        self.is_long = len(line) > _BRIEF
        self.brief = visible(line[:_BRIEF])


def safe(value: Any, hide: Hide = str) -> str:
    """A value as one line of text; empty for None."""
    if value is None:
        return ""
    return visible(_hidden(value if isinstance(value, str) else _json(value, None), hide)[:LONGEST])


def visible(text: str, *, lines: bool = False) -> str:
    """A text with invisible and direction-changing characters as escapes, such as `\\u202e`.

    Args:
        text: the text.
        lines: whether newlines and tabs are kept.
    """
    allowed = "\n\t" if lines else ""
    return "".join(one if one.isprintable() or one in allowed else _written(one) for one in text)


def _written(one: str) -> str:
    return f"\\u{ord(one):04x}" if ord(one) < 0x10000 else f"\\U{ord(one):08x}"


def _json(value: Any, indent: int | None) -> str:
    return json.dumps(plain(value), ensure_ascii=False, indent=indent, default=str)


def _hidden(text: str, hide: Hide) -> str:
    """The text without its secrets.

    A text that is much too long is cut before the search for secrets. Its new end may hold the beginning of a secret,
    which the search does not recognise; so the end is cut once more.
    """
    is_huge = len(text) > LONGEST + 2 * _MARGIN
    text = redacted(hide(text[: LONGEST + 2 * _MARGIN]))
    return text[:-_MARGIN] + "..." if is_huge else text
