"""A disk that takes longer: most that a server in a data centre waits for is its journal, and a laptop's is too quick.

What does the waiting is a library that is put before mongod's own calls, made by gcc when it is needed.
"""

import subprocess
from pathlib import Path
from typing import Final

_SOURCE: Final = Path(__file__).with_name("slow_disk.c")


def variables(directory: Path, milliseconds: float) -> dict[str, str]:
    """What mongod's environment needs so that everything durable takes so much longer; nothing for 0.

    Args:
        directory: where the library is put.
    """
    if not milliseconds:
        return {}
    library = directory / "slow_disk.so"
    subprocess.run(  # noqa: S603 - words of ours
        ["gcc", "-shared", "-fPIC", "-O2", "-o", str(library), str(_SOURCE), "-ldl"],  # noqa: S607 - whichever there is
        check=True,
    )
    return {"LD_PRELOAD": str(library), "SLOW_DISK_MICROSECONDS": str(round(milliseconds * 1000))}
