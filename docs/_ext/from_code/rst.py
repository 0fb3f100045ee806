"""Functions that format reStructuredText."""

import re
from collections.abc import Iterable, Sequence


def literal(text: object) -> str:
    """The text as an inline literal; nothing for an empty text."""
    return f"``{text}``" if str(text) else ""


def plain(text: str) -> str:
    """The text without markup, except that text between backticks becomes a literal."""
    words = re.split(r"`([^`]+)`", text)
    return "".join(literal(part) if place % 2 else _escaped(part) for place, part in enumerate(words))


def _escaped(text: str) -> str:
    return re.sub(r"([\\*`|]|_\b)", r"\\\1", text)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], widths: str = "auto") -> str:
    """A table with a heading row."""
    lines = [".. list-table::", "   :header-rows: 1", f"   :widths: {widths}", ""]
    for row in (heads, *rows):
        lines.extend(f"   {'* -' if place == 0 else '  -'} {cell}".rstrip() for place, cell in enumerate(row))
    return "\n".join(lines) + "\n\n"


def section(title: str, body: str, underline: str = "-") -> str:
    """A section with its title."""
    return f"{title}\n{underline * max(len(title), 3)}\n\n{body}\n\n"


def definitions(items: Iterable[tuple[str, str]]) -> str:
    """A definition list."""
    return "\n".join(f"{term}\n   {indented(meaning, 3)}\n" for term, meaning in items) + "\n"


def indented(text: str, spaces: int) -> str:
    """The text, with all lines but the first indented."""
    return text.replace("\n", "\n" + " " * spaces)


def code(text: str, language: str = "text") -> str:
    """A block of code."""
    return f".. code-block:: {language}\n\n   {indented(text.strip(), 3)}\n\n"
