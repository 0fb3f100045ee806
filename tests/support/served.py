"""A gateway in a process of its own, for tests."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from support.canaries import CANARIES
from support.gateway import ALIAS, TOKENS, eventually, grants
from support.process import environment

ROOT: Final = Path(__file__).resolve().parents[2]
SECONDS: Final = 90
"""How long a gateway is waited for, to start and to end."""


class NotServing(Exception):
    """The gateway has ended before it was ready. The text is its log."""


@dataclass
class Served:
    """A gateway that serves.

    Attributes:
        printed: its lines on stdout so far.
    """

    process: subprocess.Popen[str]
    url: str
    printed: list[str]
    log: Path

    def post(self, body: Any, **parameters: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {TOKENS['EXECUTE']}"}
        url = f"{self.url}/actors/v2/{ALIAS}/messages"
        return httpx.post(url, json=body, params=parameters, headers=headers, timeout=30, verify=False, trust_env=False)

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(SECONDS)


def gateway_environment(uri: str, database: str, **more: str) -> dict[str, str]:
    """The environment of a gateway as deployed, at a free port, with the static tokens of tests."""
    return environment(uri, database, _REACTOR_GATEWAY_PORT="0", _REACTOR_GATEWAY_TOKENS=grants(), **more)


@contextmanager
def served(
    variables: Mapping[str, str], directory: Path, *arguments: str, command: tuple[str, ...] = (), cwd: Path = ROOT
) -> Iterator[Served]:
    """Starts a gateway and waits until it is ready; at the end, its processes are killed."""
    log = directory / f"gateway-{time.monotonic_ns()}.log"
    with log.open("w") as stderr:
        process = subprocess.Popen(
            command or (sys.executable, "-m", "pipelinejobs", "serve", *arguments),
            cwd=cwd,
            env={"PATH": os.environ["PATH"], "HOME": str(directory), **variables, "TMPDIR": str(directory)},
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=True,
        )
    printed: list[str] = []
    assert process.stdout is not None
    reader = threading.Thread(target=lambda: printed.extend(iter(process.stdout.readline, "")), daemon=True)  # type: ignore[union-attr]
    reader.start()
    try:
        line = eventually(lambda: next((line for line in printed if "serves at" in line), process.poll()), SECONDS)
        if not isinstance(line, str):
            raise NotServing(log.read_text())
        yield Served(process, line.split()[-1], printed, log)
        for secret in CANARIES:
            assert secret not in log.read_text() + "".join(printed)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        reader.join()
        process.stdout.close()
