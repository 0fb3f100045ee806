"""Where this copy of the project has its files: a checkout or an image beside the package, a wheel inside it.

pyproject.toml puts config.yml and message.jsonschema into the package of a wheel; a checkout has none there, which is
how the two are told apart.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

NAME: Final = "pipelinejobs-manager"
"""The distribution's name on a package index, and the directory's for the data of an installed copy."""

_PACKAGE: Final = Path(__file__).resolve().parents[1]

INSTALLED: Final = (_PACKAGE / "config.yml").is_file()
"""True in a wheel that was installed; False in a checkout and in the images."""

ROOT: Final = _PACKAGE if INSTALLED else _PACKAGE.parent
"""The directory of config.yml and message.jsonschema: the root of the repository, or the installed package."""


def user_data(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path:
    """The user's directory for the data of an installed copy, by the rule of XDG, or Apple's on macOS.

    platformdirs would say the same, but is no requirement of the actor's, whose commands need the directory too.
    """
    named = Path(environ.get("XDG_DATA_HOME", ""))
    if platform != "darwin" and named.is_absolute():
        return named / NAME
    try:
        home = Path.home()
    except RuntimeError:  # an account without a home directory, as in some containers
        return Path("/var/lib", NAME)
    return home.joinpath(*(("Library", "Application Support") if platform == "darwin" else (".local", "share")), NAME)


DATA: Final = user_data() if INSTALLED else ROOT
"""Where relative directories of the settings start: the root of the repository, or the user's data directory."""
