"""Variables that are not settings of the manager: those of other programs, and misspelt ones.

The original reactor's environment and secrets.json have settings that this project lacks. They are ignored. A name that
is similar to a setting's variable is reported as misspelt; no setting of the original reactor is that similar.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from pipelinejobs.messages.parameters import NAMES
from pipelinejobs.settings.table import VARIABLES, Settings
from pipelinejobs.util import spelling


class Others(NamedTuple):
    """Names of variables that are not settings of the manager.

    Attributes:
        foreign: names of other programs.
        misspelt: misspelt names, each with the variable that was probably meant.
    """

    foreign: list[str]
    misspelt: dict[str, str]


class Remark(NamedTuple):
    """A message for the log, with its level."""

    level: int
    text: str


def others(names: Iterable[str]) -> Others:
    """The names among `names` that are not settings, sorted."""
    found = Others([], {})
    for name in sorted(set(names) - VARIABLES):
        meant = _meant(name)
        if meant is None:
            found.foreign.append(name)
        else:
            found.misspelt[name] = meant
    return found


def remarks(environ: Mapping[str, str], configured: Settings, foreign: Iterable[str] = ()) -> Iterator[Remark]:
    """What the operator should know about the environment: ignored, misspelt and former names. Repeats no value.

    Abaco gives the content of a file of secrets and the parameters of a message to the actor in the same way.

    Args:
        environ: the environment; only names that begin with `_REACTOR_` are checked.
        configured: the settings that were read from it.
        foreign: further names of other programs, from a file of secrets.
    """
    found = others(name for name in environ if name.startswith("_REACTOR_"))
    if parameters := sorted({*foreign}.intersection(NAMES)):
        text = f"on Abaco they would be read as parameters of every message, so remove them: {', '.join(parameters)}"
        yield Remark(logging.WARNING, text)
    if ignored := sorted({*foreign, *found.foreign}.difference(NAMES)):
        yield Remark(logging.INFO, f"not settings of the manager, and ignored: {', '.join(ignored)}")
    for name, meant in found.misspelt.items():
        yield Remark(logging.WARNING, f"{name} is not a setting and has no effect; did you mean {meant}?")
    for warning in sorted(configured.warnings):
        yield Remark(logging.WARNING, warning)


def _meant(name: str) -> str | None:
    """The variable that a name is similar to, also with its words in another order; None if there is none."""
    best, mistakes = None, spelling.MOST + 1
    for known in sorted(VARIABLES):
        for shown, own in ((name.upper(), known), (_in_order(name.upper()), _in_order(known))):
            count = spelling.mistakes(shown, own)
            if count < mistakes:
                best, mistakes = known, count
    return best


def _in_order(name: str) -> str:
    return "_".join(sorted(name.split("_")))
