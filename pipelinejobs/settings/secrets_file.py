"""secrets.json: variables of settings and their values, in a file of their own.

It is what Abaco's tools give to an actor as its environment. For the gateway and the operators' commands the variable
`PIPELINEJOBS_SECRETS` names such a file, so that no secret stands in an environment or on a command line. The actor
ignores that variable: on Abaco a sender could name another file.

The original reactor's file works as it is: settings of other programs are ignored (`settings.other_variables`).
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from pipelinejobs.settings import other_variables
from pipelinejobs.settings.pins import as_text
from pipelinejobs.settings.table import VARIABLES
from pipelinejobs.util.errors import WrongSetting

VARIABLE: Final = "PIPELINEJOBS_SECRETS"
"""The variable that names the file."""


class Unreadable(Exception):
    """The file cannot be read; the text says why, and repeats nothing of what is in it."""


class Secrets(NamedTuple):
    """What a file says.

    Attributes:
        ours: by variable of a setting its value, as the environment would spell it; of null an empty text.
        foreign: names that are settings of other programs.
    """

    ours: dict[str, str]
    foreign: list[str]


class Joined(NamedTuple):
    """An environment, together with the file that it names, and what in the file is of other programs."""

    environment: dict[str, str]
    foreign: list[str]


def read(path: Path) -> Secrets:
    """The file's variables and their values.

    Raises:
        Unreadable: it is not there, is not a JSON object, or has a list or an object for a setting's value.
        WrongSetting: it holds the name of a setting, misspelt.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_once)
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {error.strerror}") from None
    except json.JSONDecodeError as error:
        raise Unreadable(f"{path} is not JSON: line {error.lineno}, column {error.colno}: {error.msg}") from None
    except (ValueError, RecursionError):
        raise Unreadable(f"{path} is not JSON, or names a variable twice") from None
    if not isinstance(found, dict):
        raise Unreadable(f"{path} is not a JSON object")
    others = other_variables.others(found)
    for name, meant in others.misspelt.items():
        raise WrongSetting(name, f"is not a setting; did you mean {meant}?")
    ours = {name: value for name, value in found.items() if name in VARIABLES}
    for name, value in ours.items():
        if isinstance(value, list | dict):
            raise Unreadable(f"{path} is not a JSON object of single values: {name}")
    return Secrets({name: as_text(value) or "" for name, value in ours.items()}, others.foreign)


def joined(environ: Mapping[str, str]) -> Joined:
    """The environment, together with the file that it names; without one, as it is.

    Raises:
        WrongSetting: the file cannot be read, misspells a setting, or says otherwise than the environment.
    """
    if not environ.get(VARIABLE):
        return Joined(dict(environ), [])
    try:
        secrets = read(Path(environ[VARIABLE]))
    except Unreadable as unreadable:
        raise WrongSetting(VARIABLE, str(unreadable)) from None
    except WrongSetting as wrong:
        raise WrongSetting(f"{VARIABLE}: {wrong.setting}", wrong.reason.removeprefix(f"{wrong.setting}: ")) from None
    for name, value in secrets.ours.items():
        if value and environ.get(name, value) not in ("", value):
            raise WrongSetting(VARIABLE, f"{name} is in the file and, with another value, in the environment")
    return Joined({**environ, **{name: value for name, value in secrets.ours.items() if value}}, secrets.foreign)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object. A name that is there twice is refused: which value Abaco takes is not known."""
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a name is there twice")
    return dict(pairs)
