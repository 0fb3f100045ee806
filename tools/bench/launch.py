"""Runs commands in turn, and measures each. Run as a script (`python -I -S`), with as few imports as possible.

This process must be small, because the kernel's figure for the peak memory of a process begins with that of its parent.
On stdin and stdout is JSON: `{"commands": {name: [words...]}, "environment": {...}, "output": file, "times": number}`,
and `{name: [[seconds, KiB, exit code], ...]}`.
"""

import json
import os
import sys
import time


def main() -> None:
    """Runs the commands."""
    asked = json.load(sys.stdin)
    took: dict[str, list[tuple[float, int, int]]] = {name: [] for name in asked["commands"]}
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    actions = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)]
    actions += [(os.POSIX_SPAWN_OPEN, stream, asked["output"], flags, 0o600) for stream in (1, 2)]
    for _ in range(asked["times"]):
        for name, words in asked["commands"].items():
            began = time.perf_counter()
            pid = os.posix_spawn(words[0], words, asked["environment"], file_actions=actions)
            _, status, used = os.wait4(pid, 0)
            seconds = time.perf_counter() - began
            took[name].append((seconds, used.ru_maxrss, os.waitstatus_to_exitcode(status)))
    json.dump(took, sys.stdout)


if __name__ == "__main__":
    main()
