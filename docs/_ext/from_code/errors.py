"""The tree of errors."""

import inspect

from from_code.rst import code, definitions, literal, plain
from pipelinejobs.util import errors


def tree() -> str:
    """The tree as it is drawn in the module, and each class's own sentences."""
    drawn = [line for line in (errors.__doc__ or "").splitlines() if line.startswith("    ")]
    found = [one for one in vars(errors).values() if inspect.isclass(one) and one.__module__ == errors.__name__]
    said = [(literal(one.__name__), plain(inspect.getdoc(one) or "")) for one in found]
    return code(inspect.cleandoc("\n".join(["", *drawn]))) + definitions(said)
