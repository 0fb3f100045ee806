"""secrets.json: variables of settings and their values, in a file of their own.

It is what Abaco's tools give to an actor as its environment. For the gateway and the operators' commands the variable
`PIPELINEJOBS_SECRETS` names such a file, so that no secret stands in an environment or on a command line. The actor
never looks at it: on Abaco whoever may send a message could name another file.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pipelinejobs.errors import WrongSetting
from pipelinejobs.settings.config_file import unknown
from pipelinejobs.settings.table import TABLE

VARIABLE: Final = "PIPELINEJOBS_SECRETS"
"""The variable that names the file."""


class Unreadable(Exception):
    """The file cannot be read; the text says why, and repeats nothing of what is in it."""


def read(path: Path) -> dict[str, str]:
    """The file's variables and their values.

    Raises:
        Unreadable: it is not there, or is not a JSON object of texts.
    """
    try:
        secrets = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=_once)
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {error.strerror}") from None
    except json.JSONDecodeError as error:
        raise Unreadable(f"{path} is not JSON: line {error.lineno}, column {error.colno}: {error.msg}") from None
    except (ValueError, RecursionError):
        raise Unreadable(f"{path} is not JSON, or names a variable twice") from None
    if not isinstance(secrets, dict) or not all(isinstance(value, str) for value in secrets.values()):
        raise Unreadable(f"{path} is not a JSON object of texts")
    return secrets


def joined(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment, together with the file that it names; without one, as it is.

    Raises:
        WrongSetting: the file cannot be read, holds the variable of no setting, or says otherwise than the environment.
    """
    if not environ.get(VARIABLE):
        return dict(environ)
    try:
        secrets = read(Path(environ[VARIABLE]))
    except Unreadable as unreadable:
        raise WrongSetting(VARIABLE, str(unreadable)) from None
    known = {setting.variable for setting in TABLE.values()}
    for name in sorted(secrets.keys() - known):
        raise unknown(name, known, f"{VARIABLE}: ")
    for name, value in secrets.items():
        if value and environ.get(name, value) not in ("", value):
            raise WrongSetting(VARIABLE, f"{name} is in the file and, with another value, in the environment")
    return {**environ, **{name: value for name, value in secrets.items() if value}}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; of two values for one name nobody could say which Abaco takes."""
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a name is there twice")
    return dict(pairs)
