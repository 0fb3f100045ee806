"""Runs the client's command in this process, and kills the process at one of its effects.

As a script: `tests/support/client_crash.py FILE POINT ARGUMENTS...`. FILE gets a line for each point that is reached,
such as `before replace 2`: before the second renaming, or `after` it. At POINT the process is killed as by `kill -9`,
and FILE ends with the line `killed`.
"""

import os
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any, Final

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from pipelinejobs import client

EFFECTS: Final = (
    (os, "fsync"),
    (os, "open"),
    (Path, "mkdir"),
    (Path, "replace"),
    (Path, "unlink"),
    (client, "_post"),
)
"""All by which the client changes a disk or reaches a server; what is written is on the disk with the next fsync."""


def main(file: str, point: str, *arguments: str) -> None:
    """Runs the command."""
    log = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    counts: Counter[str] = Counter()

    def reached(name: str) -> None:
        os.write(log, f"{name}\n".encode())
        if name == point:
            os.write(log, b"killed\n")
            os.kill(os.getpid(), signal.SIGKILL)

    def wrap(owner: Any, name: str) -> None:
        function = getattr(owner, name)

        def counted(*given: Any, **named: Any) -> Any:
            counts[name] += 1
            numbered = f"{name.strip('_')} {counts[name]}"
            reached(f"before {numbered}")
            try:
                return function(*given, **named)
            finally:
                reached(f"after {numbered}")

        setattr(owner, name, counted)

    for owner, name in EFFECTS:
        wrap(owner, name)
    sys.exit(client.main(arguments))


if __name__ == "__main__":
    main(*sys.argv[1:])
