"""The client's public names, for autodoc to describe."""

import inspect
import re

from from_code.rst import code
from pipelinejobs import client


def public() -> str:
    """Everything that the client gives to others but its errors, and its error classes below their tree."""
    return "".join(_described(name) for name in client.__all__ if not _is_error(name))


def errors() -> str:
    """The tree of errors as the module draws it, and each of them."""
    drawn = re.search(r"^Errors:\n\n((?:    .*\n)+)", inspect.getdoc(client) or "", re.MULTILINE)
    assert drawn is not None
    return code(inspect.cleandoc("\n" + drawn[1])) + "".join(
        _described(name) for name in client.__all__ if _is_error(name)
    )


def as_typed(_app: object, _what: str, _name: str, _object: object, _options: object, lines: list[str]) -> None:
    """Makes literals of what docstrings have in single backquotes. Sphinx calls it for each docstring."""
    lines[:] = [re.sub(r"(?<!`)`([^`]+)`(?![`_])", r"``\1``", line) for line in lines]


def _is_error(name: str) -> bool:
    one = getattr(client, name)
    return inspect.isclass(one) and issubclass(one, Exception)


def _described(name: str) -> str:
    one = getattr(client, name)
    if inspect.isclass(one):
        fields = ", ".join(getattr(one, "_fields", ()))  # the class's own text says what they are
        return f".. autoclass:: {name}\n   :members:\n" + (f"   :exclude-members: {fields}\n\n" if fields else "\n")
    return f".. autofunction:: {name}\n\n" if inspect.isfunction(one) else f".. autodata:: {name}\n\n"
