"""secrets.json: a file with variables of settings and their values.

Abaco's tools give its content to an actor as its environment. For the gateway and the commands, the variable
`PIPELINEJOBS_SECRETS` names such a file, so that secrets are neither in the environment nor on a command line. The
actor ignores that variable, because on Abaco a sender could name another file.

The original reactor's file works unchanged: settings of other programs are ignored (`settings.other_variables`).
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
    """The file cannot be read. The text says why, and repeats nothing from the file."""


class Secrets(NamedTuple):
    """The content of a file.

    Attributes:
        ours: the values of settings by variable, as the environment spells them; an empty text for null.
        foreign: names of settings of other programs.
    """

    ours: dict[str, str]
    foreign: list[str]


class Joined(NamedTuple):
    """An environment joined with its file of secrets.

    Attributes:
        environment: the variables of both.
        foreign: names in the file that are settings of other programs.
    """

    environment: dict[str, str]
    foreign: list[str]


def read(path: Path) -> Secrets:
    """Reads a file.

    Raises:
        Unreadable: there is no such file, it is not a JSON object, or the value of a setting is a list or an object.
        WrongSetting: a name in it is a misspelt setting.
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
    """Joins the environment with the file that its `PIPELINEJOBS_SECRETS` names; unchanged if it names none.

    Raises:
        WrongSetting: the file cannot be read, misspells a setting, or has another value than the environment.
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
            raise WrongSetting(VARIABLE, f"{name} has one value in the file and another in the environment")
    return Joined({**environ, **{name: value for name, value in secrets.ours.items() if value}}, secrets.foreign)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object. Refuses a repeated name, because Abaco's choice between its values is unknown."""
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a name is repeated")
    return dict(pairs)
