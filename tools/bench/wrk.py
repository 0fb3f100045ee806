"""The load generator: wrk, which is light enough to share two cores with the gateway that it measures."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pymongo.database import Database

from tools.bench.deployment import Broken
from tools.bench.jobs import Document, Job
from tools.chaos.gateways import TOKEN, Gateway
from tools.chaos.proxy import HOST

_SCRIPT: Final = Path(__file__).with_name("load.lua")
_SETTLE_SECONDS: Final = 0.2
_APT: Final = ("apt-get", "-qq", "-o", "Dpkg::Use-Pty=0")


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers to a load.

    Attributes:
        events: acknowledged events.
        seconds: duration.
        p99: 99th percentile in seconds; see `raw.p99`.
    """

    events: int
    seconds: float
    p99: float

    @property
    def rate(self) -> float:
        """Events per second."""
        return self.events / self.seconds


def ensure() -> None:
    """Installs wrk if it is missing; exits if that is not possible."""
    if shutil.which("wrk"):
        return
    if shutil.which("apt-get") and os.geteuid() == 0:
        print("Installing wrk ...", flush=True)
        for command in (("update",), ("install", "-y", "--no-install-recommends", "wrk")):
            subprocess.run([*_APT, *command], check=False, stdout=subprocess.DEVNULL)  # noqa: S603 - fixed words
    if not shutil.which("wrk"):
        sys.exit("wrk, which generates the load, is not installed; install it, for example by `apt-get install wrk`.")


def send(
    gateway: Gateway,
    database: Database[Document],
    jobs: Sequence[Job],
    *,
    in_flight: int,
    seconds: int,
    acknowledged: Path | None = None,
) -> Answers:
    """Sends an update to each of these jobs in turn, until the time is over.

    Args:
        gateway: the gateway.
        database: its database.
        jobs: the jobs; after the last one it starts again.
        in_flight: the number of senders; each waits for its answer.
        seconds: the duration.
        acknowledged: the file to which the execution id of each acknowledged event is written, one in each line.

    Raises:
        Broken: an event was refused, or the number of stored events differs from the number sent.
    """
    events = gateway.log.with_name("events.jsonl")
    events.write_text("".join(json.dumps(job.event()) + "\n" for job in jobs))
    before = _stored(database)
    command = ["wrk", "-t1", f"-c{in_flight}", f"-d{seconds}s", "--timeout", "10s", "-s", str(_SCRIPT)]
    command += [f"http://{HOST}:{gateway.port}/actors/v2/jobs-manager.prod/messages", "--", str(events), TOKEN]
    command += [str(acknowledged)] if acknowledged else []
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - words of ours
    if done.returncode:
        raise Broken(f"wrk ended with {done.returncode}: {done.stderr.strip()}")
    said = json.loads(done.stdout.splitlines()[-1])
    stored = _settled(database) - before
    if said["refused"] or said["broken"] or not said["events"]:
        raise Broken(f"of {said['events']} answers {said['refused']} are not 200; {said['broken']} were interrupted")
    if not said["events"] <= stored <= said["events"] + in_flight:  # wrk does not wait for the last answers
        raise Broken(f"{said['events']} events were acknowledged, but {stored} are stored")
    return Answers(said["events"], said["seconds"], said["p99"])


def _stored(database: Database[Document]) -> int:
    """The number of events in the histories of all jobs."""
    found = list(database["jobs"].aggregate([{"$group": {"_id": None, "events": {"$sum": "$_properties.revision"}}}]))
    return int(found[0]["events"]) if found else 0


def _settled(database: Database[Document]) -> int:
    """The same, when it no longer grows: the gateway still handles the last events when wrk has ended."""
    stored, before = _stored(database), -1
    while stored != before:
        time.sleep(_SETTLE_SECONDS)
        stored, before = _stored(database), stored
    return stored
