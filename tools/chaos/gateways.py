"""Gateway processes, and a way to weaken them for the control run."""

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from pipelinejobs.mongod import host
from tools.chaos import process
from tools.chaos.proxy import HOST

TOKEN: Final = "pj-chaos-0123456789abcdef"  # noqa: S105 - of gateways on loopback that live for minutes
_START_SECONDS: Final = 90.0
_WEAK: Final = """
import sys
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern
from pipelinejobs.store import connection
connection._DURABLE = WriteConcern(w=1, j=False)
connection.ReadConcern = lambda _: ReadConcern("local")
from pipelinejobs.gateway.tasks.applied_watch import AppliedWatch
AppliedWatch.add = lambda *_: None
from pipelinejobs.cli.main import main
sys.exit(main(["serve"]))
"""
"""The product, broken on purpose: it writes without a majority. No setting does this.

It also does not look for its events later, to apply lost ones again. And it reads with the concern "local": with
"majority", a lone primary would acknowledge at most one event of each job, because the next one would be decided on an
unchanged state.
"""


@dataclass
class Gateway:
    """One gateway. It keeps its port when it is restarted."""

    port: int
    command: Sequence[str]
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes]

    def restart(self) -> None:
        """Kills the gateway, and starts it again."""
        process.kill(self.process)
        self.process = process.start(self.command, self.log, self.environment)


def start(number: int, directory: Path, uri: str, indexer: str, *, weak: bool) -> Gateway:
    """Starts a gateway. Call `wait` to wait until it is ready."""
    port = host.free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(directory),
        "_REACTOR_MONGODB_URI": uri,
        "_REACTOR_MONGODB_DATABASE": "chaos",
        "_REACTOR_PIPELINES_JOB_INDEXER_URL": indexer,
        "_REACTOR_GATEWAY_PORT": str(port),
        "_REACTOR_GATEWAY_TOKENS": f"chaos:EXECUTE:sha256:{sha256(TOKEN.encode()).hexdigest()}",
        "_REACTOR_OUTBOX_LONGEST_DELAY": "5",
        "_REACTOR_OUTBOX_ATTEMPTS": "1000",
        "_REACTOR_LIMITS_INDEXER": "2",
        "_REACTOR_LOGS_LEVEL": "WARNING",
    }
    command = (sys.executable, "-c", _WEAK) if weak else (sys.executable, "-m", "pipelinejobs", "serve")
    log = directory / f"gateway-{number}.log"
    return Gateway(port, command, environment, log, process.start(command, log, environment))


def wait(gateway: Gateway) -> None:
    """Waits until the gateway is ready.

    Raises:
        TimeoutError: it is not ready in time.
    """
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until:
        with (
            suppress(OSError, http.client.HTTPException),
            closing(http.client.HTTPConnection(HOST, gateway.port, timeout=5)) as connection,
        ):
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        time.sleep(0.1)
    raise TimeoutError(f"the gateway is not ready; see {gateway.log}")
