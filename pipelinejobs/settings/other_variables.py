"""Variables that set no setting: those of other programs, and misspelt ones.

The environment of the original reactor, and its secrets.json, hold settings that this project does not have. They are
ignored. A name that is close to a setting's was probably meant to be it, and is reported; no setting of the original
reactor is that close.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from pipelinejobs.settings.table import VARIABLES, Settings
from pipelinejobs.util import spelling


class Others(NamedTuple):
    """Names of variables that set no setting.

    Attributes:
        foreign: those of other programs.
        misspelt: for each other one, the variable that was probably meant.
    """

    foreign: list[str]
    misspelt: dict[str, str]


class Remark(NamedTuple):
    """One sentence for the log, with its level."""

    level: int
    text: str


def others(names: Iterable[str]) -> Others:
    """Those of `names` that set no setting, sorted."""
    found = Others([], {})
    for name in sorted(set(names) - VARIABLES):
        meant = _meant(name)
        if meant is None:
            found.foreign.append(name)
        else:
            found.misspelt[name] = meant
    return found


def remarks(environ: Mapping[str, str], configured: Settings, foreign: Iterable[str] = ()) -> Iterator[Remark]:
    """What the operator should know about an environment from which settings were read. No value is repeated.

    Args:
        environ: the environment. Of names that set no setting, only those that begin with `_REACTOR_` matter.
        configured: what was read from it.
        foreign: names of other programs that were found elsewhere, as in a file of secrets.
    """
    found = others(name for name in environ if name.startswith("_REACTOR_"))
    if ignored := sorted({*foreign, *found.foreign}):
        yield Remark(logging.INFO, f"not settings of the manager, and ignored: {', '.join(ignored)}")
    for name, meant in found.misspelt.items():
        yield Remark(logging.WARNING, f"{name} is not a setting and has no effect; did you mean {meant}?")
    for warning in sorted(configured.warnings):
        yield Remark(logging.WARNING, warning)


def _meant(name: str) -> str | None:
    """The variable that this name is close to, also with its words in another order; None where none is."""
    best, mistakes = None, spelling.MOST + 1
    for known in sorted(VARIABLES):
        for shown, own in ((name.upper(), known), (_in_order(name.upper()), _in_order(known))):
            count = spelling.mistakes(shown, own)
            if count < mistakes:
                best, mistakes = known, count
    return best


def _in_order(name: str) -> str:
    return "_".join(sorted(name.split("_")))
