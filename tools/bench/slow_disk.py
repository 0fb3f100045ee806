"""Simulates a slow disk: a server in a data centre mostly waits for its journal, and a laptop's disk is too fast.

A preloaded library delays mongod's fsync and fdatasync. gcc compiles it when it is needed.
"""

import subprocess
from pathlib import Path
from typing import Final

_SOURCE: Final = Path(__file__).with_name("slow_disk.c")


def variables(directory: Path, milliseconds: float) -> dict[str, str]:
    """The environment variables with which mongod's durable writes take so much longer; none for 0.

    Args:
        directory: the directory for the library.
    """
    if not milliseconds:
        return {}
    library = directory / "slow_disk.so"
    subprocess.run(  # noqa: S603 - words of ours
        ["gcc", "-shared", "-fPIC", "-O2", "-o", str(library), str(_SOURCE), "-ldl"],  # noqa: S607 - whichever there is
        check=True,
    )
    return {"LD_PRELOAD": str(library), "SLOW_DISK_MICROSECONDS": str(round(milliseconds * 1000))}
