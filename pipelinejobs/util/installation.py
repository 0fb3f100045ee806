"""Where config.yml, message.jsonschema and data directories are: beside the package in a checkout and in the images,
inside it in an installed wheel.

pyproject.toml puts config.yml and message.jsonschema into the package of a wheel. A package without them is a checkout.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

NAME: Final = "pipelinejobs-manager"
"""The distribution's name on a package index, and the name of an installed copy's data directory."""

_PACKAGE: Final = Path(__file__).resolve().parents[1]

INSTALLED: Final = (_PACKAGE / "config.yml").is_file()
"""True in an installed wheel; False in a checkout and in the images."""

ROOT: Final = _PACKAGE if INSTALLED else _PACKAGE.parent
"""The directory of config.yml and message.jsonschema: the root of the repository, or the installed package."""


def user_data(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path:
    """The user's directory for the data of an installed copy, by the XDG Base Directory rule, or Apple's on macOS.

    platformdirs does the same, but the actor does not require it, and its commands need the directory too.
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
"""The base of relative directories in settings: the root of the repository, or the user's data directory."""
