"""Reads what docstrings say about single attributes and values."""

import inspect
import re


def attributes(cls: type) -> dict[str, str]:
    """The text of each attribute in a class's docstring, in one line, by the attribute's name."""
    found = re.findall(r"^    (\w+): (.+(?:\n {5,}.+)*)", inspect.getdoc(cls) or "", re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in found}


def values(cls: type) -> dict[str, str]:
    """The text below each value of an enumeration, by the value's name."""
    found = re.findall(r'^    ([A-Z]+) = .*\n    """((?:.|\n)*?)"""', inspect.getsource(cls), re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in found}
