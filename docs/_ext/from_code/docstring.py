"""What a docstring says of each attribute."""

import inspect
import re


def attributes(cls: type) -> dict[str, str]:
    """The text of each attribute in a class's docstring, in one line, by the attribute's name."""
    found = re.findall(r"^    (\w+): (.+(?:\n {5,}.+)*)", inspect.getdoc(cls) or "", re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in found}
